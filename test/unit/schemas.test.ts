import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { schemaFiles } from '../../scripts/schemas.ts'
import { decodeBundle } from '../../src/attest/bundle.ts'
import { verifyBundle } from '../../src/attest/verify.ts'
import { cleanRun, signedBundle, suspiciousRun } from '../helpers/exports.ts'
import { ownSchema } from '../helpers/published-schemas.ts'
import { testJob } from '../helpers/raw-data.ts'

const root = join(import.meta.dirname, '../..')
const read = (path: string) => readFileSync(join(root, path), 'utf8')
const rawDataSchema = ownSchema('raw-data')

function exampleOfRawData(): unknown {
  const [, text = ''] = /^```json\n(.*?)^```$/ms.exec(read('docs/raw-data.md')) ?? []
  return JSON.parse(text)
}

describe('schemas/', () => {
  for (const [path, text] of schemaFiles())
    it(`${path} is what the types give (else: node_modules/.bin/node scripts/schemas.ts)`, () =>
      assert.equal(read(path), text))

  it('holds nothing else', () =>
    assert.deepEqual(
      readdirSync(join(root, 'schemas'))
        .map(name => `schemas/${name}`)
        .sort(),
      [...schemaFiles().keys()].sort(),
    ))

  it('the example of docs/raw-data.md fits', () => assert.deepEqual(rawDataSchema(exampleOfRawData()), []))

  for (const [name, make] of Object.entries({ cleanRun, suspiciousRun }))
    it(`raw data and report of a signed bundle fit (${name})`, async () => {
      const bytes = await signedBundle(make)
      const blobs = [...decodeBundle(bytes).blobs.values()]
      assert.equal(blobs.length, 3)
      for (const blob of blobs) assert.deepEqual(rawDataSchema(JSON.parse(Buffer.from(blob).toString())), [])
      assert.deepEqual(ownSchema('report')((await verifyBundle(bytes)).report), [])
    })

  it('a job, a lease and a guest record fit', () => {
    const job = testJob()
    assert.deepEqual(ownSchema('job')(job), [])
    assert.deepEqual(ownSchema('lease')({ id: '0'.repeat(32), job, remainingMs: 1 }), [])
    const record = {
      schema: 'pyti.guest/3',
      python: '3.13.5',
      observers: ['changes', 'audit'],
      tasks: cleanRun(1).tasks,
    }
    assert.deepEqual(ownSchema('guest-record')(record), [])
  })

  it('a guest plan fits', () => {
    const { project, version, filename, kind } = testJob().subject
    const plan = {
      schema: 'pyti.plan/2',
      subject: { project, version, filename, kind },
      tasks: ['build'],
      packages: { build: [], run: [], test: [] },
      incomplete: [],
      limits: { taskSeconds: 1, memoryMiB: 256, processes: 9, logBytes: 9, outputBytes: 9 },
      hashSeed: 7,
      network: 'sinkhole',
      clockDays: [30],
      seed: '0'.repeat(32),
    }
    assert.deepEqual(ownSchema('guest-plan')(plan), [])
    assert.notDeepEqual(ownSchema('guest-plan')({ ...plan, tasks: ['mine'] }), [])
  })

  const raw = cleanRun(1)
  const bad: Record<string, unknown> = {
    'an unknown field': { ...raw, extra: 1 },
    'a missing field': { ...raw, nonce: undefined },
    'another version': { ...raw, schema: 'pyti.raw-data/0' },
    'a fraction': {
      ...raw,
      guest: { ...raw.guest, volatile: { ...raw.guest.volatile, bootMilliseconds: 0.5 } },
    },
    'a digest in capitals': { ...raw, job: 'A'.repeat(64) },
    'a path for a file name': { ...raw, subject: { ...raw.subject, filename: '../sample-1.0.tar.gz' } },
  }
  for (const [what, value] of Object.entries(bad))
    it(`raw data with ${what} does not`, () => assert.notDeepEqual(rawDataSchema(value), []))

  it('a message that is longer or shorter than four does not', () => {
    for (const message of [
      ['C0114', 'a.py', 1],
      ['C0114', 'a.py', 1, 0, 0],
    ]) {
      const quality = raw.tasks.quality
      const [tool] = quality?.stable.tools ?? []
      const tools = [{ ...tool, messages: [message] }]
      const changed = { ...quality, stable: { ...quality?.stable, tools } }
      assert.notDeepEqual(rawDataSchema({ ...raw, tasks: { ...raw.tasks, quality: changed } }), [])
    }
  })
})
