import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { openSamples } from '../../src/pypi/fresh-sample.ts'
import { seededRandom } from '../helpers/coordinator-house.ts'

const samples = join(import.meta.dirname, '../../samples')
const bytesOf = ({ bytes, kind }: { bytes: Uint8Array; kind: string }) =>
  Buffer.from(kind === 'sdist' ? gunzipSync(bytes) : bytes)

describe('samples under fresh names', () => {
  it('differ each time, and neither name nor bytes show the name of a bundled project', async () => {
    const make = await openSamples(samples)
    const random = seededRandom('fresh samples')
    const made = []
    for (let n = 0; n < 60; n += 1) made.push(await make('sinkhole', random))
    assert.ok(new Set(made.map(({ sha256 }) => sha256)).size >= 59)
    for (const one of made) {
      assert.match(one.project, /^[a-z]+-[a-z]+-[a-z]+$/)
      assert.ok(one.filename.startsWith(`${one.project.replaceAll('-', '_')}-`))
      const text = bytesOf(one).toString('latin1')
      assert.doesNotMatch(text, /pyti[-_](?:sample|mimic|twin|backend)/)
      assert.equal(one.sha256, createHash('sha256').update(one.bytes).digest('hex'))
      assert.ok(Object.keys(one.truth.tasks).length > 0)
    }
    const verdicts = new Set(made.map(({ truth }) => truth.verdict))
    for (const verdict of ['clean', 'observed', 'suspicious', 'confirmed'] as const)
      assert.ok(verdicts.has(verdict), `none of sixty is ${verdict}`)
  })

  it('without a network to send to there are none that leak over one', async () => {
    const make = await openSamples(samples)
    const random = seededRandom('dead')
    const verdicts = new Set<string | undefined>()
    for (let n = 0; n < 60; n += 1) verdicts.add((await make('dead', random)).truth.verdict)
    assert.ok(verdicts.has('clean'))
    assert.ok(!verdicts.has('confirmed'), 'a secret cannot leave where there is no network')
  })
})
