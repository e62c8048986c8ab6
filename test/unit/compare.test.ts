import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { releaseOf } from '../../src/cli/commands/compare.ts'
import { compareReleases, type Release, renderComparison } from '../../src/report/comparison.ts'
import { evaluate } from '../../src/report/evaluate.ts'
import { newBehaviour } from '../../src/report/new-behaviour.ts'
import { canonicalJson } from '../../src/wire/canonical.ts'
import { type Event, eventKinds, type RawData } from '../../src/wire/raw-data.ts'
import { told } from '../helpers/expect.ts'
import { cleanRun, signedBundle } from '../helpers/exports.ts'
import {
  event,
  fileChange,
  testJob,
  testRawData,
  testSubject,
  withEvents,
  withTask,
} from '../helpers/raw-data.ts'
import { installing } from '../helpers/rule-cases-files.ts'
import { withDirectory } from '../helpers/temporary.ts'

function release(version: string, change: (rawData: RawData) => RawData = same => same): RawData {
  return change(testRawData({ job: testJob({ subject: testSubject({ version }) }) }))
}
const reported = (rawData: RawData): Release => ({
  rawData,
  evaluation: evaluate({ rawData: [rawData], flaky: [] }),
})
const first = (list: readonly { phase: string; evidence: string }[]) =>
  list.map(one => `${one.phase}: ${one.evidence}`)

test('what a release did not do before is told, with task and line', () => {
  const at = '{site}/sample/__init__.py:7'
  const current = release('1.1', rawData =>
    installing(
      withTask(withEvents(rawData, 'import', event('name', 'A x.test', { at })), 'scripts', {
        changes: [fileChange('{home}/.bashrc')],
      }),
      '{site}/sample.pth',
    ),
  )
  const { added, gone } = newBehaviour(release('1.0'), current)
  assert.deepEqual(first(added), [
    `import: name A x.test, at ${at}`,
    'scripts: added {home}/.bashrc',
    'install: installs {site}/sample.pth',
  ])
  assert.deepEqual(gone, [])
  assert.deepEqual(first(newBehaviour(current, release('1.2')).gone), first(added))
})

test('versions, lines, counts and digests of code are no new behaviour', () => {
  const doing = (version: string, line: number, digest: string) =>
    release(version, rawData =>
      withEvents(
        rawData,
        'import',
        event('code', digest.repeat(64), { at: `{site}/sample/a.py:${line}` }),
        event('connect', `tcp 192.0.2.1:443`, { times: line > 5 ? 'many' : 'once' }),
        event('exec', `cat {site}/sample-${version}.dist-info/RECORD`),
      ),
    )
  for (const [before, after] of [
    ['1.0', '1.1'],
    ['1', '2'],
  ] as const) {
    const { added, gone } = newBehaviour(doing(before, 3, 'a'), doing(after, 9, 'b'))
    assert.deepEqual([added, gone], [[], []])
  }
})

test('the same kind of thing in another task, and a new requirement, are new', () => {
  const before = release('1.0', rawData => withEvents(rawData, 'unittest', event('name', 'A x.test')))
  const locked = { name: 'extra', version: '1', filename: 'extra-1-py3-none-any.whl', sha256: '0'.repeat(64) }
  const after = release('1.1', rawData => {
    const { stable, volatile } = rawData.intake
    const intake = { volatile, stable: { ...stable, packages: { ...stable.packages, run: [locked] } } }
    return withEvents({ ...rawData, intake }, 'import', event('name', 'A x.test'))
  })
  const { added, gone, requirements } = newBehaviour(before, after)
  assert.deepEqual(first(added), ['import: name A x.test'])
  assert.deepEqual(first(gone), ['unittest: name A x.test'])
  assert.deepEqual(requirements, ['extra'])
})

test('a comparison tells findings, ends and tests, and what makes it doubtful', () => {
  const before = testRawData({ tests: { a: 'passed', b: 'passed', c: 'failed' } })
  const job = testJob({ subject: testSubject({ version: '1.1' }) })
  const other = testRawData({ job, tests: { a: 'failed', b: 'passed', c: 'failed' } })
  const guest = { ...other.guest, stable: { ...other.guest.stable, python: '3.11.2', observers: [] } }
  const after = withTask({ ...other, guest }, 'install', { status: 'failed', reason: 'exit-code' })
  const comparison = compareReleases(
    reported(before),
    reported(withTask(after, 'import', { changes: [fileChange('{home}/.bashrc')] })),
  )
  assert.deepEqual(comparison.tests, ['a'])
  assert.deepEqual(comparison.tasks, [{ task: 'install', previous: 'passed', current: 'failed' }])
  assert.deepEqual(
    comparison.findings.map(({ id }) => id),
    ['persistence', 'changes-outside'],
  )
  assert.equal(comparison.notes.length, 2)
  const text = renderComparison(comparison)
  assert.match(
    text,
    /^sample-1\.0\.tar\.gz is clean, sample-1\.0\.tar\.gz is suspicious\n\nNew\n {2}- import: added \{home\}\/\.bashrc\n/,
  )
  assert.match(text, /^ {2}- install: passed -> failed$/m)
  assert.match(text, /^Beware$/m)
})

test('only two releases of one kind of one project are compared', () => {
  const wheel = testSubject({ kind: 'wheel', filename: 'sample-1.0-py3-none-any.whl' })
  const others = [testSubject({ project: 'other' }), wheel]
  for (const subject of others)
    assert.throws(
      () => compareReleases(reported(testRawData()), reported(testRawData({ job: testJob({ subject }) }))),
      told('usage'),
    )
})

const text = fc.string({ unit: 'binary', maxLength: 40 })
const events = fc.array(
  fc.record({
    kind: fc.constantFrom(...eventKinds),
    what: text,
    by: fc.option(text, { nil: undefined }),
    at: fc.option(text, { nil: undefined }),
    times: fc.constantFrom<Event['times']>('once', 'few', 'many'),
  }),
  { maxLength: 12 },
)
const withRandom = (rawData: RawData, list: Event[]) => withEvents(rawData, 'import', ...list)

test('a release compared with itself has nothing new, in whatever order, and any text is printed harmlessly', () => {
  fc.assert(
    fc.property(events, events, fc.nat(), (some, others, turn) => {
      const one = withRandom(testRawData(), some as Event[])
      const shuffled = withRandom(testRawData(), [
        ...some.slice(turn % (some.length + 1)),
        ...some.slice(0, turn % (some.length + 1)),
      ] as Event[])
      const self = newBehaviour(one, shuffled)
      assert.deepEqual([self.added, self.gone], [[], []])
      const other = withRandom(testRawData(), others as Event[])
      const there = newBehaviour(one, other)
      const back = newBehaviour(other, one)
      assert.deepEqual([there.added, there.gone], [back.gone, back.added])
      const comparison = compareReleases(reported(one), reported(other))
      assert.match(renderComparison(comparison), /^[\x20-\x7e\n]*$/)
      for (const line of renderComparison(comparison).split('\n')) assert.ok(line.length <= 100, line)
      assert.equal(
        canonicalJson(evaluate({ rawData: [one], flaky: [] })),
        canonicalJson(evaluate({ rawData: [one], flaky: [] })),
      )
    }),
    { seed: 20_261_210, numRuns: 200 },
  )
})

test('pyti compare takes verified bundles only', () =>
  withDirectory(async folder => {
    const good = await signedBundle(cleanRun)
    assert.equal((await releaseOf(good, 'x', {})).evaluation.verdict, 'clean')
    await assert.rejects(releaseOf(good.subarray(0, -1), 'x', {}), told('not-verified'))
    await assert.rejects(
      releaseOf(good, 'x', { minimumVolunteers: 4 }),
      told('not-verified', /distinct-volunteers/),
    )
    await writeFile(join(folder, 'a.jsonl'), good)
    const bin = join(import.meta.dirname, '../../src/cli/main.ts')
    const run = (...args: string[]) =>
      spawnSync(
        process.execPath,
        [bin, 'compare', join(folder, 'a.jsonl'), join(folder, 'a.jsonl'), ...args],
        {
          encoding: 'utf8',
          timeout: 60_000,
        },
      )
    assert.match(run().stdout, /^New: nothing was seen/m)
    const json = run('--json')
    assert.equal(JSON.parse(json.stdout).schema, 'pyti.compare/1', json.stderr)
    assert.equal(run('--volunteers', '4').status, 1)
  }))
