import { cosign, formatCheckpoint } from '../../src/attest/log/checkpoint.ts'
import { createTree, inclusionProof, leafHash } from '../../src/attest/log/merkle.ts'
import { addSignature, formatVkey, type NoteSigner, signNote } from '../../src/attest/log/note.ts'
import { formatProof } from '../../src/attest/log/proof-file.ts'
import { testIdentity } from './raw-data.ts'

/** A signer whose key follows from its seed, with its vkeys. */
export interface TestSigner extends NoteSigner {
  readonly logVkey: string
  readonly witnessVkey: string
}

export function testSigner(name: string, seed = name): TestSigner {
  const { publicKey, sign } = testIdentity(seed)
  return {
    name,
    publicKey,
    sign,
    logVkey: formatVkey(name, 1, publicKey),
    witnessVkey: formatVkey(name, 4, publicKey),
  }
}

export interface SmallLog {
  readonly log: NoteSigner
  readonly witnesses: readonly NoteSigner[]
  readonly entries: readonly Uint8Array[]
}

/** Seconds since 1970 in the cosignatures. */
export const cosignedAt = 1_795_000_000

/** Signed and cosigned checkpoint over all entries. */
export async function checkpointOf({ log, witnesses, entries }: SmallLog): Promise<string> {
  const body = formatCheckpoint({ origin: log.name, size: entries.length, root: treeOf(entries).root() })
  let note = await signNote(body, log)
  for (const witness of witnesses) note = addSignature(note, await cosign(body, cosignedAt, witness))
  return note
}

/** Text of the `.tlog-proof` of one entry. */
export async function proofOf(small: SmallLog, index: number): Promise<string> {
  const proof = await inclusionProof(index, small.entries.length, treeOf(small.entries).read)
  return formatProof({ index, proof, checkpoint: await checkpointOf(small) })
}

function treeOf(entries: readonly Uint8Array[]) {
  const tree = createTree()
  for (const entry of entries) tree.append(leafHash(entry))
  return tree
}
