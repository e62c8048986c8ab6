import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { z } from 'zod'
import { canonicalJson, parseCanonical } from '../../src/wire/canonical.ts'

const pairs = z
  .array(z.strictObject({ name: z.string(), input: z.string(), output: z.string() }))
  .parse(
    JSON.parse(readFileSync(new URL('../fixtures/vectors/rfc8785.json', import.meta.url), 'utf8')) as unknown,
  )

/** Refused by design: they hold floats, which other programs print differently, and integers above 2^53 - 1. */
const withFloats = ['values']

test('the published pairs are all here', () => {
  assert.deepEqual(
    pairs.map(pair => pair.name),
    ['arrays', 'french', 'simpleString', 'structures', 'unicode', 'values', 'weird'],
  )
})

for (const { name, input, output } of pairs.filter(pair => !withFloats.includes(pair.name))) {
  test(`${name}: the input becomes the output, byte for byte`, () => {
    assert.equal(canonicalJson(JSON.parse(input)), output)
    assert.equal(canonicalJson(parseCanonical(Buffer.from(output))), output)
  })

  test(`${name}: the input itself is not in RFC 8785 form`, () => {
    assert.throws(() => parseCanonical(Buffer.from(input)), { code: 'not-canonical' })
  })
}

for (const { name, input, output } of pairs.filter(pair => withFloats.includes(pair.name)))
  test(`${name}: refused in either form, for its numbers alone`, () => {
    const value: unknown = JSON.parse(input)
    assert.throws(() => canonicalJson(value), { code: 'not-json' })
    assert.throws(() => parseCanonical(Buffer.from(output)), { code: 'not-canonical' })
    const { numbers, ...rest } = z.looseObject({ numbers: z.array(z.number()) }).parse(value)
    assert.equal(numbers.length, 5)
    assert.equal(canonicalJson(rest), output.replace(/,"numbers":\[[^\]]*\]/, ''))
  })
