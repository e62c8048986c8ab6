import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { cosign, formatCheckpoint, openCheckpoint, parseCheckpoint } from '../../src/attest/log/checkpoint.ts'
import { formatEntry } from '../../src/attest/log/entry.ts'
import { createTree, inclusionProof, leafHash } from '../../src/attest/log/merkle.ts'
import {
  addSignature,
  formatVkey,
  openNote,
  parseVkey,
  signatureLine,
  signNote,
} from '../../src/attest/log/note.ts'
import { formatProof, openProof, parseProof } from '../../src/attest/log/proof-file.ts'
import { formatReceipt, openReceipt } from '../../src/attest/log/receipt.ts'
import { sha256 } from '../../src/wire/canonical.ts'
import { logVectors, noteVectors, numberedTree, testNoteSigner, vkeyOf } from '../helpers/log.ts'

const badCheckpoint = { code: 'bad-checkpoint' }
const badProof = { code: 'bad-proof' }
const badReceipt = { code: 'bad-receipt' }
const { sunlight, ours } = logVectors('notes.json', noteVectors)
const unhex = (text: string) => Uint8Array.from(Buffer.from(text, 'hex'))

/** RFC 8032 section 7.1, tests 1 and 2. */
const log = testNoteSigner(
  'pyti.example/log',
  unhex('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60'),
)
const witness = testNoteSigner(
  'pyti.example/witness-1',
  unhex('4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb'),
)
const logVkey = vkeyOf(log, 1)
const witnessVkey = vkeyOf(witness, 4)
const tree = numberedTree(8)
const body = formatCheckpoint({ origin: log.name, size: 8, root: tree.root() })
const note = await signNote(body, log)
const cosigned = addSignature(note, await cosign(body, 1_767_139_200, witness))

test('the keys of our example', () => {
  assert.equal(formatVkey(log.name, 1, log.publicKey), ours.log)
  assert.ok(formatVkey(witness.name, 4, witness.publicKey).startsWith(ours.witness))
})

test('the cosignature of the Sunlight tests holds, at its time', async () => {
  const vkey = parseVkey(sunlight.witness)
  const { text, signatures, verified } = await openNote(sunlight.note, [vkey])
  assert.deepEqual(verified, [vkey])
  assert.deepEqual(
    signatures.map(({ name }) => name),
    ['rome2026h1.example.org', 'witness.example.org'],
  )
  assert.equal(parseCheckpoint(text).size, 300)
  const stamp = Buffer.from(signatures[1]?.signature ?? []).readBigUInt64BE()
  assert.equal(Number(stamp), sunlight.time)
  // The stamp is signed: 2025-12-31 becomes a second later.
  const later = sunlight.note.replace('uKLPIAAAAABpVGeA', 'uKLPIAAAAABpVGeB')
  await assert.rejects(openNote(later, [vkey]), { code: 'bad-note' })
})

test('a checkpoint opens with its witnesses', async () => {
  const opened = await openCheckpoint(cosigned, logVkey, [witnessVkey])
  assert.deepEqual(opened.checkpoint, { origin: log.name, size: 8, root: tree.root() })
  assert.deepEqual(opened.witnesses, [
    { vkey: witnessVkey, time: 1_767_139_200, line: cosigned.slice(note.length) },
  ])
  assert.deepEqual((await openCheckpoint(note, logVkey, [witnessVkey])).witnesses, [])
  assert.deepEqual((await openCheckpoint(cosigned, logVkey)).witnesses, [])
})

test('the log itself must have signed, under its own name', async () => {
  const unsigned = `${body}\n${cosigned.slice(note.length)}`
  await assert.rejects(openCheckpoint(unsigned, logVkey, [witnessVkey]), badCheckpoint)
  const other = testNoteSigner('other.example/log')
  await assert.rejects(openCheckpoint(await signNote(body, other), vkeyOf(other, 1)), badCheckpoint)
  await assert.rejects(openCheckpoint(note, vkeyOf(log, 4)), badCheckpoint)
  await assert.rejects(openCheckpoint(note, logVkey, [vkeyOf(witness, 1)]), badCheckpoint)
  await assert.rejects(openCheckpoint(cosigned, logVkey, [witnessVkey, witnessVkey]), badCheckpoint)
})

test('one key counts once under any number of names, and that of the log never', async () => {
  const alias = { ...witness, name: 'pyti.example/witness-2' }
  const self = { ...log, name: 'pyti.example/witness-3' }
  let crowded = cosigned
  for (const signer of [alias, self]) crowded = addSignature(crowded, await cosign(body, 5, signer))
  const { witnesses } = await openCheckpoint(crowded, logVkey, [
    witnessVkey,
    vkeyOf(alias, 4),
    vkeyOf(self, 4),
  ])
  assert.deepEqual(
    witnesses.map(({ vkey }) => vkey.name),
    ['pyti.example/witness-1'],
  )
})

test('a cosignature over another body or time spoils it', async () => {
  const otherBody = formatCheckpoint({ origin: log.name, size: 9, root: tree.root() })
  const wrong = addSignature(note, await cosign(otherBody, 5, witness))
  await assert.rejects(openCheckpoint(wrong, logVkey, [witnessVkey]), badCheckpoint)
  // Neither a plain signature nor one under another stamp than it was made for is a cosignature.
  const plain = await witness.sign(Buffer.from(body))
  for (const signature of [plain, Buffer.concat([Buffer.alloc(8), plain])]) {
    const line = signatureLine({ name: witness.name, id: witnessVkey.id, signature })
    await assert.rejects(openCheckpoint(note + line, logVkey, [witnessVkey]), badCheckpoint)
  }
  for (const time of [-1, 0.5, 2 ** 53])
    await assert.rejects(cosign(body, time, witness), { code: 'bad-note' })
  await assert.rejects(cosign('no checkpoint\n', 5, witness), badCheckpoint)
})

test('bodies that are no checkpoint', () => {
  const root = Buffer.from(tree.root()).toString('base64')
  assert.equal(body, `pyti.example/log\n8\n${root}\n`)
  assert.deepEqual(formatCheckpoint(parseCheckpoint(body)), body)
  for (const text of [
    '',
    body.slice(0, -1),
    `${body}extension\n`,
    `${body}\n`,
    `\n8\n${root}\n`,
    `two words\n8\n${root}\n`,
    `a+b\n8\n${root}\n`,
    `a\n08\n${root}\n`,
    `a\n-8\n${root}\n`,
    `a\n+8\n${root}\n`,
    `a\n8.0\n${root}\n`,
    `a\n0x8\n${root}\n`,
    `a\n8e0\n${root}\n`,
    `a\n 8\n${root}\n`,
    `a\n\n${root}\n`,
    `a\n9007199254740992\n${root}\n`,
    `a\n8\n${root.slice(0, -1)}\n`,
    `a\n8\n${root} \n`,
    `a\n8\n${root.slice(4)}\n`,
    `a\n8\n\n`,
  ])
    assert.throws(() => parseCheckpoint(text), badCheckpoint, JSON.stringify(text))
  assert.equal(parseCheckpoint(`a\n9007199254740991\n${root}\n`).size, Number.MAX_SAFE_INTEGER)
  assert.throws(() => formatCheckpoint({ origin: 'a', size: -1, root: tree.root() }), badCheckpoint)
  assert.throws(() => formatCheckpoint({ origin: 'a b', size: 1, root: tree.root() }), badCheckpoint)
  assert.throws(() => formatCheckpoint({ origin: 'a', size: 1, root: new Uint8Array(31) }), badCheckpoint)
})

const entries = Array.from({ length: 8 }, (_, at) => formatEntry({ kind: 'beacon', id: sha256(String(at)) }))
const entryTree = createTree()
for (const entry of entries) entryTree.append(leafHash(entry))
const entryBody = formatCheckpoint({ origin: log.name, size: 8, root: entryTree.root() })
const checkpoint = addSignature(await signNote(entryBody, log), await cosign(entryBody, 7, witness))
const entryAt = (index: number) => entries[index] ?? assert.fail()
const proofFor = async (index: number) =>
  formatProof({ index, proof: await inclusionProof(index, 8, entryTree.read), checkpoint })

test('a proof file proves its entry offline, and no other', async () => {
  for (const [index, entry] of entries.entries()) {
    const text = await proofFor(index)
    assert.deepEqual(formatProof(parseProof(text)), text)
    const opened = await openProof(text, entry, logVkey, [witnessVkey])
    assert.equal(opened.index, index)
    assert.equal(opened.checkpoint.size, 8)
    assert.deepEqual(
      opened.witnesses.map(({ time }) => time),
      [7],
    )
    await assert.rejects(openProof(text, entryAt((index + 1) % 8), logVkey), badProof)
  }
})

test('the proof of a single leaf has no hash lines', async () => {
  const single = createTree()
  single.append(leafHash(entryAt(0)))
  const singleBody = formatCheckpoint({ origin: log.name, size: 1, root: single.root() })
  const text = formatProof({ index: 0, proof: [], checkpoint: await signNote(singleBody, log) })
  assert.equal(text.split('\n').slice(0, 3).join('\n'), 'c2sp.org/tlog-proof@v1\nindex 0\n')
  assert.equal((await openProof(text, entryAt(0), logVkey)).index, 0)
})

test('proof files that are none', async () => {
  const text = await proofFor(5)
  const lines = text.split('\n')
  const swapped = [...lines]
  ;[swapped[2], swapped[3]] = [lines[3] ?? '', lines[2] ?? '']
  for (const bad of [
    '',
    text.replace('v1', 'v2'),
    text.replace('index 5', 'index 05'),
    text.replace('index 5', 'index -5'),
    text.replace('index 5', 'index  5'),
    text.replace('index 5', 'index 4'),
    text.replace('index 5\n', 'extra AAAA\nindex 5\n'),
    text.replace('index 5\n', ''),
    text.replaceAll('\n', '\r\n'),
    swapped.join('\n'),
    lines.filter((_, at) => at !== 2).join('\n'),
    lines.filter((_, at) => at !== 4).join('\n'),
    text.replace('index 5\n', `index 5\n${lines[2]}\n`),
    text.replace('index 5\n', `index 5\n${`${lines[2]}\n`.repeat(64)}`),
    text.replace('index 5\n', 'index 5\nnot base64\n'),
    text.replace('\n\n', '\n'),
    text.replace('\n\n', '\n\n\n'),
    text.slice(0, text.indexOf('—')),
  ]) {
    await assert.rejects(
      openProof(bad, entryAt(5), logVkey),
      ({ code }) => code === 'bad-proof' || code === 'bad-checkpoint',
      bad,
    )
  }
  assert.throws(() => formatProof({ index: -1, proof: [], checkpoint }), badProof)
  assert.throws(() => formatProof({ index: 1, proof: [new Uint8Array(31)], checkpoint }), badProof)
  assert.throws(() => formatProof({ index: 1, proof: [], checkpoint: 'no note' }), badProof)
})

test('a proof file with any character changed does not open', async () => {
  const text = await proofFor(5)
  const unknownLine = text.lastIndexOf('—')
  await fc.assert(
    fc.asyncProperty(fc.nat(text.length - 1), fc.integer({ min: 1, max: 127 }), async (at, change) => {
      const mutated =
        text.slice(0, at) + String.fromCharCode(text.charCodeAt(at) ^ change) + text.slice(at + 1)
      try {
        await openProof(mutated, entryAt(5), logVkey, [witnessVkey])
      } catch {
        return
      }
      // A changed name or id makes the witness an unknown one, which is passed over.
      assert.ok(at > unknownLine)
      assert.equal((await openProof(mutated, entryAt(5), logVkey, [witnessVkey])).witnesses.length, 0)
    }),
    { numRuns: 300 },
  )
})

const receipt = {
  origin: log.name,
  attestation: sha256('attestation'),
  leafHash: Buffer.from(leafHash(entryAt(0))).toString('hex'),
  issued: 1_767_139_200,
  mergeBy: 1_767_139_260,
}

test('a receipt opens with the key of its log only', async () => {
  const text = await signNote(formatReceipt(receipt), log)
  assert.equal(
    text.split('\n\n')[0],
    `pyti-receipt/v1\npyti.example/log\n${receipt.attestation}\n${receipt.leafHash}\n1767139200\n1767139260`,
  )
  assert.deepEqual(await openReceipt(text, logVkey), receipt)
  await assert.rejects(openReceipt(text, vkeyOf(testNoteSigner('pyti.example/log', 'x'), 1)), badReceipt)
  await assert.rejects(openReceipt(text, vkeyOf(log, 4)), badReceipt)
  await assert.rejects(openReceipt(text.replace('1767139260', '1767139261'), logVkey), badReceipt)
})

test('what the log signs for one purpose is nothing for another', async () => {
  await assert.rejects(openReceipt(note, logVkey), badReceipt)
  const text = await signNote(formatReceipt(receipt), log)
  await assert.rejects(openCheckpoint(text, logVkey), badCheckpoint)
  assert.throws(() => parseCheckpoint(formatReceipt(receipt)), badCheckpoint)
})

test('receipts that are none, though the log signed them', async () => {
  const good = formatReceipt(receipt)
  for (const bad of [
    good.replace('v1', 'v2'),
    good.replace('pyti.example/log', 'other.example/log'),
    good.replace('1767139260', '1767139199'),
    good.replace('1767139260', '01767139260'),
    good.replace(receipt.leafHash, receipt.leafHash.toUpperCase()),
    `${good}more\n`,
    good.slice(0, good.lastIndexOf('1767139260')),
  ])
    await assert.rejects(openReceipt(await signNote(bad, log), logVkey), badReceipt, bad)
  assert.throws(() => formatReceipt({ ...receipt, mergeBy: receipt.issued - 1 }), badReceipt)
  assert.throws(() => formatReceipt({ ...receipt, attestation: 'x' }), badReceipt)
})
