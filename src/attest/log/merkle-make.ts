import { demandOrder, emptyRoot, foldSubtrees, type Range, type ReadHash, subtreesOf } from './merkle-hash.ts'

/**
 * Root of the first `size` leaves.
 * @throws PytiError `bad-proof` for a size out of range, and whatever `read` throws
 */
export async function rootAt(size: number, read: ReadHash): Promise<Uint8Array> {
  demandOrder(0, size)
  return size === 0 ? emptyRoot : hashOfRange([0, size], read)
}

/**
 * Proof that the leaf at `index` is in the tree of `size` leaves, the leaf's sibling first (RFC 9162 section 2.1.3.1).
 * @throws PytiError `bad-proof` when there is no such leaf, and whatever `read` throws
 */
export async function inclusionProof(index: number, size: number, read: ReadHash): Promise<Uint8Array[]> {
  demandOrder(index, size - 1)
  const siblings: Range[] = []
  let [start, end] = [0, size]
  while (end - start > 1) {
    const middle = start + splitOf(end - start)
    siblings.push(index < middle ? [middle, end] : [start, middle])
    if (index < middle) end = middle
    else start = middle
  }
  return Promise.all(siblings.reverse().map(range => hashOfRange(range, read)))
}

/**
 * Proof that the tree of `oldSize` leaves is the beginning of that of `newSize` (RFC 9162 section 2.1.4.1). Empty when the
 * sizes are equal or the old one is 0.
 * @throws PytiError `bad-proof` for sizes out of order, and whatever `read` throws
 */
export async function consistencyProof(
  oldSize: number,
  newSize: number,
  read: ReadHash,
): Promise<Uint8Array[]> {
  demandOrder(oldSize, newSize)
  if (oldSize === 0) return []
  const ranges: Range[] = []
  let [start, end] = [0, newSize]
  while (end !== oldSize) {
    const middle = start + splitOf(end - start)
    ranges.push(oldSize <= middle ? [middle, end] : [start, middle])
    if (oldSize <= middle) end = middle
    else start = middle
  }
  if (start > 0) ranges.push([start, end])
  return Promise.all(ranges.reverse().map(range => hashOfRange(range, read)))
}

async function hashOfRange(range: Range, read: ReadHash): Promise<Uint8Array> {
  return foldSubtrees(await Promise.all(subtreesOf(range).map(([level, index]) => read(level, index))))
}

/** Largest power of two below `count`, which is 2 or more. */
function splitOf(count: number): number {
  let power = 1
  while (power * 2 < count) power *= 2
  return power
}
