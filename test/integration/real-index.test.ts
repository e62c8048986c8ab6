import assert from 'node:assert/strict'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { rfc3339, systemClock } from '../../src/clock.ts'
import { silentLogger } from '../../src/logger.ts'
import { prepareInputs } from '../../src/pypi/intake.ts'
import { parseFilename } from '../../src/pypi/names.ts'
import { pickFiles } from '../../src/pypi/pick-files.ts'
import { Job } from '../../src/wire/job.ts'
import { IntakeStable } from '../../src/wire/raw-data.ts'
import { openRealIndex, type RealIndex } from '../helpers/real-index.ts'

const real = await openRealIndex()
const skip = 'reason' in real ? real.reason : false
after(() => ('remove' in real ? real.remove() : undefined))

const expected: Record<string, { build: string; run: string[]; test: string[] }> = {
  idna: { build: 'flit-core', run: [], test: ['pytest'] },
  requests: {
    build: 'setuptools',
    run: ['certifi', 'charset-normalizer', 'idna', 'urllib3'],
    test: ['certifi', 'charset-normalizer', 'idna', 'pytest', 'urllib3'],
  },
  markupsafe: { build: 'setuptools', run: [], test: ['pytest'] },
}

for (const [project, wanted] of Object.entries(expected))
  test(`${project}: wheel and sdist, from the index to their inputs`, { skip }, async () => {
    assert.ok('index' in real)
    const page = await real.index.project(project)
    const { wheel, sdist } = pickFiles(page, { python: '3.13', glibc: '2.41' })
    for (const file of [wheel, sdist]) {
      assert.ok(file?.sha256)
      const { intake, files } = await prepare(real, { ...file, sha256: file.sha256 })
      assert.ok(IntakeStable.parse(intake))
      assert.equal(intake.archive, 'ok', intake.archiveDetail)
      assert.deepEqual(intake.unresolved, [])
      assert.notEqual(intake.cutoff, 'none')
      const names = (group: 'build' | 'run' | 'test') => intake.packages[group].map(({ name }) => name)
      assert.deepEqual(names('run'), wanted.run)
      assert.deepEqual(
        wanted.test.filter(name => !names('test').includes(name)),
        [],
      )
      assert.ok(!names('test').includes(project))
      assert.equal(names('build').includes(wanted.build), file === sdist)
      const locked = Object.values(intake.packages).flat()
      assert.deepEqual(
        files.map(({ sha256 }) => sha256).sort(),
        [...new Set(locked.map(({ sha256 }) => sha256))].sort(),
      )
    }
  })

async function prepare(house: RealIndex, file: { filename: string; url: string; sha256: string }) {
  const { project, version, kind } = parseFilename(file.filename)
  const { filename, sha256 } = file
  const job = Job.parse({
    schema: 'pyti.job/2',
    subject: { project, version, filename, kind, sha256, size: 0 },
    origin: 'index',
    tasks: ['build', 'install', 'import', 'unittest'],
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
    indexCutoff: rfc3339(systemClock.now()),
    nonce: '0'.repeat(32),
  })
  const workDir = join(house.dir, 'work')
  await mkdir(workDir, { recursive: true })
  const subjectPath = await house.cache.fetch(file)
  return prepareInputs({ ...house, job, subjectPath, workDir, clock: systemClock, log: silentLogger })
}
