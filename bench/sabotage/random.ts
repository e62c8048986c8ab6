/** A seeded stream of numbers: one seed, one bench. */
export interface Random {
  /** From 0 (included) to 1 (excluded), 32 bits fine. */
  next(): number
  /** A whole number from 0 to `below - 1`. */
  below(below: number): number
  chance(share: number): boolean
}

/** xoshiro128** (Blackman, Vigna 2018), its state filled by splitmix32 as its authors advise. */
export function createRandom(seed: number): Random {
  const mix = splitmix32(seed)
  let [a, b, c, d] = [mix(), mix(), mix(), mix()]
  const next = () => {
    const result = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0
    const shifted = b << 9
    c ^= a
    d ^= b
    b ^= c
    a ^= d
    c ^= shifted
    d = rotate(d, 11)
    return result / 2 ** 32
  }
  return {
    next,
    below: limit => Math.floor(next() * limit),
    chance: share => share > 0 && next() < share,
  }
}

/** A seed for each named part, so that one part drawing more numbers does not shift the others. */
export function seedFor(seed: number, name: string): number {
  let hash = 0x811c9dc5 ^ seed
  for (let index = 0; index < name.length; index++)
    hash = Math.imul(hash ^ name.charCodeAt(index), 0x01000193)
  return hash >>> 0
}

function splitmix32(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x9e3779b9) | 0
    let mixed = state ^ (state >>> 16)
    mixed = Math.imul(mixed, 0x21f0aaad)
    mixed ^= mixed >>> 15
    mixed = Math.imul(mixed, 0x735a2d97)
    return mixed ^ (mixed >>> 15)
  }
}

function rotate(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits))
}
