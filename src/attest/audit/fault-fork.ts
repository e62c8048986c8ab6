import { verifyConsistency, verifyInclusion } from '../log/merkle.ts'
import { sameBytes } from '../log/text.ts'
import { type Confirmed, type FaultOf, openHash, openHashes, openHead, openKey, prove } from './fault-form.ts'

/**
 * Two heads signed by one log that contradict each other. A proof of consistency that fails shows nothing, as anybody can make
 * one that fails; one that leads from *another* root of the same size to the larger head shows that the larger tree has
 * other leaves than the smaller head says, since nobody finds second preimages.
 */
export async function confirmFork(fault: FaultOf<'fork'>): Promise<Confirmed> {
  const vkey = openKey(fault.log)
  const [small, large] = [await openHead(fault.heads[0], vkey), await openHead(fault.heads[1], vkey)]
  const { prefix, leaves } = fault
  const found = (how: string): Confirmed => ({
    kind: 'fork',
    accused: fault.log,
    detail: `the log signed two histories: ${how}`,
  })
  if (leaves) {
    prove(prefix === undefined, 'it holds two proofs at once')
    const { index, hashes, proofs } = leaves
    const [one, other] = hashes.map(openHash)
    prove(one !== undefined && other !== undefined && !sameBytes(one, other), 'both leaves are the same')
    verifyInclusion({ index, ...small, leafHash: one, proof: openHashes(proofs[0]) })
    verifyInclusion({ index, ...large, leafHash: other, proof: openHashes(proofs[1]) })
    return found(`leaf ${index} is one thing below ${small.size} leaves and another below ${large.size}`)
  }
  if (prefix) {
    const root = openHash(prefix.root)
    prove(small.size > 0 && small.size < large.size, 'the heads are not of rising size')
    prove(!sameBytes(root, small.root), 'the larger head continues the smaller one')
    const proof = openHashes(prefix.proof)
    verifyConsistency({ oldSize: small.size, oldRoot: root, newSize: large.size, newRoot: large.root, proof })
    return found(
      `the head of ${large.size} leaves has another tree of ${small.size} leaves than the one it signed`,
    )
  }
  prove(
    small.size === large.size,
    'the heads are of different sizes, and nothing tells that one does not continue the other',
  )
  prove(!sameBytes(small.root, large.root), 'both heads have the same root')
  prove(fault.heads[0] < fault.heads[1], 'the heads are not in order')
  return found(`two trees of ${small.size} leaves`)
}
