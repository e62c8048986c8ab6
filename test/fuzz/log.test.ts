import assert from 'node:assert/strict'
import fc from 'fast-check'
import { cosign, formatCheckpoint, openCheckpoint, parseCheckpoint } from '../../src/attest/log/checkpoint.ts'
import { formatEntry, parseEntry } from '../../src/attest/log/entry.ts'
import { consistencyProof, createTree, inclusionProof, leafHash } from '../../src/attest/log/merkle.ts'
import {
  addSignature,
  decodeNote,
  formatVkey,
  openNote,
  parseNote,
  parseVkey,
  signNote,
} from '../../src/attest/log/note.ts'
import { formatProof, openProof, parseProof } from '../../src/attest/log/proof-file.ts'
import { formatReceipt, openReceipt } from '../../src/attest/log/receipt.ts'
import { tileReader } from '../../src/attest/log/tile-reader.ts'
import {
  decodeEntries,
  encodeEntries,
  entriesPath,
  makeTile,
  parseTilePath,
  pathOf,
  tilePath,
} from '../../src/attest/log/tiles.ts'
import { formatRequest, respond } from '../../src/attest/log/witness.ts'
import { toHex } from '../../src/wire/bytes.ts'
import { fuzz, mutatedBytes, mutatedText, outcomeOf } from '../helpers/fuzz.ts'
import { testIdentity } from '../helpers/raw-data.ts'

const sha = 'a'.repeat(64)
const entries = Array.from({ length: 300 }, (_, index) =>
  formatEntry(
    index % 3 === 0
      ? { kind: 'raw', id: sha, subject: sha, purl: `pkg:pypi/sample@1.${index}` }
      : { kind: 'close', id: index.toString(16).padStart(64, '0') },
  ),
)
const tree = createTree()
for (const entry of entries) tree.append(leafHash(entry))

const log = { ...testIdentity('log'), name: 'log.test/one' }
const witness = { ...testIdentity('witness'), name: 'witness.test' }
const logVkey = parseVkey(formatVkey(log.name, 1, log.publicKey))
const witnessVkey = parseVkey(formatVkey(witness.name, 4, witness.publicKey))
const body = formatCheckpoint({ origin: log.name, size: tree.size, root: tree.root() })
const signed = await signNote(body, log)
const cosigned = addSignature(signed, await cosign(body, 1_760_000_000, witness))
const index = 257
const proof = formatProof({
  index,
  proof: await inclusionProof(index, tree.size, tree.read),
  checkpoint: cosigned,
})
const receipt = await signNote(
  formatReceipt({
    origin: log.name,
    attestation: sha,
    leafHash: toHex(leafHash(entries[0] ?? new Uint8Array())),
    issued: 5,
    mergeBy: 9,
  }),
  log,
)
const entry = entries[index] ?? assert.fail('no entry')
assert.equal((await openCheckpoint(cosigned, logVkey, [witnessVkey])).witnesses.length, 1)
assert.equal((await openProof(proof, entry, logVkey, [witnessVkey])).index, index)

const tokens = [
  '\n',
  '\n\n',
  '— ',
  ' ',
  '+',
  '=',
  '0',
  '1',
  '-1',
  '9007199254740993',
  log.name,
  `${log.name}x`,
  'index ',
  'old ',
  '\t',
  'é',
]
const texts = [signed, cosigned, proof, receipt, body, formatVkey(log.name, 1, log.publicKey)]
const flipped = (text: string) =>
  fc.tuple(fc.nat(Buffer.byteLength(text) - 1), fc.integer({ min: 1, max: 255 })).map(([at, mask]) => {
    const bytes = Buffer.from(text)
    bytes[at] = (bytes[at] ?? 0) ^ mask
    return bytes
  })

fuzz(
  'notes are taken apart or refused',
  fc.oneof(
    mutatedText(texts, tokens).map(text => Buffer.from(text)),
    mutatedBytes(texts.map(text => Buffer.from(text))),
  ),
  1_000,
  async bytes => {
    const { value: text } = await outcomeOf(['bad-note'], () => decodeNote(bytes))
    if (text === undefined) return
    await outcomeOf(['bad-note'], () => parseNote(text))
    await outcomeOf(['bad-note'], () => openNote(text, [logVkey, witnessVkey]))
    await outcomeOf(['bad-checkpoint'], () => parseCheckpoint(text))
    await outcomeOf(['bad-proof'], () => parseProof(text))
    await outcomeOf(['bad-note'], () => addSignature(signed, text))
  },
)

fuzz('no byte of a checkpoint of one signature changes unseen', flipped(signed), 300, async bytes => {
  const { refused } = await outcomeOf(['bad-note', 'bad-checkpoint'], () =>
    openCheckpoint(decodeNote(bytes), logVkey),
  )
  assert.ok(refused)
})

fuzz(
  'a mutated checkpoint says what the log signed or nothing',
  mutatedText([cosigned, signed], tokens),
  400,
  async text => {
    const { value } = await outcomeOf(['bad-checkpoint'], () => openCheckpoint(text, logVkey, [witnessVkey]))
    if (value === undefined) return
    assert.equal(formatCheckpoint(value.checkpoint), body)
    assert.deepEqual(
      value.witnesses.map(({ time }) => time),
      value.witnesses.map(() => 1_760_000_000),
    )
  },
)

fuzz(
  'a mutated receipt says what the log signed or nothing',
  mutatedText([receipt, signed, cosigned], tokens),
  300,
  async text => {
    const { value } = await outcomeOf(['bad-receipt'], () => openReceipt(text, logVkey))
    if (value) assert.ok(receipt.startsWith(formatReceipt(value)))
  },
)
fuzz('no byte of a receipt changes unseen', flipped(receipt), 200, async bytes => {
  assert.ok(
    (await outcomeOf(['bad-note', 'bad-receipt'], () => openReceipt(decodeNote(bytes), logVkey))).refused,
  )
})

fuzz('no byte of a proof file changes unseen', flipped(proof), 300, async bytes => {
  const open = () => openProof(decodeNote(bytes), entry, logVkey, [witnessVkey])
  const { value } = await outcomeOf(['bad-note', 'bad-proof', 'bad-checkpoint'], open)
  // The line of a witness may change into one of somebody unknown, which counts for nothing.
  if (value) assert.deepEqual([value.index, value.witnesses.length], [index, 0])
})
fuzz(
  'a mutated proof file proves the same leaf or nothing',
  mutatedText([proof], tokens),
  300,
  async text => {
    const { value } = await outcomeOf(['bad-proof', 'bad-checkpoint'], () =>
      openProof(text, entry, logVkey, [witnessVkey]),
    )
    if (value) assert.equal(value.index, index)
  },
)
fuzz(
  'no byte of a leaf changes unseen',
  fc.tuple(fc.nat(entry.length - 1), fc.integer({ min: 1, max: 255 })),
  100,
  async ([at, mask]) => {
    const changed = Uint8Array.from(entry)
    changed[at] = (changed[at] ?? 0) ^ mask
    assert.equal(
      (await outcomeOf(['bad-proof'], () => openProof(proof, changed, logVkey))).refused,
      'bad-proof',
    )
  },
)

fuzz('an entry is read only in its one form', mutatedBytes(entries.slice(0, 4)), 1_000, async bytes => {
  const { value } = await outcomeOf(['bad-entry'], () => parseEntry(bytes))
  if (value) assert.deepEqual(formatEntry(value), Uint8Array.from(bytes))
})

fuzz(
  'a verifier key is read only in its one form',
  mutatedText(
    [formatVkey(log.name, 1, log.publicKey), formatVkey(witness.name, 4, witness.publicKey)],
    tokens,
  ),
  500,
  async text => {
    const { value } = await outcomeOf(['bad-note'], () => parseVkey(text))
    if (value) assert.equal(formatVkey(value.name, value.type, value.publicKey), text)
  },
)

fuzz(
  'the path of a tile is read only in its one form',
  mutatedText(
    [tilePath(0, 1_234_067), tilePath(3, 5, 17), entriesPath(0), entriesPath(999_999, 255)],
    ['x', '/', '000', '.p/', '256', '..', 'entries', '63'],
  ),
  1_000,
  async text => {
    const { value } = await outcomeOf(['bad-tile'], () => parseTilePath(text))
    if (value) assert.equal(pathOf(value), text)
  },
)

const bundle = encodeEntries(entries.slice(0, 44))
fuzz(
  'a bundle of entries is read only in its one form',
  fc.tuple(mutatedBytes([bundle]), fc.integer({ min: 1, max: 256 })),
  500,
  async ([bytes, width]) => {
    const { value } = await outcomeOf(['bad-tile'], () => decodeEntries(bytes, width))
    if (value) assert.deepEqual(encodeEntries(value), Uint8Array.from(bytes))
  },
)

const tiles = new Map<string, Uint8Array>()
for (const [level, at, width] of [
  [0, 0, 256],
  [0, 1, 44],
  [1, 0, 1],
] as const)
  tiles.set(tilePath(level, at, width), await makeTile(level, at, width, tree.read))
fuzz(
  'no bit of a tile changes unseen',
  fc.tuple(fc.constantFrom(...tiles.keys()), fc.nat(), fc.nat(7), fc.boolean()),
  100,
  async ([path, at, bit, good]) => {
    const changed = new Map(tiles)
    const tile = Uint8Array.from(tiles.get(path) ?? [])
    if (!good) tile[at % tile.length] = (tile[at % tile.length] ?? 0) ^ (1 << bit)
    changed.set(path, tile)
    const read = tileReader(tree.size, tree.root(), name => changed.get(name) ?? new Uint8Array())
    const all = async () => [await read(0, 5), await read(0, 299)]
    assert.equal((await outcomeOf(['bad-tile'], all)).refused, good ? undefined : 'bad-tile')
  },
)
fuzz(
  'tiles of any bytes are refused',
  fc.tuple(fc.nat(2 ** 40), mutatedBytes([...tiles.values()])),
  200,
  async ([size, bytes]) => {
    const read = tileReader(size, tree.root(), () => bytes)
    assert.equal((await outcomeOf(['bad-tile'], () => read(0, 0))).refused, 'bad-tile')
  },
)

const old = 100
const oldTree = createTree()
for (const each of entries.slice(0, old)) oldTree.append(leafHash(each))
const oldNote = await signNote(formatCheckpoint({ origin: log.name, size: old, root: oldTree.root() }), log)
const request = formatRequest({
  oldSize: old,
  proof: await consistencyProof(old, tree.size, tree.read),
  note: signed,
})
const state = { size: old, root: oldTree.root(), note: oldNote }
const config = { log: logVkey, signer: witness, time: 1_760_000_000 }
assert.equal((await respond(state, request, config)).status, 200)
fuzz(
  'a witness answers every request, and cosigns only what follows from what it saw',
  mutatedText([request, formatRequest({ oldSize: 0, proof: [], note: signed })], tokens),
  400,
  async text => {
    const { status, body: answer, next } = await respond(state, text, config)
    assert.ok(answer.length < 1_000)
    assert.equal(status === 200, next !== undefined)
    if (next) assert.deepEqual([next.size, next.root], [tree.size, tree.root()])
  },
)
