import assert from 'node:assert/strict'
import { createPublicKey, verify } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { z } from 'zod'
import { verifySignature } from '../../src/attest/keys.ts'
import { PytiError } from '../../src/errors.ts'

const folder = new URL('../fixtures/vectors/', import.meta.url)
const read = (name: string): unknown => JSON.parse(readFileSync(new URL(name, folder), 'utf8'))
const hex = (text: string) => Uint8Array.from(Buffer.from(text, 'hex'))

const speccheck = z
  .array(z.strictObject({ message: z.string(), pub_key: z.string(), signature: z.string() }))
  .parse(read('ed25519-speccheck.json'))
const wycheproof = z
  .array(
    z.strictObject({
      tcId: z.int(),
      pk: z.string(),
      msg: z.string(),
      sig: z.string(),
      result: z.enum(['valid', 'invalid']),
    }),
  )
  .parse(read('wycheproof-ed25519.json'))

async function verdictOf(key: string, message: string, signature: string): Promise<string> {
  try {
    return (await verifySignature(hex(key), hex(message), hex(signature))) ? 'valid' : 'invalid'
  } catch (error) {
    assert.ok(error instanceof PytiError, String(error))
    return error.code
  }
}

/** Six and seven have an honest key and S >= L; all others have a key that no honest generator makes. */
const expected = (index: number) => (index === 6 || index === 7 ? 'invalid' : 'bad-key')

test('ed25519-speccheck: all 12 are refused, ten for their key', async () => {
  assert.equal(speccheck.length, 12)
  const verdicts = await Promise.all(speccheck.map(one => verdictOf(one.pub_key, one.message, one.signature)))
  assert.deepEqual(
    verdicts,
    speccheck.map((_, index) => expected(index)),
  )
})

test('ed25519-speccheck: number 3 is refused by our rule for keys, not by the crypto library', () => {
  const accepted = speccheck.flatMap(({ pub_key, message, signature }, index) => {
    const key = createPublicKey({
      key: Buffer.concat([hex('302a300506032b6570032100'), hex(pub_key)]),
      format: 'der',
      type: 'spki',
    })
    return verify(null, hex(message), key, hex(signature)) ? [index] : []
  })
  assert.ok(accepted.includes(3), `the library accepts ${accepted.join(', ')}`)
})

test('Wycheproof: 151 of 151 as expected', async () => {
  assert.deepEqual(
    wycheproof.map(one => one.tcId),
    Array.from({ length: 151 }, (_, index) => index + 1),
  )
  assert.equal(wycheproof.filter(one => one.result === 'valid').length, 88)
  for (const { tcId, pk, msg, sig, result } of wycheproof)
    assert.equal(await verdictOf(pk, msg, sig), result, `case ${tcId}`)
})
