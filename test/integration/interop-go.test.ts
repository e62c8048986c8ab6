import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, describe, it } from 'node:test'
import { openCheckpoint } from '../../src/attest/log/checkpoint.ts'
import { consistencyProof, createTree, inclusionProof, leafHash } from '../../src/attest/log/merkle.ts'
import { openNote, parseVkey, signNote } from '../../src/attest/log/note.ts'
import { formatReceipt } from '../../src/attest/log/receipt.ts'
import { buildGoNote } from '../helpers/go-note.ts'
import { runHost } from '../helpers/host-program.ts'
import { checkpointOf, testSigner } from '../helpers/small-log.ts'

const go = await buildGoNote()
after(() => go.remove())
const ask = (input: string, ...args: string[]) => runHost(go.path, args, { input })

const log = testSigner('log.example/pyti')
const witnesses = ['one', 'two'].map(name => testSigner(`witness.example/${name}`))
const leaves = Array.from({ length: 24 }, (_, index) => Buffer.from(`leaf ${index}`))
const checkpoint = await checkpointOf({ log, witnesses, entries: leaves.slice(0, 7) })
const receiptBody = formatReceipt({
  origin: log.name,
  attestation: '1'.repeat(64),
  leafHash: '2'.repeat(64),
  issued: 1_795_000_000,
  mergeBy: 1_795_000_600,
})
const receipt = await signNote(receiptBody, log)

/** The other signature is of a key that Go was not told of, or cannot know: it has no cosignatures. */
async function opens(note: string, text: string, unverified: number): Promise<void> {
  const { stdout, stderr } = await ask(note, 'open', log.logVkey)
  assert.equal(stderr, '')
  assert.deepEqual(JSON.parse(stdout), { text, verified: 1, unverified })
}

async function refuses(note: string, why: RegExp, vkey = log.logVkey): Promise<void> {
  const { exitCode, stderr } = await ask(note, 'open', vkey)
  assert.equal(exitCode, 1)
  assert.match(stderr, why)
}

/** Another bit in the last but one byte of the log's signature. */
const flipped = (note: string) =>
  note.replace(new RegExp(`(?<=\u2014 ${log.name} )\\S+`), base64 => {
    const bytes = Buffer.from(base64, 'base64')
    bytes.writeUInt8(bytes.readUInt8(bytes.length - 2) ^ 1, bytes.length - 2)
    return bytes.toString('base64')
  })

describe("Go's sumdb/note", { skip: go.reason }, () => {
  it('opens a cosigned checkpoint and a receipt', async () => {
    await opens(checkpoint, checkpoint.slice(0, checkpoint.indexOf('\n\n') + 1), 2)
    await opens(receipt, receiptBody, 0)
  })

  it('refuses changed ones, and other keys', async () => {
    const stranger = testSigner('log.example/stranger')
    const impostor = testSigner(log.name, 'impostor')
    for (const note of [checkpoint, receipt]) {
      await refuses(flipped(note), /invalid signature/)
      await refuses(note.replace('\n', 'x\n'), /invalid signature/)
      await refuses(note, /no verifiable signatures/, stranger.logVkey)
      await refuses(note, /no verifiable signatures/, impostor.logVkey)
      await refuses(note.slice(0, -1), /malformed note/)
    }
  })

  it('signs what we open, byte for byte as we sign it', async () => {
    const seed = createHash('sha256').update(log.name).digest()
    const { id } = parseVkey(log.logVkey)
    const secret = Buffer.concat([Uint8Array.of(1), seed]).toString('base64')
    const signer = `PRIVATE+KEY+${log.name}+${id.toString(16).padStart(8, '0')}+${secret}`
    const body = checkpoint.slice(0, checkpoint.indexOf('\n\n') + 1)
    const { stdout: note, stderr } = await ask(body, 'sign', signer)
    assert.equal(stderr, '')
    assert.equal(note, await signNote(body, log))
    const vkey = parseVkey(log.logVkey)
    assert.equal((await openNote(note, [vkey])).text, body)
    assert.equal((await openCheckpoint(note, vkey)).checkpoint.size, 7)
    await assert.rejects(async () => openNote(flipped(note), [vkey]), { code: 'bad-note' })
    await assert.rejects(async () => openNote(note.replace('\n7\n', '\n8\n'), [vkey]), { code: 'bad-note' })
  })
})

describe("Go's sumdb/tlog", { skip: go.reason }, async () => {
  const roots = leaves.map((_, index) => treeOf(index + 1).root())
  const base64 = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString('base64')
  const { read } = treeOf(leaves.length)

  function treeOf(size: number) {
    const tree = createTree()
    for (const leaf of leaves.slice(0, size)) tree.append(leafHash(leaf))
    return tree
  }

  async function verdicts(claims: { Proof: string[] }[]): Promise<string[]> {
    const { stdout, stderr } = await ask(JSON.stringify(claims), 'proofs')
    assert.equal(stderr, '')
    return stdout.trimEnd().split('\n')
  }

  /** Each proof once with a bit changed in one of its hashes. */
  const spoilt = <Claim extends { Proof: string[] }>(claims: Claim[]) =>
    claims
      .filter(({ Proof }) => Proof.length > 0)
      .map((claim, turn) => ({
        ...claim,
        Proof: claim.Proof.map((hash, index) => {
          const bytes = Buffer.from(hash, 'base64')
          if (index === turn % claim.Proof.length) bytes.writeUInt8(bytes.readUInt8(turn % 32) ^ 1, turn % 32)
          return bytes.toString('base64')
        }),
      }))

  it('accepts our inclusion proofs and refuses changed ones', async () => {
    const claims = []
    for (let size = 1; size <= leaves.length; size++)
      for (let index = 0; index < size; index++)
        claims.push({
          Size: size,
          Index: index,
          Root: base64(roots[size - 1]),
          Leaf: base64(leaves[index]),
          Proof: (await inclusionProof(index, size, read)).map(base64),
        })
    assert.equal(claims.length, 300)
    assert.deepEqual(new Set(await verdicts(claims)), new Set(['true']))
    assert.deepEqual(new Set(await verdicts(spoilt(claims))), new Set(['false']))
  })

  it('accepts our consistency proofs and refuses changed ones', async () => {
    const claims = []
    for (let size = 1; size <= leaves.length; size++)
      for (let oldSize = 1; oldSize <= size; oldSize++)
        claims.push({
          OldSize: oldSize,
          Size: size,
          OldRoot: base64(roots[oldSize - 1]),
          Root: base64(roots[size - 1]),
          Proof: (await consistencyProof(oldSize, size, read)).map(base64),
        })
    assert.equal(claims.length, 300)
    assert.deepEqual(new Set(await verdicts(claims)), new Set(['true']))
    assert.deepEqual(new Set(await verdicts(spoilt(claims))), new Set(['false']))
  })
})
