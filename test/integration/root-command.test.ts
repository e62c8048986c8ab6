import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { bundleOf, coordinator, honestReport, signVote, testLogKey } from '../helpers/bundle.ts'
import { testIdentity, testJob, testRawData } from '../helpers/raw-data.ts'
import { withDirectory } from '../helpers/temporary.ts'

/** The log of the test bundle has six leaves; the report is the last. */
const reportLeaf = 5

test('pyti root makes, signs, rotates and shows a root, and pyti verify follows it', () =>
  withDirectory(async dir => {
    const path = (name: string) => join(dir, name)
    const run = (status: number, ...args: string[]) => {
      const main = join(import.meta.dirname, '../../src/cli/main.ts')
      const done = spawnSync(process.execPath, [main, ...args], {
        encoding: 'utf8',
        timeout: 60_000,
        env: { ...process.env, PYTI_HOME: path('home') },
      })
      assert.equal(done.status, status, `${args.join(' ')}: ${done.stdout}${done.stderr}`)
      return done
    }
    const job = testJob()
    const votes = await Promise.all(
      [0, 1, 2].map(seed =>
        signVote({ identity: testIdentity(`volunteer ${seed}`), rawData: testRawData({ job, seed }) }),
      ),
    )
    await writeFile(path('report.jsonl'), await bundleOf(votes, honestReport(votes, job)))
    const [root, report] = [path('root.jsonl'), path('report.jsonl')]

    const cy = run(0, 'root', 'key', path('cy.key')).stdout.trim()
    const signers = ['--report-key', coordinator.peerId, '--log-key', testLogKey]
    const roots = ['--threshold', '2', '--root-key', path('ann.key'), '--root-peer', cy]
    run(2, 'root', 'init', ...roots, '--log-key', testLogKey, '--out', root)
    run(0, 'root', 'init', ...roots, ...signers, '--out', root)
    run(2, 'root', 'init', ...roots, ...signers, '--out', root)
    assert.match(run(1, 'root', 'show', root).stdout, /^version 1 {2}DRAFT {2}1 of 2 signatures/)
    assert.match(run(1, 'verify', report, '--root', root).stderr, /signed by 1 of/)

    assert.match(run(1, 'root', 'rotate', root).stderr, /version 1 lacks signatures/)
    run(2, 'root', 'sign', root, '--root-key', path('misspelt.key'))
    run(0, 'root', 'sign', root, '--root-key', path('cy.key'))
    const shown = JSON.parse(run(0, 'root', 'show', root, '--json').stdout)
    assert.equal(shown.ok, true)
    assert.equal(shown.document.roles.report.keys[0].key, coordinator.peerId)
    await writeFile(path('mirror.jsonl'), await readFile(root))
    const verified = run(0, 'verify', report, '--root', root)
    assert.match(verified.stdout, /^ok {7}root {17}version 1: the report key holds for leaf 5$/m)

    // From the leaf of the report on, another key signs reports.
    const change = ['--report-key', testIdentity('new report key').peerId, '--at', `${reportLeaf}`]
    run(0, 'root', 'rotate', root, ...change, '--root-key', path('ann.key'), path('cy.key'))
    const { ok, checks } = JSON.parse(run(1, 'verify', report, '--root', root, '--json').stdout)
    assert.equal(ok, false)
    assert.deepEqual(
      checks.flatMap(({ state, name }: Record<string, string>) => (state === 'failed' ? [name] : [])),
      ['root'],
    )
    const old = run(1, 'verify', report, '--root', path('mirror.jsonl'))
    assert.match(old.stderr, /version 1 of the root, and version 2 was seen here before/)
    run(2, 'verify', report, '--root', path('none.jsonl'))
  }))
