import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  addSignature,
  decodeNote,
  formatVkey,
  openNote,
  parseNote,
  parseVkey,
  signatureLine,
  signNote,
} from '../../src/attest/log/note.ts'
import { logVectors, noteVectors, testNoteSigner, vkeyOf } from '../helpers/log.ts'

const badNote = { code: 'bad-note' }
const { c2sp, go, sunlight, ours } = logVectors('notes.json', noteVectors)
const peter = parseVkey(go.peter)
const enoch = parseVkey(go.enoch)
const signed = `${go.text}\n${go.peterLine}`

test('the example of the C2SP specification opens', async () => {
  const { text, verified, signatures } = await openNote(c2sp.note, [parseVkey(c2sp.vkey)])
  assert.equal(text, 'This is an example message.\n')
  assert.equal(verified[0]?.id, 0x530d903a)
  assert.equal(signatures[0] && signatureLine(signatures[0]), c2sp.note.split('\n\n')[1])
})

test('the note of the Go tests: signed to the same bytes, and opened', async () => {
  const seed = Buffer.from(go.peterSigner.split('+').slice(4).join('+'), 'base64').subarray(1)
  const signer = testNoteSigner('PeterNeumann', Uint8Array.from(seed))
  assert.equal(formatVkey(signer.name, 1, signer.publicKey), go.peter)
  assert.equal(await signNote(go.text, signer), signed)
  assert.equal(addSignature(signed, go.enochLine), signed + go.enochLine)
  assert.equal(addSignature(signed, go.peterLine), signed)

  const one = await openNote(signed + go.enochLine, [peter])
  assert.equal(one.text, go.text)
  assert.deepEqual(one.verified, [peter])
  assert.deepEqual(
    one.signatures.map(({ name }) => name),
    ['PeterNeumann', 'EnochRoot'],
  )
  assert.deepEqual((await openNote(signed + go.enochLine, [enoch, peter])).verified, [peter, enoch])
})

test('a repeated signature counts once', async () => {
  const { signatures, verified } = await openNote(signed + go.peterLine + go.enochLine + go.enochLine, [
    peter,
  ])
  assert.equal(signatures.length, 2)
  assert.deepEqual(verified, [peter])
})

test('a note by nobody known, and two keys of one name and id, are refused', async () => {
  await assert.rejects(openNote(signed, []), badNote)
  await assert.rejects(openNote(signed, [enoch]), badNote)
  await assert.rejects(openNote(signed, [peter, enoch, enoch]), badNote)
})

test('name and id must both be the same: no prefix, no other case, no id alone', async () => {
  for (const name of ['PeterNeuman', 'peterneumann', 'PeterNeumann2', 'EnochRoot'])
    await assert.rejects(openNote(signed, [{ ...peter, name }]), badNote)
  await assert.rejects(openNote(signed, [{ ...peter, id: peter.id + 1 }]), badNote)
  // Same name and id, other key: known, so it must hold.
  await assert.rejects(
    openNote(signed + go.enochLine, [{ ...peter, publicKey: enoch.publicKey }, enoch]),
    badNote,
  )
})

test('one bad signature of a known key spoils the note, one of an unknown key does not', async () => {
  const bad = go.enochLine.replace('5n2t', '5n3t')
  assert.deepEqual((await openNote(signed + bad, [peter])).verified, [peter])
  await assert.rejects(openNote(signed + bad, [peter, enoch]), badNote)
  await assert.rejects(openNote(signed + go.enochLine + bad, [peter, enoch]), badNote)
  const long = `${go.enochLine.slice(0, 60)}ABCD${go.enochLine.slice(60)}`
  await assert.rejects(openNote(signed + long, [peter, enoch]), badNote)
})

test('what the Go tests call malformed, and more', async () => {
  const line = go.peterLine
  const malformed = {
    'no signatures': go.text,
    'an empty line only': `${go.text}\n`,
    'no last newline': `${go.text}\n${line.slice(0, -1)}`,
    'a control character': `\x01${go.text}\n${line}`,
    'a carriage return': `${go.text.replace('\n', '\r\n')}\n${line}`,
    'a lone surrogate': `\ud800${go.text}\n${line}`,
    'a name with a space': `${go.text}\n${line.replace('PeterNeumann', 'Bad Name')}`,
    'a name with a plus': `${go.text}\n${line.replace('PeterNeumann', 'Bad+Name')}`,
    'a name with another space': `${go.text}\n${line.replace('PeterNeumann', 'Bad\u2003Name')}`,
    'an unexpected line': `${go.text}\n${line}Unexpected line.\n`,
    'a hyphen for the dash': `${go.text}\n${line.replace('—', '-')}`,
    'two spaces': `${go.text}\n${line.replace('— ', '—  ')}`,
    'a space at the end': `${go.text}\n${line.replace('\n', ' \n')}`,
    'other base64 of the same bytes': `${go.text}\n${line.replace('AM=', 'AN=')}`,
    'a key id without a signature': `${go.text}\n— PeterNeumann x08gow==\n`,
    '101 signatures': `${go.text}\n${line.repeat(101)}`,
    'a megabyte': `${'x'.repeat(1_000_000)}\n\n${line}`,
  }
  for (const [name, note] of Object.entries(malformed)) {
    assert.throws(() => parseNote(note), badNote, name)
    await assert.rejects(openNote(note, [peter]), badNote, name)
  }
  assert.equal((await openNote(`${go.text}\n${line.repeat(100)}`, [peter])).verified.length, 1)
})

test('the text ends at the last empty line, so nothing can be moved in front of it', async () => {
  const signer = testNoteSigner('log.example')
  const body = `first\n\n${go.peterLine}\nsecond\n`
  const note = await signNote(body, signer)
  const { text, verified } = await openNote(note, [vkeyOf(signer, 1)])
  assert.equal(text, body)
  assert.equal(verified.length, 1)
  await assert.rejects(openNote(`${note}\n${go.peterLine}`, [vkeyOf(signer, 1)]), badNote)
})

test('a text that cannot be opened again is not signed', async () => {
  const signer = testNoteSigner('log.example')
  for (const body of ['', 'no newline', 'bell\x07\n', '\ud800\n'])
    await assert.rejects(signNote(body, signer), badNote, JSON.stringify(body))
  await assert.rejects(signNote('fine\n', { ...signer, name: 'two words' }), badNote)
})

test('only one line of one new key can be added', () => {
  for (const line of ['', '\n', go.enochLine.slice(0, -1), `${go.enochLine}\n`, `\n${go.enochLine}`, 'x\n'])
    assert.throws(() => addSignature(signed, line), badNote, JSON.stringify(line))
  assert.throws(() => addSignature(signed, go.peterLine.replace('x08go/Z', 'x08go/a')), badNote)
})

test('bytes that are not UTF-8 are no note', async () => {
  assert.equal(decodeNote(Buffer.from(signed)), signed)
  assert.throws(() => decodeNote(Buffer.concat([Uint8Array.of(0xff), Buffer.from(signed)])), badNote)
  await assert.rejects(openNote(decodeNote(Buffer.from(`\ufeff${signed}`)), [peter]), badNote)
})

test('verifier keys: one form each, every mangling of the one of the Go tests is refused', () => {
  for (const text of [c2sp.vkey, go.peter, go.enoch, sunlight.witness, ours.log]) {
    const { name, type, publicKey } = parseVkey(text)
    assert.equal(formatVkey(name, type, publicKey), text)
  }
  for (const text of go.badVkeys) assert.throws(() => parseVkey(text), badNote)
  for (let start = 0; start <= go.peter.length; start++)
    for (let end = start + 1; end <= go.peter.length; end++)
      if (end - start < go.peter.length) assert.throws(() => parseVkey(go.peter.slice(start, end)), badNote)
  for (let at = 0; at < go.peter.length; at++) {
    const next = String.fromCharCode(go.peter.charCodeAt(at) + 1)
    assert.throws(() => parseVkey(go.peter.slice(0, at) + next + go.peter.slice(at + 1)), badNote)
  }
})

test('a key of small order or with a bad name is none', () => {
  const small = Uint8Array.from({ length: 32 }, (_, at) => (at === 0 ? 1 : 0))
  assert.throws(() => formatVkey('log.example', 1, small), badNote)
  for (const name of ['', 'a b', 'a+b', 'a\nb', 'x'.repeat(256), 'a\u00a0b'])
    assert.throws(() => formatVkey(name, 1, peter.publicKey), badNote, JSON.stringify(name))
})

test('a signed note with any byte changed does not open as it was', async () => {
  const bytes = Buffer.from(signed)
  await fc.assert(
    fc.asyncProperty(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), async (at, change) => {
      const mutated = Uint8Array.from(bytes)
      mutated[at] = (mutated[at] ?? 0) ^ change
      await assert.rejects(async () => openNote(decodeNote(mutated), [peter]), badNote)
    }),
    { numRuns: 300 },
  )
})
