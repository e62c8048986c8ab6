import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { z } from 'zod'
import {
  consistencyProof,
  createTree,
  emptyRoot,
  inclusionProof,
  leafHash,
  rootAt,
  verifyConsistency,
  verifyInclusion,
} from '../../src/attest/log/merkle.ts'
import { logVectors, numberedTree } from '../helpers/log.ts'

const badProof = { code: 'bad-proof' }
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
const unhex = (text: string) => Uint8Array.from(Buffer.from(text, 'hex'))
const Hexes = z.array(z.string())
const vectors = logVectors(
  'merkle.json',
  z.object({
    leaves: Hexes,
    roots: Hexes,
    consistency: z.array(z.object({ oldSize: z.int(), newSize: z.int(), proof: Hexes })),
  }),
)
const most = 70
const tree = numberedTree(most)

/** RFC 6962 section 2.1, word for word, with nothing of the code under test. */
function naiveRoot(entries: readonly Uint8Array[]): Uint8Array {
  const [only] = entries
  if (only === undefined) return Uint8Array.from(createHash('sha256').digest())
  if (entries.length === 1) return naiveHash(0, only)
  const split = entries.findLastIndex((_, at) => at > 0 && (at & (at - 1)) === 0)
  return naiveHash(1, naiveRoot(entries.slice(0, split)), naiveRoot(entries.slice(split)))
}
function naiveHash(prefix: number, ...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(
    createHash('sha256')
      .update(Buffer.concat([Uint8Array.of(prefix), ...parts]))
      .digest(),
  )
}
/** RFC 6962 section 2.1.1, word for word. */
function naivePath(index: number, entries: readonly Uint8Array[]): Uint8Array[] {
  if (entries.length <= 1) return []
  const split = entries.findLastIndex((_, at) => at > 0 && (at & (at - 1)) === 0)
  const [left, right] = [entries.slice(0, split), entries.slice(split)]
  return index < split
    ? [...naivePath(index, left), naiveRoot(right)]
    : [...naivePath(index - split, right), naiveRoot(left)]
}
const entries = Array.from({ length: most }, (_, index) => Buffer.from(String(index)))
const roots = Array.from({ length: most + 1 }, (_, size) => naiveRoot(entries.slice(0, size)))
const rootOf = (size: number) => roots[size] ?? emptyRoot

test('the roots and proofs of the Certificate Transparency tests', async () => {
  const ct = createTree()
  assert.equal(hex(emptyRoot), 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
  assert.deepEqual(ct.root(), emptyRoot)
  const full: Uint8Array[] = [emptyRoot]
  for (const [at, leaf] of vectors.leaves.entries()) {
    ct.append(leafHash(unhex(leaf)))
    full.push(ct.root())
    const prefix = vectors.roots[at] ?? 'missing'
    assert.equal(hex(ct.root()).slice(0, prefix.length), prefix)
    assert.deepEqual(ct.root(), naiveRoot(vectors.leaves.slice(0, at + 1).map(unhex)))
  }
  for (const { oldSize, newSize, proof } of vectors.consistency) {
    assert.deepEqual((await consistencyProof(oldSize, newSize, ct.read)).map(hex), proof)
    const [oldRoot, newRoot] = [full[oldSize] ?? emptyRoot, full[newSize] ?? emptyRoot]
    verifyConsistency({ oldSize, oldRoot, newSize, newRoot, proof: proof.map(unhex) })
  }
})

test(`roots of sizes 0 to ${most} are those of a naive tree`, async () => {
  for (let size = 0; size <= most; size++) {
    assert.deepEqual(await rootAt(size, tree.read), rootOf(size))
    assert.deepEqual(numberedTree(size).root(), rootOf(size))
  }
  assert.equal(tree.size, most)
})

test('every proof of inclusion is the naive one, holds, and holds for nothing else', async () => {
  for (let size = 1; size <= most; size++)
    for (let index = 0; index < size; index++) {
      const proof = await inclusionProof(index, size, tree.read)
      assert.deepEqual(proof, naivePath(index, entries.slice(0, size)))
      const claim = { index, size, proof, root: rootOf(size), leafHash: tree.read(0, index) }
      verifyInclusion(claim)
      assert.throws(() => verifyInclusion({ ...claim, proof: [...proof, emptyRoot] }), badProof)
      assert.throws(() => verifyInclusion({ ...claim, proof: [emptyRoot, ...proof] }), badProof)
      assert.throws(() => verifyInclusion({ ...claim, leafHash: emptyRoot }), badProof)
      assert.throws(() => verifyInclusion({ ...claim, root: rootOf(size - 1) }), badProof)
      if (proof.length === 0) continue
      assert.throws(() => verifyInclusion({ ...claim, proof: proof.slice(1) }), badProof)
      assert.throws(() => verifyInclusion({ ...claim, proof: proof.slice(0, -1) }), badProof)
    }
})

test('a proof of inclusion holds for one index only', async () => {
  for (const size of [2, 7, 8, 33, most])
    for (let index = 0; index < size; index++) {
      const proof = await inclusionProof(index, size, tree.read)
      for (let other = 0; other < size; other++) {
        const claim = { index: other, size, proof, root: rootOf(size), leafHash: tree.read(0, index) }
        if (other !== index) assert.throws(() => verifyInclusion(claim), badProof)
      }
    }
})

test('every proof of consistency holds, and holds for nothing else', async () => {
  for (let newSize = 0; newSize <= most; newSize++)
    for (let oldSize = 0; oldSize <= newSize; oldSize++) {
      const proof = await consistencyProof(oldSize, newSize, tree.read)
      const claim = { oldSize, oldRoot: rootOf(oldSize), newSize, newRoot: rootOf(newSize), proof }
      verifyConsistency(claim)
      assert.throws(() => verifyConsistency({ ...claim, proof: [...proof, emptyRoot] }), badProof)
      assert.throws(() => verifyConsistency({ ...claim, proof: [emptyRoot, ...proof] }), badProof)
      if (oldSize > 0 && oldSize < newSize) {
        const { oldRoot, newRoot } = claim
        assert.throws(() => verifyConsistency({ ...claim, oldRoot: newRoot, newRoot: oldRoot }), badProof)
        assert.throws(() => verifyConsistency({ ...claim, oldSize: oldSize - 1 }), badProof)
        assert.throws(() => verifyConsistency({ ...claim, newRoot: emptyRoot }), badProof)
        assert.throws(() => verifyConsistency({ ...claim, oldRoot: emptyRoot }), badProof)
        assert.throws(() => verifyConsistency({ ...claim, proof: proof.slice(1) }), badProof)
        assert.throws(() => verifyConsistency({ ...claim, proof: proof.slice(0, -1) }), badProof)
      }
      const [first, second, ...rest] = proof
      if (first !== undefined && second !== undefined)
        assert.throws(() => verifyConsistency({ ...claim, proof: [second, first, ...rest] }), badProof)
    }
})

test('a flipped bit anywhere in a proof is noticed', async () => {
  const sizes = fc.tuple(fc.integer({ min: 2, max: most }), fc.nat(), fc.nat(), fc.nat({ max: 255 }))
  await fc.assert(
    fc.asyncProperty(sizes, async ([size, pick, where, bit]) => {
      const index = pick % size
      const inclusion = await inclusionProof(index, size, tree.read)
      const inclusionClaim = { index, size, root: rootOf(size), leafHash: tree.read(0, index) }
      assert.throws(
        () => verifyInclusion({ ...inclusionClaim, proof: flipped(inclusion, where, bit) }),
        badProof,
      )
      const oldSize = 1 + (pick % (size - 1))
      const proof = await consistencyProof(oldSize, size, tree.read)
      const claim = { oldSize, oldRoot: rootOf(oldSize), newSize: size, newRoot: rootOf(size) }
      assert.throws(() => verifyConsistency({ ...claim, proof: flipped(proof, where, bit) }), badProof)
    }),
  )
})

test('sizes beyond 32 bits: one hash per level', async () => {
  const size = 2 ** 52 + 3
  // All leaves alike, so the hash of a subtree depends on its level alone.
  const levels = [leafHash(Buffer.from('same'))]
  for (let level = 1; level <= 52; level++) {
    const below = levels[level - 1] ?? emptyRoot
    levels.push(naiveHash(1, below, below))
  }
  const read = (level: number) => levels[level] ?? emptyRoot
  const root = await rootAt(size, read)
  for (const index of [0, 2 ** 40 + 5, 2 ** 52 - 1, 2 ** 52, size - 1]) {
    const proof = await inclusionProof(index, size, read)
    verifyInclusion({ index, size, root, proof, leafHash: read(0) })
  }
  for (const oldSize of [1, 2 ** 33 + 1, 2 ** 52, 2 ** 52 + 1]) {
    const proof = await consistencyProof(oldSize, size, read)
    const oldRoot = await rootAt(oldSize, read)
    verifyConsistency({ oldSize, oldRoot, newSize: size, newRoot: root, proof })
  }
})

test('sizes, indices and hashes out of range', async () => {
  const root = rootOf(3)
  for (const [index, size] of [
    [3, 3],
    [-1, 3],
    [0.5, 3],
    [0, 2 ** 53],
    [Number.NaN, 3],
    [0, 0],
  ] as const) {
    assert.throws(() => verifyInclusion({ index, size, root, proof: [], leafHash: root }), badProof)
    await assert.rejects(inclusionProof(index, size, tree.read), badProof)
  }
  await assert.rejects(consistencyProof(3, 2, tree.read), badProof)
  await assert.rejects(rootAt(-1, tree.read), badProof)
  await assert.rejects(rootAt(most + 1, tree.read), badProof)
  const same = { oldSize: 3, oldRoot: root, newSize: 3, newRoot: root, proof: [] }
  verifyConsistency(same)
  assert.throws(() => verifyConsistency({ ...same, oldSize: 4 }), badProof)
  assert.throws(
    () => verifyConsistency({ ...same, oldRoot: root.slice(1), newRoot: root.slice(1) }),
    badProof,
  )
  assert.throws(
    () => verifyConsistency({ ...same, oldSize: 0 }),
    badProof,
    'a root for a tree without leaves',
  )
  const long = Array.from({ length: 2_000 }, () => root)
  assert.throws(() => verifyConsistency({ ...same, oldSize: 2, proof: long }), badProof)
  assert.throws(() => tree.read(0, most), badProof)
  assert.throws(() => tree.read(3, -1), badProof)
  assert.throws(() => createTree().append(Buffer.from('short')), badProof)
})

test('what the tree gives out is not its own memory', () => {
  const small = numberedTree(3)
  const before = small.root()
  small.read(0, 0).fill(0)
  small.read(1, 0).fill(0)
  assert.deepEqual(small.root(), before)
})

function flipped(proof: readonly Uint8Array[], where: number, bit: number): Uint8Array[] {
  assert.ok(proof.length > 0)
  return proof.map((hash, at) => {
    const copy = Uint8Array.from(hash)
    const byte = Math.floor(bit / 8)
    if (at === where % proof.length) copy[byte] = (copy[byte] ?? 0) ^ (1 << (bit % 8))
    return copy
  })
}
