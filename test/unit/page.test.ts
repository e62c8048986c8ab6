import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { type fromString, toString as toText } from 'uint8arrays'
import { buildPage, bundleSource, pagePath } from '../../scripts/page.ts'
import { RawDataStatement } from '../../src/attest/raw-statement.ts'
import { ReportStatement } from '../../src/attest/report-statement.ts'
import { verifyBundle } from '../../src/attest/verify.ts'
import { RawData } from '../../src/wire/raw-data.ts'
import { coordinator, testLogKey } from '../helpers/bundle.ts'
import { pageCases } from '../helpers/page-cases.ts'

const root = join(import.meta.dirname, '../..')
const gzipMax = 40 * 1024
const { html, script } = await buildPage()
const cases = await pageCases()
const [good] = cases
assert(good)

describe('verify.html', () => {
  it('is small', context => {
    const size = gzipSync(script, { level: 9 }).length
    context.diagnostic(`code ${script.length} bytes, ${size} gzipped; whole page ${html.length}`)
    assert.ok(size < gzipMax, `${size} bytes gzipped, at most ${gzipMax}`)
  })

  it('is the same every time', async () => assert.equal((await buildPage()).html, html))

  it(`${pagePath} is what the code gives (else: npm run page)`, () => {
    assert.ok(existsSync(join(root, pagePath)))
    assert.ok(readFileSync(join(root, pagePath), 'utf8') === html, 'it is out of date')
  })

  it('refers to nothing outside, and nothing in it is run by an attribute', () => {
    const [, markup = ''] = /^(.*)<script>/s.exec(html) ?? []
    assert.doesNotMatch(markup, /\s(?:src|href|action|style|on\w+)\s*=|<link|<base|<iframe|url\(|@import/i)
    assert.equal(html.match(/<script/g)?.length, 1)
    assert.doesNotMatch(
      script,
      /\binnerHTML|outerHTML|insertAdjacent|document\.write|\beval\(|new Function|\bimport\(|XMLHttpRequest|WebSocket|sendBeacon/,
    )
    assert.equal(script.match(/\bfetch\(/g)?.length, 1)
  })

  it('its policy allows this very script and style, and requests to its own site', () => {
    const [, policy = ''] = /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(html) ?? []
    const hash = (tag: string) => {
      const [, text = ''] = new RegExp(`<${tag}>(.*)</${tag}>`, 's').exec(html) ?? []
      return `'sha256-${createHash('sha256').update(text).digest('base64')}'`
    }
    assert.deepEqual(policy.split('; '), [
      "default-src 'none'",
      `script-src ${hash('script')}`,
      `style-src ${hash('style')}`,
      "connect-src 'self'",
      "base-uri 'none'",
      "form-action 'none'",
      "require-trusted-types-for 'script'",
      "trusted-types 'none'",
    ])
    assert.ok(html.indexOf('Content-Security-Policy') < html.indexOf('<style>'))
  })
})

/** The code of the page, run here. */
const page: {
  verifyBundle: typeof verifyBundle
  RawData: typeof RawData
  ReportStatement: typeof ReportStatement
  RawDataStatement: typeof RawDataStatement
  sha256(data: Uint8Array): Uint8Array
  fromString: typeof fromString
  toString: typeof toText
} = await import(
  `data:text/javascript,${encodeURIComponent(
    await bundleSource(
      `export { verifyBundle } from './src/attest/verify.ts'
       export { RawData } from './src/wire/raw-data.ts'
       export { ReportStatement } from './src/attest/report-statement.ts'
       export { RawDataStatement } from './src/attest/raw-statement.ts'
       export { sha256 } from './web/sha256.ts'
       export { fromString, toString } from './web/uint8arrays.ts'`,
      'esm',
    ),
  )}`
)

describe('the stand-ins of the page', () => {
  const options = {
    trustedKeys: [coordinator.peerId],
    minimumVolunteers: 3,
    logKey: testLogKey,
  }

  for (const { name, bytes } of cases)
    it(`${name}: the same verification, word for word`, async () =>
      assert.deepEqual(await page.verifyBundle(bytes, options), await verifyBundle(bytes, options)))

  it('a bundle with any changed byte gives the same verification', async context => {
    const seed = 20_261_122
    context.diagnostic(`seed ${seed}`)
    await fc.assert(
      fc.asyncProperty(fc.nat(good.bytes.length - 1), fc.integer({ min: 1, max: 255 }), async (at, mask) => {
        const changed = Uint8Array.from(good.bytes)
        changed[at] = (changed[at] ?? 0) ^ mask
        assert.deepEqual(await page.verifyBundle(changed, options), await verifyBundle(changed, options))
      }),
      { seed, numRuns: 100 },
    )
  })

  const lines = Buffer.from(good.bytes).toString().trimEnd().split('\n')
  const documentIn = (line: string) => JSON.parse(Buffer.from(JSON.parse(line).payload, 'base64').toString())
  for (const [what, schema, line] of [
    ['ReportStatement', ReportStatement, lines[0]],
    ['RawDataStatement', RawDataStatement, lines[1]],
    ['RawData', RawData, lines[4]],
  ] as const)
    it(`${what} takes and refuses the same documents for the same reasons`, context => {
      const seed = 20_261_123
      context.diagnostic(`seed ${seed}`)
      const document = documentIn(line ?? '')
      const paths = pathsIn(document)
      const verdicts = { taken: 0, refused: 0 }
      const value = fc.oneof(
        fc.jsonValue(),
        fc.constantFrom('', 'none', '0'.repeat(64), 'a'.repeat(3_000), -1, 0, 1, 2 ** 31, 0.5, null, [], {}),
      )
      fc.assert(
        fc.property(fc.constantFrom(...paths), fc.option(value, { nil: undefined }), (path, replaced) => {
          const changed = withValue(document, path, replaced)
          const [own, other] = [schema.safeParse(changed), page[what].safeParse(changed)]
          verdicts[own.success ? 'taken' : 'refused'] += 1
          assert.equal(other.success, own.success, path.join('.'))
          assert.deepEqual(other.data, own.data)
          assert.deepEqual(other.error?.issues, own.error?.issues)
        }),
        { seed, numRuns: 1_000 },
      )
      context.diagnostic(JSON.stringify(verdicts))
      assert.ok(verdicts.taken > 50 && verdicts.refused > 300)
    })

  it('SHA-256 is that of node:crypto, at every length around a block', () => {
    const data = Uint8Array.from({ length: 1_000 }, (_, index) => (index * index * 31 + 7) % 251)
    for (let length = 0; length <= data.length; length += length < 300 ? 1 : 97) {
      const part = data.subarray(0, length)
      const expected = createHash('sha256').update(part).digest('hex')
      assert.equal(Buffer.from(page.sha256(part)).toString('hex'), expected, `${length} bytes`)
    }
  })

  it('base58btc is that of uint8arrays', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(5), (bytes, zeros) => {
        const padded = Uint8Array.of(...new Uint8Array(zeros), ...bytes)
        const text = toText(padded, 'base58btc')
        assert.equal(page.toString(padded, 'base58btc'), text)
        assert.deepEqual(page.fromString(text, 'base58btc'), padded)
      }),
      { seed: 20_261_124 },
    )
    for (const text of ['0', 'O', 'I', 'l', '1 ', '\u00e9'])
      assert.throws(() => page.fromString(text, 'base58btc'))
  })
})

function pathsIn(value: unknown, path: readonly string[] = []): string[][] {
  const here = path.length > 0 ? [[...path]] : []
  if (typeof value !== 'object' || value === null) return here
  const inside = Object.entries(value).flatMap(([key, item]) => pathsIn(item, [...path, key]))
  return [...here, ...inside, [...path, 'surplus']]
}

/** A copy with another value in one place, or without it. */
function withValue(document: unknown, path: readonly string[], value: unknown): unknown {
  const copy = structuredClone(document)
  let at = copy
  for (const key of path.slice(0, -1)) at = Reflect.get(Object(at), key)
  const last = path.at(-1) ?? ''
  if (value !== undefined) Reflect.set(Object(at), last, value)
  else if (Array.isArray(at)) at.splice(Number(last), 1)
  else Reflect.deleteProperty(Object(at), last)
  return copy
}
