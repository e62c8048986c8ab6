import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { DistributionResult } from '../../src/cli/run-distributions.ts'
import { runAll, targetsOn } from '../helpers/local-network.ts'
import { openRealIndex, type RealIndex } from '../helpers/real-index.ts'

/** Popular projects; `packaging` has tens of thousands of tests; two volunteers had no report after 12 minutes here. */
const projects = [
  'six',
  'idna',
  'attrs',
  'requests',
  'click',
  'pluggy',
  'markupsafe',
  'pyyaml',
  'tomli',
  'flask',
  'jinja2',
]
/** Their sdists ship no tests. */
const withoutTests = ['tomli']

describe('popular projects from the index pip is configured with, sdist and wheel', () => {
  let real: RealIndex | undefined
  let why: string | false = false
  let results: DistributionResult[] = []

  before(async () => {
    const opened = await openRealIndex()
    if ('reason' in opened) {
      why = opened.reason
      return
    }
    real = opened
    results = [
      ...(
        await runAll(await targetsOn(real.index.url, projects), { signal: AbortSignal.timeout(90 * 60_000) })
      ).values(),
    ]
  })
  after(() => real?.remove())

  for (const project of projects)
    it(project, context => {
      if (why) return context.skip(why)
      const own = results.filter(({ target }) => target.subject.project === project)
      assert.deepEqual(own.map(({ target }) => target.subject.kind).sort(), ['sdist', 'wheel'])
      for (const { target, summary, accepted } of own) {
        const { kind, filename } = target.subject
        assert.ok(accepted, `${filename}: ${summary.reason}`)
        const loud = summary.findings.filter(({ level }) => level !== 'observed')
        assert.ok(
          summary.verdict === 'clean' || summary.verdict === 'observed',
          `${filename}: ${JSON.stringify(loud)}`,
        )
        assert.equal(summary.tasks.build?.status, kind === 'sdist' ? 'passed' : 'not-run', filename)
        assert.equal(summary.tasks.install?.status, 'passed', filename)
        assert.equal(summary.tasks.import?.status, 'passed', filename)
        assert.equal(summary.tasks.quality?.status, 'passed', filename)
        if (kind === 'sdist' && !withoutTests.includes(project))
          assert.ok((summary.tasks.unittest?.passed ?? 0) > 50, `${filename} runs its tests`)
        else
          assert.deepEqual(
            [summary.tasks.unittest?.status, summary.tasks.unittest?.reason],
            ['not-run', 'no-tests'],
          )
      }
    })
})
