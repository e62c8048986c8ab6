import {
  type Checkpoint,
  openCheckpoint,
  parseCheckpoint,
  type Witnesses,
} from '../../src/attest/log/checkpoint.ts'
import type { Entry } from '../../src/attest/log/entry.ts'
import { parseEntry } from '../../src/attest/log/entry.ts'
import { createTree, leafHash, verifyConsistency } from '../../src/attest/log/merkle.ts'
import { parseNote, type Vkey } from '../../src/attest/log/note.ts'
import { openReceipt } from '../../src/attest/log/receipt.ts'
import type { Write } from '../../src/store/store.ts'
import { fromBase64, toHex } from '../../src/wire/bytes.ts'

/** The log as it was written, and everything that anybody was shown or promised of it. */
export interface LogModel {
  readonly leaves: readonly Entry[]
  texts(): readonly string[]
  indexOf(id: string): number | undefined
  /** @returns the leaves a batch adds */
  onBatch(writes: readonly Write[]): { index: number; entry: Entry }[]
  /** A checkpoint that is in the log folder from now on. */
  onCheckpoint(bytes: Uint8Array): Promise<void>
  /** Leaves under the checkpoint in the folder. */
  published(): number
  onReceipt(attestation: string, note: string): Promise<void>
  /** What a volunteer that has seen `before` was answered. */
  onHead(before: Checkpoint | undefined, reply: { checkpoint: string; proof: string[] }): Promise<Checkpoint>
  /** Receipts whose time is over and that no checkpoint covers. */
  broken(): string[]
  /** Receipts that were kept after their time. */
  late(): number
  /** When the oldest leaf was written that no checkpoint in the folder covers; undefined when there is none. */
  behindSince(): number | undefined
}

export interface LogModelOptions {
  key: Vkey
  witnesses: Witnesses
  /** Milliseconds. */
  now(): number
  fault(what: string): void
}

interface Head {
  size: number
  time: number
}

interface Promised {
  index: number
  /** Seconds. */
  mergeBy: number
  attestation: string
}

export function createLogModel({ key, witnesses, now, fault }: LogModelOptions): LogModel {
  const leaves: Entry[] = []
  const texts: string[] = []
  const roots: string[] = []
  const writtenAt: number[] = []
  /** Every set of witnesses that signed one checkpoint. */
  const signers = new Map<string, Set<string>>()
  const indices = new Map<string, number>()
  const tree = createTree()
  /** Checkpoints that anybody saw, and when the last witness signed each: seconds. */
  const heads: Head[] = []
  let promised: Promised[] = []
  let published = 0
  let late = 0
  roots.push(toHex(tree.root()))

  const demandTrue = ({ size, root }: Checkpoint, where: string) => {
    if (roots[size] === undefined)
      fault(`${where}: a checkpoint of ${size} leaves, but ${leaves.length} were written`)
    else if (roots[size] !== toHex(root)) fault(`${where}: the root of ${size} leaves is not that of the log`)
  }
  /** A tree without the leaf that a witness signed after its time: what a volunteer could show to everybody. */
  const demandNoProof = ({ index, mergeBy, attestation }: Promised, { size, time }: Head) => {
    if (index >= size && mergeBy < time)
      fault(`witnesses can prove that the receipt for ${attestation} was not honoured`)
  }
  const demandSigned = async (note: string, where: string): Promise<Checkpoint> => {
    const { keys, threshold } = witnesses
    const { checkpoint, witnesses: seenBy } = await openCheckpoint(note, key, keys)
    const { size } = checkpoint
    if (seenBy.length < threshold)
      fault(`${where}: ${seenBy.length} witnesses signed the checkpoint of ${size} leaves, ${threshold} must`)
    const names = new Set(seenBy.map(({ vkey }) => vkey.name))
    for (const others of threshold > 0 ? signers.values() : [])
      if (![...names].some(name => others.has(name)))
        fault(`${where}: no witness of ${[...names]} has seen the checkpoints that ${[...others]} signed`)
    signers.set([...names].sort().join(), names)
    const head = { size, time: Math.max(0, ...seenBy.map(({ time }) => time)) }
    heads.push(head)
    for (const receipt of promised) demandNoProof(receipt, head)
    return checkpoint
  }
  const append = (key: string, text: unknown): { index: number; entry: Entry } | undefined => {
    const index = Number(key)
    if (typeof text !== 'string' || index !== leaves.length) {
      if (text !== texts[index]) fault(`leaf ${index} is written after ${leaves.length}, or once more`)
      return undefined
    }
    const bytes = Buffer.from(text)
    const entry = parseEntry(bytes)
    leaves.push(entry)
    texts.push(text)
    indices.set(entry.id, index)
    tree.append(leafHash(bytes))
    roots.push(toHex(tree.root()))
    writtenAt.push(now())
    return { index, entry }
  }

  return {
    leaves,
    texts: () => texts,
    indexOf: id => indices.get(id),
    published: () => published,
    onBatch(writes) {
      const added: { index: number; entry: Entry }[] = []
      for (const write of writes) {
        const [space, name = ''] = write.key.split(/(?<=^[a-z-]+)\//)
        if (space === 'leaf') {
          if (write.type === 'delete') fault(`leaf ${name} is deleted`)
          else {
            const one = append(name, write.value)
            if (one) added.push(one)
          }
        }
        if (write.key === 'log/signed/last' && write.type === 'put') {
          const { note } = write.value as { note: string }
          demandTrue(parseCheckpoint(parseNote(note).text), 'signed')
        }
      }
      return added
    },
    async onCheckpoint(bytes) {
      const note = Buffer.from(bytes).toString()
      const checkpoint = parseCheckpoint(parseNote(note).text)
      demandTrue(checkpoint, 'published')
      published = Math.max(published, checkpoint.size)
      const kept = promised.filter(({ index }) => index < published)
      late += kept.filter(({ mergeBy }) => mergeBy * 1_000 < now()).length
      promised = promised.filter(({ index }) => index >= published)
      await demandSigned(note, 'published')
    },
    async onReceipt(attestation, note) {
      const receipt = await openReceipt(note, key)
      const index = indices.get(attestation)
      if (index === undefined) return fault(`a receipt for ${attestation}, which is not in the log`)
      const hash = toHex(leafHash(Buffer.from(texts[index] ?? '')))
      if (receipt.attestation !== attestation || receipt.leafHash !== hash)
        fault(`the receipt for ${attestation} is about something else`)
      if (receipt.issued * 1_000 > now()) fault(`the receipt for ${attestation} is of the future`)
      const promise = { index, mergeBy: receipt.mergeBy, attestation }
      for (const head of heads) demandNoProof(promise, head)
      if (index >= published) promised.push(promise)
    },
    async onHead(before, { checkpoint: note, proof }) {
      const checkpoint = await demandSigned(note, 'shown')
      demandTrue(checkpoint, 'shown')
      if (checkpoint.size > published)
        fault(`a checkpoint of ${checkpoint.size} was shown before it was in the folder`)
      if (before) {
        const hashes = proof.map(text => fromBase64(text) ?? new Uint8Array())
        try {
          verifyConsistency({
            oldSize: before.size,
            oldRoot: before.root,
            newSize: checkpoint.size,
            newRoot: checkpoint.root,
            proof: hashes,
          })
        } catch (error) {
          fault(`${checkpoint.size} leaves do not continue the ${before.size} that were shown: ${error}`)
        }
      }
      return checkpoint
    },
    behindSince: () => writtenAt[published],
    late: () => late,
    broken: () =>
      promised.filter(({ mergeBy }) => mergeBy * 1_000 < now()).map(({ attestation }) => attestation),
  }
}
