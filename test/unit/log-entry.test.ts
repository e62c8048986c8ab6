import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Entry, entryKinds, formatEntry, parseEntry } from '../../src/attest/log/entry.ts'
import { sha256 } from '../../src/wire/canonical.ts'

const badEntry = { code: 'bad-entry' }
const id = sha256('attestation')
const subject = sha256('sample-1.0.tar.gz')
const purl = 'pkg:pypi/sample@1.0?file_name=sample-1.0.tar.gz'
const raw: Entry = { kind: 'raw', id, subject, purl }
const bytesOf = (text: string) => Uint8Array.from(Buffer.from(text))

test('the text of a leaf, both kinds', () => {
  assert.equal(Buffer.from(formatEntry(raw)).toString(), `pyti-leaf/v1\nraw\n${id}\n${subject}\n${purl}\n`)
  assert.equal(
    Buffer.from(formatEntry({ kind: 'beacon', id })).toString(),
    `pyti-leaf/v1\nbeacon\n${id}\n-\n-\n`,
  )
})

test('every kind reads back', () => {
  for (const kind of entryKinds) {
    const entry = kind === 'raw' || kind === 'report' ? { kind, id, subject, purl } : { kind, id }
    assert.deepEqual(parseEntry(formatEntry(entry)), entry)
  }
})

test('entries that are none', () => {
  const without = { kind: 'raw', id } as const
  for (const entry of [
    without,
    { ...without, subject },
    { ...without, purl },
    { kind: 'close', id, subject, purl },
    { kind: 'close', id, subject },
    { ...raw, id: id.toUpperCase() },
    { ...raw, id: id.slice(1) },
    { ...raw, subject: '-' },
    { ...raw, purl: '-' },
    { ...raw, purl: 'pkg:pypi/a\nb' },
    { ...raw, purl: 'pkg:pypi/a b' },
    { ...raw, purl: 'pkg:pypi/ä' },
    { ...raw, purl: `pkg:${'x'.repeat(1_001)}` },
  ] satisfies Entry[])
    assert.throws(() => formatEntry(entry), badEntry, JSON.stringify(entry))
})

test('bytes that are no entry', () => {
  const good = Buffer.from(formatEntry(raw)).toString()
  for (const text of [
    '',
    '\n',
    good.slice(0, -1),
    `${good}\n`,
    `\n${good}`,
    `${good}more\n`,
    good.replace('v1', 'v2'),
    good.replace('raw', 'rumour'),
    good.replace('raw', 'toString'),
    good.replace(subject, '-'),
    good.replace(purl, '-'),
    good.replace(purl, 'pkg:pypi/ä'),
    good.replaceAll('\n', '\r\n'),
    `\ufeff${good}`,
    `pyti-leaf/v1\nclose\n${id}\n${subject}\n${purl}\n`,
    'x'.repeat(100_000),
  ])
    assert.throws(() => parseEntry(bytesOf(text)), badEntry, JSON.stringify(text.slice(0, 80)))
})

test('bytes of any kind either fail or are the one form of their entry', () => {
  const good = formatEntry(raw)
  fc.assert(
    fc.property(fc.nat(good.length - 1), fc.nat(255), (at, byte) => {
      const mutated = Uint8Array.from(good)
      mutated[at] = byte
      try {
        assert.deepEqual(formatEntry(parseEntry(mutated)), mutated)
      } catch (error) {
        assert.equal(error instanceof Error && 'code' in error && error.code, 'bad-entry')
      }
    }),
    { numRuns: 500 },
  )
})
