import { formatCheckpoint } from '../../src/attest/log/checkpoint.ts'
import { type Entry, formatEntry } from '../../src/attest/log/entry.ts'
import {
  consistencyProof,
  createTree,
  inclusionProof,
  leafHash,
  type Tree,
} from '../../src/attest/log/merkle.ts'
import { addSignature, cosignatureLine, formatVkey, signNote } from '../../src/attest/log/note.ts'
import { formatProof } from '../../src/attest/log/proof-file.ts'
import { formatReceipt, type Receipt } from '../../src/attest/log/receipt.ts'
import { CommandError } from '../../src/net/command-error.ts'
import type { Network } from '../../src/net/network.ts'
import { toBase64, toHex } from '../../src/wire/bytes.ts'
import { sha256 } from '../../src/wire/canonical.ts'
import type { CommandReply } from '../../src/wire/commands.ts'
import { testNoteSigner } from './log.ts'

/** A log in memory that answers as a coordinator's does, and can be made to lie. */
export interface FakeLog {
  readonly key: string
  leaves: Uint8Array[]
  /** Seconds since 1970, for a cosignature on what is signed from now on. */
  witnessedAt: number | undefined
  readonly signer: ReturnType<typeof testNoteSigner>
  head(size: number): Promise<CommandReply<'log-head'>>
  note(size?: number): Promise<string>
  proofOf(attestation: string): Promise<string>
  receiptFor(entry: Entry, change?: Partial<Receipt>): Promise<string>
}

export const leavesOf = (count: number, name = 'leaf'): Uint8Array[] =>
  Array.from({ length: count }, (_, at) => formatEntry({ kind: 'task', id: sha256(`${name} ${at}`) }))

export function createFakeLog(name = 'log.example/pyti', seed = name): FakeLog {
  const signer = testNoteSigner(name, seed)
  const witness = testNoteSigner('witness.example')
  const tree = (): Tree => {
    const grown = createTree()
    for (const leaf of log.leaves) grown.append(leafHash(leaf))
    return grown
  }
  const log: FakeLog = {
    key: formatVkey(name, 1, signer.publicKey),
    leaves: [],
    witnessedAt: undefined,
    signer,
    async note(size = log.leaves.length) {
      const part = createTree()
      for (const leaf of log.leaves.slice(0, size)) part.append(leafHash(leaf))
      const body = formatCheckpoint({ origin: name, size, root: part.root() })
      const note = await signNote(body, signer)
      if (log.witnessedAt === undefined) return note
      return addSignature(note, await cosignatureLine(body, log.witnessedAt, witness))
    },
    async head(size) {
      const whole = tree()
      if (whole.size === 0) throw new CommandError('NOT_FOUND', 'the log is still empty')
      if (size > whole.size) throw new CommandError('CONFLICT', `it never had ${size}`)
      const proof = await consistencyProof(size, whole.size, whole.read)
      return { checkpoint: await log.note(), proof: proof.map(toBase64) }
    },
    async proofOf(attestation) {
      const index = log.leaves.findIndex(leaf => new TextDecoder().decode(leaf).includes(attestation))
      if (index < 0) throw new CommandError('NOT_FOUND', 'no checkpoint covers it yet')
      const proof = await inclusionProof(index, log.leaves.length, tree().read)
      return formatProof({ index, proof, checkpoint: await log.note() })
    },
    receiptFor: (entry, change = {}) =>
      signNote(
        formatReceipt({
          origin: name,
          attestation: entry.id,
          leafHash: toHex(leafHash(formatEntry(entry))),
          issued: 0,
          mergeBy: 0,
          ...change,
        }),
        signer,
      ),
  }
  return log
}

/** Serves what a watch asks of a coordinator. */
export function serveFakeLog(network: Network, log: FakeLog): void {
  network.serve('log-head', ({ size }) => log.head(size))
  network.serve('log-proof', async ({ attestation }) => ({ proof: await log.proofOf(attestation) }))
}

/** Evidence kept in memory, by the name of the file. */
export function createEvidence(): {
  files: Map<string, string>
  write(name: string, text: string): Promise<string | undefined>
} {
  const files = new Map<string, string>()
  return {
    files,
    async write(name, text) {
      if (files.has(name)) return undefined
      files.set(name, text)
      return `/evidence/${name}`
    },
  }
}
