import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { concatBytes, fromBase64, toBase64, toHex, utf8 } from '../../src/wire/bytes.ts'

const someBytes = fc.uint8Array({ maxLength: 100 })

test('bytes, hex and base64 are those of Buffer', () => {
  fc.assert(
    fc.property(someBytes, someBytes, (one, other) => {
      const whole = concatBytes(one, other)
      assert.deepEqual(Buffer.from(whole), Buffer.concat([one, other]))
      assert.equal(toHex(whole), Buffer.from(whole).toString('hex'))
      assert.equal(toBase64(whole), Buffer.from(whole).toString('base64'))
      assert.deepEqual(fromBase64(toBase64(whole)), whole)
    }),
    { seed: 20_261_125 },
  )
  assert.deepEqual(concatBytes(), new Uint8Array())
  assert.deepEqual(Buffer.from(utf8('\u20ac\ud800')), Buffer.from('\u20ac\ufffd'))
})

test('base64 of more than one piece', () => {
  for (const length of [8_191, 8_192, 8_193, 100_000]) {
    const bytes = Uint8Array.from({ length }, (_, index) => (index * 7) % 256)
    assert.equal(toBase64(bytes), Buffer.from(bytes).toString('base64'))
    assert.deepEqual(fromBase64(toBase64(bytes)), bytes)
  }
})

for (const text of [
  'QQ',
  'QQ=',
  'QR==',
  'QUJ=',
  ' QQ==',
  'QQ==\n',
  'Q Q==',
  'QQ===',
  '=',
  'A',
  '-_8=',
  'QQ==QQ==',
  '\u00e9',
])
  test(`${JSON.stringify(text)} is not canonical base64`, () => {
    assert.equal(fromBase64(text), undefined)
  })
