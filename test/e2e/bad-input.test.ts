import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, describe, it } from 'node:test'
import { findTargets } from '../../src/cli/targets.ts'
import { systemClock } from '../../src/clock.ts'
import { type EmbeddedIndex, startEmbeddedIndex } from '../../src/pypi/embedded-index.ts'
import { makeDistributions } from '../../src/pypi/make-distribution.ts'
import { Summary } from '../../src/report/summary.ts'
import { processTree } from '../../src/sandbox/process-tree.ts'
import { tarBomb, zipBomb } from '../helpers/archive-bombs.ts'
import { badArchives } from '../helpers/bad-archives.ts'
import { alive, pyti, runAll, strayFolders, targetsOn } from '../helpers/local-network.ts'
import { smallWheel } from '../helpers/small-wheel.ts'

const samples = join(import.meta.dirname, '../../samples')
let dir: string
let index: EmbeddedIndex

before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'pyti-bad-'))
  index = await startEmbeddedIndex({
    distributions: [
      ...(await makeDistributions(join(samples, 'pure'))),
      ...(await makeDistributions(join(samples, 'tested'))),
    ],
    clock: systemClock,
  })
})
after(async () => {
  await index?.close()
  await rm(dir, { recursive: true, force: true })
})

describe('archives at fault get a signed report that says so', () => {
  it('every kind of bad archive, as a file an author is about to upload', async () => {
    const bad = [...(await badArchives()), await zipBomb(), await tarBomb()].filter(
      ({ bytes }) => bytes.length > 0,
    )
    const targets = []
    for (const [number, { filename, bytes }] of bad.entries()) {
      const folder = join(dir, String(number))
      await mkdir(folder)
      await writeFile(join(folder, filename), bytes)
      targets.push(
        ...(await findTargets(join(folder, filename), {
          client: () => assert.fail('no index is asked'),
          guest: { python: '3.13', glibc: '2.41' },
          kinds: ['sdist', 'wheel'],
        })),
      )
    }
    const seen: string[] = []
    await runAll(targets, {
      volunteers: 3,
      index: index.url,
      onResult: ({ target, summary, accepted }) => {
        seen.push(target.subject.sha256)
        assert.equal(summary.verdict, 'bad-input', `${target.subject.filename}: ${summary.reason}`)
        assert.ok(accepted?.verification.ok)
      },
    })
    assert.equal(seen.length, new Set(targets.map(target => target.subject.sha256)).size)
  })
})

describe('trouble that is not the archive', () => {
  it('1 MB that unpacks to 1 GiB fills the guest and nothing else', async () => {
    const { filename, bytes } = zipBomb(1)
    await writeFile(join(dir, filename), bytes)
    const targets = await findTargets(join(dir, filename), {
      client: () => assert.fail('no index is asked'),
      guest: { python: '3.13', glibc: '2.41' },
      kinds: ['wheel'],
    })
    const { summary } = (await runAll(targets, { index: index.url, volunteers: 2 })).get(filename) ?? {}
    assert.deepEqual(
      [summary?.tasks.install?.status, summary?.tasks.install?.reason],
      ['failed', 'disk-full'],
      summary?.reason,
    )
  })

  it('an index that goes down in mid-job and comes back costs time, not the report', async () => {
    index.publish(smallWheel('patient', `1.${Date.now()}`))
    const targets = await targetsOn(index.url, ['patient'])
    index.setOffline(true)
    const results = await runAll(targets, {
      index: index.url,
      volunteers: 2,
      onEvent: event => {
        if (event.event === 'released') index.setOffline(false)
      },
    })
    // Its RECORD is empty, which is worth an observation and no more.
    for (const { summary } of results.values())
      assert.ok(['clean', 'observed'].includes(summary.verdict), `${summary.verdict} ${summary.reason}`)
  })
})

describe('pyti test, asked for what cannot be', () => {
  for (const [name, what, message] of [
    ['a project that does not exist', 'no-such-project', /no-such-project/],
    ['a version that does not exist', 'pyti-sample-pure==99.0', /99\.0/],
    ['a file that does not exist', './nowhere-1.0.tar.gz', /there is no file/],
    ['something that is neither', 'what is this', /neither PROJECT/],
  ] as const)
    it(`${name}: exit code 2, a plain message, what to do next`, async () => {
      const { code, stderr, stdout } = await pyti(['test', what, '--index', index.url])
      assert.equal(code, 2, stderr)
      assert.match(stderr, message)
      assert.match(stderr, /->/)
      assert.equal(stdout, '')
    })

  it('an unknown option: exit code 2', async () => {
    assert.equal((await pyti(['test', 'six', '--no-such-option'])).code, 2)
  })

  it('a file whose bytes are not those of its hash: no report, and the reason', async () => {
    // New bytes each time: a file that is in the download cache already is not fetched again.
    index.publish(smallWheel('corrupted', `1.${Date.now()}`))
    const [target] = await targetsOn(index.url, ['corrupted'])
    assert.ok(target)
    index.corrupt(target.subject.filename)
    const { summary, accepted } =
      (await runAll([target], { index: index.url, volunteers: 3 })).get(target.subject.filename) ?? {}
    assert.equal(accepted, undefined)
    assert.match(summary?.reason ?? '', /hash-mismatch/)
  })
})

describe('pyti test, the command', () => {
  it('prints one JSON line per distribution, as documented, and the report verifies; a changed byte is named', async () => {
    const out = join(dir, 'out')
    const { code, stdout, stderr } = await pyti([
      'test',
      'pyti-sample-pure',
      '--index',
      index.url,
      '--json',
      '--out',
      out,
    ])
    assert.equal(code, 0, stderr)
    const lines = stdout.trim().split('\n')
    assert.equal(lines.length, 1)
    const summary = Summary.parse(JSON.parse(lines[0] ?? ''))
    assert.deepEqual([summary.verdict, summary.agreement], ['clean', { volunteers: 3, agreeing: 3 }])
    assert.ok(summary.report)
    assert.equal((await pyti(['verify', summary.report])).code, 0)

    const bytes = await readFile(summary.report)
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1
    const tampered = join(dir, 'tampered.intoto.jsonl')
    await writeFile(tampered, bytes)
    const refused = await pyti(['verify', tampered])
    assert.equal(refused.code, 1)
    assert.match(refused.stdout, /FAILED {3}[a-z-]+/)
    assert.equal((await pyti(['verify', join(dir, 'nowhere')])).code, 2)
  })

  it('Ctrl-C in the middle: exit code 130, no process, VM or folder left', async () => {
    const child = spawn(
      process.execPath,
      [
        join(import.meta.dirname, '../../src/cli/main.ts'),
        'test',
        'pyti-sample-pure',
        '--index',
        index.url,
        '--out',
        join(dir, 'out-2'),
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    )
    let started: number[] = []
    for await (const line of createInterface({ input: child.stderr })) {
      if (started.length > 0 || !/: running/.test(line)) continue
      started = await processTree(child.pid ?? 0)
      child.kill('SIGINT')
    }
    const code = child.exitCode ?? (await new Promise(resolve => child.once('close', resolve)))
    assert.equal(code, 130)
    assert.ok(started.length > 5, `${started.length} processes had been started`)
    assert.deepEqual(alive(started), [])
    assert.deepEqual(await strayFolders(), [])
  })
})
