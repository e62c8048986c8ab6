import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { z } from 'zod'
import { openEnvelope, pae, statementType } from '../../src/attest/dsse.ts'
import { fingerprint, verifySignature } from '../../src/attest/keys.ts'
import { PytiError } from '../../src/errors.ts'

const Vector = z.strictObject({
  id: z.string(),
  envelope: z.strictObject({
    payload: z.string(),
    payloadType: z.string(),
    signatures: z.array(z.strictObject({ sig: z.string(), keyid: z.string().optional() })),
  }),
  pae: z.string(),
  expect: z.enum(['accept', 'reject']),
})
const { keys, vectors } = z
  .strictObject({ keys: z.record(z.string(), z.string()), vectors: z.array(Vector) })
  .parse(
    JSON.parse(readFileSync(new URL('../fixtures/vectors/dsse.json', import.meta.url), 'utf8')) as unknown,
  )
const keyNamed = (name: string) => Uint8Array.from(Buffer.from(keys[name] ?? '', 'hex'))
/** Node reads both alphabets of base64. */
const bytes = (base64: string) => Buffer.from(base64, 'base64')
const swapped = 'payload-type-swapped'

test('the pre-authentication encoding is that of the specification', () => {
  assert.equal(vectors.length, 9)
  for (const { id, envelope, pae: expected } of vectors)
    assert.equal(
      Buffer.from(pae(envelope.payloadType, bytes(envelope.payload))).toString('hex') === expected,
      id !== swapped,
      id,
    )
})

test('each signature holds over it, under one of the two keys', async () => {
  for (const { id, envelope, pae: expected } of vectors)
    for (const [index, { sig, keyid }] of envelope.signatures.entries()) {
      const key = keyNamed(keyid ?? 'AB'.charAt(index))
      assert.equal(await verifySignature(key, Buffer.from(expected, 'hex'), bytes(sig)), true, id)
    }
})

/** Where DSSE leaves freedom an envelope of ours has one form, so some that DSSE accepts are refused. */
const verdicts: Record<string, string> = {
  'single-signature': 'accept',
  'url-safe-base64': 'bad-envelope',
  [swapped]: 'bad-signature',
  'non-ascii-payload-type': 'accept',
  'empty-payload': 'accept',
  'empty-payload-type': 'bad-envelope',
  'threshold-two-distinct-keys': 'bad-envelope',
  'threshold-two-one-key-twice': 'bad-envelope',
  'threshold-two-without-keyids': 'bad-envelope',
}
for (const { id, envelope, expect } of vectors)
  test(`${id}: DSSE says ${expect}, ours says ${verdicts[id]}`, async () => {
    const key = keyNamed('A')
    const signatures = envelope.signatures.map(({ sig }) => ({ sig, keyid: fingerprint(key) }))
    assert.equal(await verdictOf({ ...envelope, signatures }, key), verdicts[id])
  })

async function verdictOf(envelope: Parameters<typeof openEnvelope>[0], key: Uint8Array): Promise<string> {
  try {
    // Nobody supports the empty type, by the vector's own words.
    await openEnvelope(envelope, key, envelope.payloadType || statementType)
    return 'accept'
  } catch (error) {
    assert.ok(error instanceof PytiError, String(error))
    return error.code
  }
}
