import { PytiError } from '../../errors.ts'
import { emptyRoot, foldSubtrees, nodeHash, subtreesOf } from './merkle-hash.ts'

/** A whole tree in memory: 64 bytes per leaf. */
export interface Tree {
  readonly size: number
  /** Takes the hash of the next leaf. */
  append(leafHash: Uint8Array): void
  root(): Uint8Array
  /** @throws PytiError `bad-proof` for a subtree that is not complete yet */
  read(level: number, index: number): Uint8Array
}

export function createTree(): Tree {
  /** Per level the hashes of its complete subtrees, one after the other. */
  const levels: HashList[] = []
  const listAt = (level: number): HashList => {
    levels[level] ??= new HashList()
    return levels[level]
  }
  const read = (level: number, index: number): Uint8Array => {
    const hash = levels[level]?.at(index)
    if (hash === undefined)
      throw new PytiError('bad-proof', `the tree has no complete subtree ${index} at level ${level}`)
    return hash
  }
  return {
    get size() {
      return listAt(0).count
    },
    append(leafHash) {
      if (leafHash.length !== 32) throw new PytiError('bad-proof', 'a leaf hash is 32 bytes long')
      let hash = leafHash
      let level = 0
      while (listAt(level).push(hash) % 2 === 0) {
        hash = nodeHash(read(level, listAt(level).count - 2), hash)
        level++
      }
    },
    root() {
      const size = listAt(0).count
      if (size === 0) return emptyRoot
      return foldSubtrees(subtreesOf([0, size]).map(([level, index]) => read(level, index)))
    },
    read,
  }
}

/** Hashes in one buffer that doubles: a million separate buffers would take several times the memory. */
class HashList {
  count = 0
  #bytes = new Uint8Array(32 * 16)

  push(hash: Uint8Array): number {
    if (32 * this.count === this.#bytes.length) {
      const more = new Uint8Array(2 * this.#bytes.length)
      more.set(this.#bytes)
      this.#bytes = more
    }
    this.#bytes.set(hash, 32 * this.count)
    this.count++
    return this.count
  }

  at(index: number): Uint8Array | undefined {
    return index >= 0 && index < this.count ? this.#bytes.slice(32 * index, 32 * (index + 1)) : undefined
  }
}
