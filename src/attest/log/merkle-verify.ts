import { PytiError } from '../../errors.ts'
import { demandOrder, emptyRoot, nodeHash } from './merkle-hash.ts'
import { isSize, sameBytes } from './text.ts'

/**
 * RFC 9162 section 2.1.3.2. Take `size` and `root` from a checkpoint whose signature holds, never from the prover.
 * @throws PytiError `bad-proof`
 */
export function verifyInclusion(claim: {
  index: number
  size: number
  leafHash: Uint8Array
  proof: readonly Uint8Array[]
  root: Uint8Array
}): void {
  const { index, size, proof, root } = claim
  if (!isSize(index) || !isSize(size) || index >= size) throw badProof('the index is not below the size')
  demandHashes([claim.leafHash, root, ...proof])
  let hash = claim.leafHash
  let [fn, sn] = [index, size - 1]
  for (const sibling of proof) {
    if (sn === 0) throw badProof('it is too long')
    if (isOdd(fn) || fn === sn) {
      hash = nodeHash(sibling, hash)
      while (!isOdd(fn) && fn !== 0) [fn, sn] = [half(fn), half(sn)]
    } else hash = nodeHash(hash, sibling)
    ;[fn, sn] = [half(fn), half(sn)]
  }
  if (sn !== 0) throw badProof('it is too short')
  if (!sameBytes(hash, root)) throw badProof('it does not lead to the root')
}

/**
 * RFC 9162 section 2.1.4.2. From size 0 the proof is empty, and the old root must be that of the empty tree.
 * @throws PytiError `bad-proof`
 */
export function verifyConsistency(claim: {
  oldSize: number
  oldRoot: Uint8Array
  newSize: number
  newRoot: Uint8Array
  proof: readonly Uint8Array[]
}): void {
  const { oldSize, oldRoot, newSize, newRoot, proof } = claim
  demandOrder(oldSize, newSize)
  demandHashes([oldRoot, newRoot, ...proof])
  for (const [size, root] of [[oldSize, oldRoot] as const, [newSize, newRoot] as const])
    if (size === 0 && !sameBytes(root, emptyRoot)) throw badProof('a tree without leaves has another root')
  if (oldSize === 0 || oldSize === newSize) {
    if (proof.length > 0) throw badProof('it must be empty here')
    if (oldSize === newSize && !sameBytes(oldRoot, newRoot)) throw badProof('one size has two roots')
    return
  }
  const [first, ...path] = isPowerOfTwo(oldSize) ? [oldRoot, ...proof] : proof
  if (first === undefined) throw badProof('it is too short')
  let [fn, sn] = [oldSize - 1, newSize - 1]
  while (isOdd(fn)) [fn, sn] = [half(fn), half(sn)]
  let [oldHash, newHash] = [first, first]
  for (const hash of path) {
    if (sn === 0) throw badProof('it is too long')
    if (isOdd(fn) || fn === sn) {
      oldHash = nodeHash(hash, oldHash)
      newHash = nodeHash(hash, newHash)
      while (!isOdd(fn) && fn !== 0) [fn, sn] = [half(fn), half(sn)]
    } else newHash = nodeHash(newHash, hash)
    ;[fn, sn] = [half(fn), half(sn)]
  }
  if (sn !== 0) throw badProof('it is too short')
  if (!sameBytes(oldHash, oldRoot)) throw badProof('it does not lead to the old root')
  if (!sameBytes(newHash, newRoot)) throw badProof('it does not lead to the new root')
}

function demandHashes(hashes: readonly Uint8Array[]): void {
  // 53 levels, one more hash for consistency, and the two ends.
  if (hashes.length > 56) throw badProof('it is too long')
  if (hashes.some(hash => hash.length !== 32)) throw badProof('a hash in it is not 32 bytes long')
}

// Sizes go beyond 32 bits, where the bit operators stop.
function isOdd(value: number): boolean {
  return value % 2 === 1
}

function half(value: number): number {
  return Math.floor(value / 2)
}

function isPowerOfTwo(value: number): boolean {
  let rest = value
  while (rest > 1 && !isOdd(rest)) rest = half(rest)
  return rest === 1
}

function badProof(why: string): PytiError {
  return new PytiError('bad-proof', `the proof does not hold: ${why}`, {
    hint: 'whoever made it is wrong or lies: keep it as evidence',
  })
}
