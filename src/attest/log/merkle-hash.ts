import { createHash } from 'node:crypto'
import { PytiError } from '../../errors.ts'
import { isSize } from './text.ts'

/** Hash of the complete subtree of 2^level leaves that is the index-th at its level. */
export type ReadHash = (level: number, index: number) => Uint8Array | Promise<Uint8Array>

/** Leaves `start` (included) to `end` (excluded). In the ranges made here, `start` is a multiple of the next power of two. */
export type Range = readonly [start: number, end: number]

const leafPrefix = Uint8Array.of(0)
const nodePrefix = Uint8Array.of(1)
/** Root of the tree without leaves (RFC 6962 section 2.1). */
export const emptyRoot: Uint8Array = hashOf()

export function leafHash(entry: Uint8Array): Uint8Array {
  return hashOf(leafPrefix, entry)
}

export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  return hashOf(nodePrefix, left, right)
}

/** The complete subtrees, from left to right, that a range is made of, as [level, index]. */
export function subtreesOf([start, end]: Range): [level: number, index: number][] {
  const subtrees: [number, number][] = []
  for (let at = start; at < end; ) {
    let level = 0
    while (2 ** (level + 1) <= end - at) level++
    subtrees.push([level, at / 2 ** level])
    at += 2 ** level
  }
  return subtrees
}

/** Hash over complete subtrees of falling size; there must be one at least. */
export function foldSubtrees(hashes: readonly Uint8Array[]): Uint8Array {
  return hashes.reduceRight((right, left) => nodeHash(left, right))
}

/** @throws PytiError `bad-proof` unless both are sizes and in this order */
export function demandOrder(first: number, second: number): void {
  if (!isSize(first) || !isSize(second) || first > second)
    throw new PytiError('bad-proof', `there is no proof from ${first} to ${second} leaves`)
}

function hashOf(...parts: Uint8Array[]): Uint8Array {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  // A copy, as a Buffer is no plain Uint8Array: its slice shares memory, and nothing compares equal to it.
  return new Uint8Array(hash.digest())
}
