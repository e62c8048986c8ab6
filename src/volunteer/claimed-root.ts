import { nodeHash } from '../attest/log/merkle.ts'

/**
 * The root that a proof of consistency claims for the older tree, which need not be the one that was shown. Whether it leads to the
 * newer root is for `verifyConsistency` to say. Follows RFC 9162 section 2.1.4.2.
 * @returns undefined where the proof does not hold it: an older size that is a power of two
 */
export function claimedRoot(
  oldSize: number,
  newSize: number,
  proof: readonly Uint8Array[],
): Uint8Array | undefined {
  if (oldSize < 1 || oldSize >= newSize || Number.isInteger(Math.log2(oldSize))) return undefined
  let [fn, sn] = [oldSize - 1, newSize - 1]
  const halve = () => {
    fn = Math.floor(fn / 2)
    sn = Math.floor(sn / 2)
  }
  while (fn % 2 === 1) halve()
  const [first, ...path] = proof
  let root = first
  for (const hash of path) {
    if (root === undefined) return undefined
    if (fn % 2 === 1 || fn === sn) {
      root = nodeHash(hash, root)
      while (fn % 2 === 0 && fn !== 0) halve()
    }
    halve()
  }
  return root
}
