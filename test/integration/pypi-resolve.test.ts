import assert from 'node:assert/strict'
import { access, mkdir, mkdtemp, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { rfc3339, systemClock } from '../../src/clock.ts'
import { silentLogger } from '../../src/logger.ts'
import { compile } from '../../src/pypi/compile.ts'
import { createDownloadCache } from '../../src/pypi/download.ts'
import { type EmbeddedIndex, startEmbeddedIndex } from '../../src/pypi/embedded-index.ts'
import type { PublishedFile } from '../../src/pypi/embedded-shelf.ts'
import { createIndexClient } from '../../src/pypi/index-client.ts'
import { prepareInputs } from '../../src/pypi/intake.ts'
import { parseFilename } from '../../src/pypi/names.ts'
import { resolve } from '../../src/pypi/resolve.ts'
import { sha256 } from '../../src/wire/canonical.ts'
import { Job } from '../../src/wire/job.ts'
import { IntakeStable } from '../../src/wire/raw-data.ts'
import { createManualClock } from '../helpers/manual-clock.ts'
import { openRealIndex } from '../helpers/real-index.ts'
import { smallSdist, smallWheel } from '../helpers/small-wheel.ts'

// uv itself comes from the real index; everything it resolves here comes from one on this machine.
const real = await openRealIndex()
const skip = 'reason' in real ? real.reason : false
const { uv: tool, dir } = 'reason' in real ? { uv: undefined, dir: '' } : real
after(() => ('remove' in real ? real.remove() : undefined))

const start = Date.UTC(2026, 0, 1)
const day = 86_400_000

async function withIndex(files: PublishedFile[], use: (house: House) => Promise<void>): Promise<void> {
  const made = await openHouse(files)
  try {
    await use(made)
  } finally {
    await made.server.close()
  }
}

type House = Awaited<ReturnType<typeof openHouse>>

async function openHouse(files: PublishedFile[]) {
  assert.ok(tool)
  const clock = createManualClock(start)
  const server: EmbeddedIndex = await startEmbeddedIndex({ clock, distributions: files })
  const work = await mkdtemp(join(dir, 'work-'))
  const workDir = join(work, 'jobs')
  await mkdir(workDir)
  const common = { clock: systemClock, log: silentLogger }
  const index = createIndexClient({ ...common, url: server.url })
  const uv = { ...tool, indexUrl: server.url, cacheDir: join(work, 'uv-cache') }
  const cache = createDownloadCache({ ...common, dir: join(work, 'cache'), indexUrl: server.url })
  const lock = (groups: { build?: string[]; run?: string[]; test?: string[] }, cutoff = start + day) =>
    resolve({
      uv,
      index,
      python: '3.13',
      glibc: '2.41',
      cutoff: rfc3339(cutoff),
      project: 'subject',
      groups: { build: [], run: [], test: [], ...groups },
      workDir,
      log: silentLogger,
    })
  return { server, clock, index, uv, cache, workDir, work, lock }
}

const versions = (files: { name: string; version: string }[]) =>
  files.map(({ name, version }) => `${name} ${version}`)

test('groups are locked to wheels with digests; test holds run', { skip }, () =>
  withIndex(
    [
      smallWheel('alpha', '1.0', ['Requires-Dist: beta>=1']),
      smallWheel('beta', '1.0'),
      smallWheel('beta', '2.0'),
      smallWheel('tester', '1.0', ['Requires-Dist: beta<2']),
      smallWheel('builder', '3.0'),
    ],
    async ({ server, lock, workDir }) => {
      const found = await lock({ build: ['builder'], run: ['alpha'], test: ['tester'] })
      assert.equal(found.cutoff, 'applied')
      assert.deepEqual(versions(found.packages.build), ['builder 3.0'])
      assert.deepEqual(versions(found.packages.run), ['alpha 1.0', 'beta 2.0'])
      assert.deepEqual(versions(found.packages.test), ['alpha 1.0', 'beta 1.0', 'tester 1.0'])
      assert.equal(found.packages.build[0]?.sha256, sha256(smallWheel('builder', '3.0').bytes))
      assert.ok(found.packages.build[0]?.url.startsWith(server.url.replace('/simple/', '/files/')))
      assert.deepEqual(found.unresolved, [])
      assert.match(found.pylock.run ?? '', /lock-version/)
      assert.deepEqual(await readdir(workDir), [])
    },
  ),
)

test('no code of a package runs: an sdist is no candidate, whatever it says', { skip }, async () => {
  assert.ok(tool)
  const proof = join(dir, 'code-ran')
  const evil = await smallSdist('evil', '2.0', [], {
    'setup.py': `open(${JSON.stringify(proof)}, 'w').close()\nfrom setuptools import setup\nsetup()\n`,
    'backend.py': `open(${JSON.stringify(proof)}, 'w').close()\n`,
    'pyproject.toml': '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
  })
  await withIndex([evil, smallWheel('good', '1.0')], async ({ lock, uv, workDir, server }) => {
    const found = await lock({ run: ['evil', 'good'] })
    assert.deepEqual(versions(found.packages.run), ['good 1.0'])
    assert.deepEqual(found.unresolved, [{ group: 'run', requirement: 'evil' }])
    const request = { requirements: ['evil'], python: '3.13', glibc: '2.41', exclude: [], workDir }
    const compiled = await compile(uv, request)
    assert.equal(compiled.ok, false)
    assert.match(compiled.ok ? '' : compiled.reason, /no usable wheels/)
    server.publish(smallWheel('evil', '1.0'))
    const older = await lock({ run: ['evil'] })
    assert.deepEqual(versions(older.packages.run), ['evil 1.0'])
    assert.ok(!server.requests.some(line => line.includes('evil-2.0.tar.gz')))
    await assert.rejects(access(proof), { code: 'ENOENT' })
  })
})

test('uploads after the cut-off do not exist', { skip }, () =>
  withIndex([smallWheel('alpha', '1.0')], async ({ clock, server, lock }) => {
    await clock.advance(10 * day)
    server.publish(smallWheel('alpha', '2.0'))
    assert.deepEqual(versions((await lock({ run: ['alpha'] })).packages.run), ['alpha 1.0'])
    assert.deepEqual(versions((await lock({ run: ['alpha'] }, start + 11 * day)).packages.run), ['alpha 2.0'])
  }),
)

test('without upload times the newest are taken, and it is said', { skip }, () =>
  withIndex([smallWheel('alpha', '1.0')], async ({ server, lock }) => {
    server.features.uploadTimes = false
    const found = await lock({ run: ['alpha'] }, start - 100 * day)
    assert.equal(found.cutoff, 'unavailable')
    assert.deepEqual(versions(found.packages.run), ['alpha 1.0'])
    assert.equal((await lock({})).cutoff, 'none')
  }),
)

test('what cannot be met is listed, the rest resolved', { skip }, () =>
  withIndex(
    [
      smallWheel('alpha', '1.0'),
      smallWheel('beta', '1.0'),
      smallWheel('tester', '1.0', ['Requires-Dist: alpha>=2']),
    ],
    async ({ lock }) => {
      const found = await lock({
        build: ['missing'],
        run: ['alpha', 'gone>=1', 'beta>=5'],
        test: ['tester', 'beta', "nothing ; python_version < '3'"],
      })
      assert.deepEqual(versions(found.packages.run), ['alpha 1.0'])
      assert.deepEqual(versions(found.packages.test), ['alpha 1.0', 'beta 1.0'])
      assert.deepEqual(found.packages.build, [])
      assert.deepEqual(found.unresolved.map(({ group, requirement }) => `${group} ${requirement}`).sort(), [
        'build missing',
        'run beta>=5',
        'run gone>=1',
        'test tester',
      ])
    },
  ),
)

test('the subject is in no environment of its own, but may build itself', { skip }, () =>
  withIndex(
    [smallWheel('subject', '0.9'), smallWheel('tester', '1.0', ['Requires-Dist: subject>=99'])],
    async ({ lock }) => {
      const found = await lock({ build: ['subject'], run: ['tester'], test: ['tester'] })
      assert.deepEqual(versions(found.packages.build), ['subject 0.9'])
      assert.deepEqual(versions(found.packages.run), ['tester 1.0'])
      assert.deepEqual(versions(found.packages.test), ['tester 1.0'])
      assert.deepEqual(found.unresolved, [])
    },
  ),
)

test('an index that is down is an error, never a verdict', { skip }, () =>
  withIndex([smallWheel('alpha', '1.0')], async ({ server, uv, workDir }) => {
    server.answer('/simple/alpha/', { status: 403, body: 'no' })
    const request = { requirements: ['alpha'], python: '3.13', glibc: '2.41', exclude: [], workDir }
    await assert.rejects(compile(uv, request), { code: 'index-unreachable' })
    await assert.rejects(compile({ ...uv, timeoutMs: 1 }, request), { code: 'program-timeout' })
    const { python: _, ...search } = uv
    const nowhere = { ...search, env: { PATH: '/nonexistent' } }
    await assert.rejects(compile(nowhere, request), { code: 'python-missing' })
    const signal = AbortSignal.abort(new Error('enough'))
    await assert.rejects(compile(uv, { ...request, signal }), /enough/)
    assert.deepEqual(await readdir(workDir), [])
  }),
)

test('settings of the user do not reach uv', { skip }, () =>
  withIndex([smallWheel('alpha', '1.0')], async ({ uv, workDir }) => {
    const env = {
      ...uv.env,
      UV_DEFAULT_INDEX: 'http://127.0.0.1:1/simple',
      UV_NO_INDEX: '1',
      UV_FIND_LINKS: '/nonexistent',
      UV_OFFLINE: '1',
      PYTHONPATH: '/nonexistent',
    }
    const request = { requirements: ['alpha'], python: '3.13', glibc: '2.41', exclude: [], workDir }
    assert.equal((await compile({ ...uv, env }, request)).ok, true)
  }),
)

function jobFor(file: PublishedFile, tasks: string[] = ['build', 'install', 'import', 'unittest']): Job {
  const { project, version, kind } = parseFilename(file.filename)
  const subject = {
    project,
    version,
    filename: file.filename,
    kind,
    sha256: sha256(file.bytes),
    size: file.bytes.length,
  }
  return Job.parse({
    schema: 'pyti.job/2',
    subject,
    origin: 'index',
    tasks,
    profile: {
      image: '0'.repeat(64),
      python: '3.13',
      glibc: '2.41',
      backend: 'any',
      vcpus: 1,
      memoryMiB: 512,
      diskMiB: 512,
      taskSeconds: 60,
      wallSeconds: 600,
      network: 'dead',
      clockDays: [],
      hashSeed: 0,
    },
    indexCutoff: rfc3339(start + day),
    nonce: '0'.repeat(32),
  })
}

test('intake: from a file to its inputs, equal for two volunteers', { skip }, async () => {
  const subject = await smallSdist(
    'subject',
    '1.0',
    [
      'Requires-Python: >=3.14',
      'Requires-Dist: alpha',
      "Requires-Dist: tester ; extra == 'test'",
      'Requires-Dist: x @ https://x.test/x.whl',
      'Provides-Extra: test',
    ],
    { 'pyproject.toml': '[build-system]\nrequires = ["builder"]\nbuild-backend = "b"\n' },
  )
  const files = ['alpha', 'builder', 'pytest', 'tester'].map(name => smallWheel(name, '1.0'))
  await withIndex([subject, ...files], async house => {
    const subjectPath = join(house.work, 'subject')
    await writeFile(subjectPath, subject.bytes)
    const steps: string[] = []
    const prepare = (uvCache: string, tasks?: string[]) =>
      prepareInputs({
        ...house,
        job: jobFor(subject, tasks),
        subjectPath,
        uv: { ...house.uv, cacheDir: join(house.work, uvCache) },
        clock: systemClock,
        log: silentLogger,
        onProgress: ({ step }) => steps.push(step),
      })
    const one = await prepare('one')
    const two = await prepare('two')
    assert.deepEqual(JSON.stringify(one.intake), JSON.stringify(two.intake))
    assert.ok(IntakeStable.parse(one.intake))
    assert.equal(one.intake.archive, 'ok')
    assert.equal(one.intake.cutoff, 'applied')
    assert.deepEqual(versions(one.intake.packages.test), ['alpha 1.0', 'pytest 1.0', 'tester 1.0'])
    assert.deepEqual(one.intake.unresolved, [{ group: 'run', requirement: 'x @ https://x.test/x.whl' }])
    assert.deepEqual(
      one.files.map(({ filename }) => filename),
      files.map(({ filename }) => filename).sort(),
    )
    for (const file of one.files) await access(file.path)
    assert.match(one.notes.join('\n'), /Requires-Python >=3.14 does not admit 3.13/)
    assert.deepEqual([...new Set(steps)], ['inspect', 'resolve', 'download'])
    assert.deepEqual((await prepare('one', ['install'])).intake.packages.test, [])
  })
})

test('intake: a bad archive asks the index for nothing', { skip }, () =>
  withIndex([], async house => {
    const subject = { filename: 'subject-1.0.tar.gz', bytes: Buffer.from('no archive') }
    const subjectPath = join(house.work, 'subject')
    await writeFile(subjectPath, subject.bytes)
    const found = await prepareInputs({
      ...house,
      job: jobFor(subject),
      subjectPath,
      clock: systemClock,
      log: silentLogger,
    })
    assert.equal(found.intake.archive, 'not-an-archive')
    assert.ok(IntakeStable.parse(found.intake))
    assert.deepEqual(found.files, [])
    assert.deepEqual(house.server.requests, [])
  }),
)

test('intake: a dependency that fails to download stops the rest', { skip }, async () => {
  const subject = smallWheel('subject', '1.0', ['Requires-Dist: alpha', 'Requires-Dist: beta'])
  const files = ['alpha', 'beta', 'pytest'].map(name => smallWheel(name, '1.0'))
  await withIndex([subject, ...files], async house => {
    const subjectPath = join(house.work, 'subject')
    await writeFile(subjectPath, subject.bytes)
    const options = { ...house, job: jobFor(subject), subjectPath, clock: systemClock, log: silentLogger }
    await prepareInputs(options)
    house.server.corrupt('beta-1.0-py3-none-any.whl')
    const cache = createDownloadCache({
      dir: join(house.work, 'fresh'),
      clock: systemClock,
      log: silentLogger,
      indexUrl: house.server.url,
    })
    await assert.rejects(prepareInputs({ ...options, cache }), { code: 'dependency-unavailable' })
  })
})
