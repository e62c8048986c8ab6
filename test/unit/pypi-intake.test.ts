import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Clock } from '../../src/clock.ts'
import { silentLogger } from '../../src/logger.ts'
import { prepareInputs } from '../../src/pypi/intake.ts'
import { canonicalBytes } from '../../src/wire/canonical.ts'
import { IntakeStable } from '../../src/wire/raw-data.ts'
import { testJob, testSubject } from '../helpers/raw-data.ts'
import { smallWheel } from '../helpers/small-wheel.ts'

const unused = () => assert.fail('nothing is asked of the index')

/** The inputs of a wheel with these headers whose requirements are all refused. */
async function prepare(headers: string[], clock: Clock) {
  const wheel = smallWheel('sample', '1.0', headers)
  const workDir = await mkdtemp(join(tmpdir(), 'pyti-intake-'))
  try {
    const subjectPath = join(workDir, wheel.filename)
    await writeFile(subjectPath, wheel.bytes)
    return await prepareInputs({
      job: testJob({ subject: testSubject({ filename: wheel.filename, kind: 'wheel' }), tasks: ['install'] }),
      subjectPath,
      workDir,
      clock,
      index: { url: 'http://index.test/simple', project: unused, sizeOf: unused },
      uv: { path: '/nonexistent', cacheDir: workDir, indexUrl: 'http://index.test/simple', env: {} },
      cache: { fetch: unused },
      log: silentLogger,
    })
  } finally {
    await rm(workDir, { recursive: true })
  }
}

const still: Clock = { now: () => 0, sleep: unused }

test('intake: however long what a package requires, the intake stays small beside the record of its guest', async () => {
  // As JSON each of these characters takes six bytes.
  const long = '\u0001'.repeat(990)
  const headers = Array.from({ length: 1_500 }, (_, at) => `Requires-Dist: @ ${at} ${long}`)
  const { intake, notes } = await prepare(headers, still)
  assert.ok(IntakeStable.parse(intake))
  assert.ok(intake.unresolved.length > 100)
  assert.ok(canonicalBytes(intake.unresolved).length <= 1024 * 1024)
  assert.ok(notes.length <= 100 && notes.every(note => note.length <= 1_000))
})

test('intake: a clock that is set back gives no spans below zero', async () => {
  let now = 0
  const inputs = await prepare([], { now: () => (now -= 1_000), sleep: unused })
  assert.deepEqual([inputs.resolveMilliseconds, inputs.downloadMilliseconds], [0, 0])
})
