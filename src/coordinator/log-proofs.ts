import type { Checkpoint } from '../attest/log/checkpoint.ts'
import {
  consistencyProof,
  inclusionProof,
  rootAt,
  verifyConsistency,
  verifyInclusion,
} from '../attest/log/merkle.ts'
import { formatProof } from '../attest/log/proof-file.ts'
import { PytiError } from '../errors.ts'
import type { TileHashes } from './tile-hashes.ts'

/** A checkpoint with the note that carries it. */
export interface Head extends Checkpoint {
  note: string
}

/** Hashes of a proof, beside the checkpoint (a note) they lead to. */
export interface Proof {
  checkpoint: string
  size: number
  hashes: Uint8Array[]
}

/** Proofs for the published checkpoint, out of the tiles on disk. All throw PytiError `tile-missing` | `bad-tile`. */
export interface LogProofs {
  /** That leaf `index` is in the log. @throws PytiError `not-merged` when it is not under the checkpoint yet */
  inclusion(index: number): Promise<Proof>
  /** That the log continues its first `oldSize` leaves. @throws PytiError `not-merged` when it is smaller */
  consistency(oldSize: number): Promise<Proof>
  /** `.tlog-proof` text for leaf `index`. @throws PytiError `not-merged` */
  proofFile(index: number): Promise<string>
}

/** Every proof is checked against the checkpoint before it is handed out: a disk may have lost a byte. */
export function createLogProofs(hashes: TileHashes, published: () => Head | undefined): LogProofs {
  const headOf = (least: number): Head => {
    const head = published()
    if (head && least <= head.size) return head
    throw new PytiError('not-merged', `the published log has ${head?.size ?? 0} leaves, not ${least}`, {
      hint: 'ask again when the next checkpoint is out',
    })
  }
  const inclusion = async (index: number): Promise<Proof> => {
    const { note, size, root } = headOf(index + 1)
    const read = hashes.at(size)
    const proof = await inclusionProof(index, size, read)
    const leafHash = await read(0, index)
    demandTrue(() => verifyInclusion({ index, size, leafHash, proof, root }))
    return { checkpoint: note, size, hashes: proof }
  }
  return {
    inclusion,
    async consistency(oldSize) {
      const { note, size, root } = headOf(oldSize)
      const read = hashes.at(size)
      const proof = await consistencyProof(oldSize, size, read)
      const oldRoot = await rootAt(oldSize, read)
      demandTrue(() => verifyConsistency({ oldSize, oldRoot, newSize: size, newRoot: root, proof }))
      return { checkpoint: note, size, hashes: proof }
    },
    async proofFile(index) {
      const { checkpoint, hashes: proof } = await inclusion(index)
      return formatProof({ index, proof, checkpoint })
    },
  }
}

function demandTrue(verify: () => void): void {
  try {
    verify()
  } catch (cause) {
    throw new PytiError('bad-tile', 'the tiles on disk are not those of the published checkpoint', {
      hint: 'move the log folder away and restart: it is made again from the store',
      cause,
    })
  }
}
