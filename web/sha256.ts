/**
 * SHA-256 (FIPS 180-4) of bytes in memory: WebCrypto has none that answers at once, and the libraries that do weigh more
 * than a page of 40 KB has left. Only digests of public data, so nothing needs to run in constant time.
 */
export function sha256(data: Uint8Array): Uint8Array {
  const padded = new Uint8Array(((data.length + 72) >> 6) << 6)
  padded.set(data)
  padded[data.length] = 0x80
  const view = new DataView(padded.buffer)
  view.setBigUint64(padded.length - 8, BigInt(data.length) * 8n)
  const state = Uint32Array.from(initial)
  for (let at = 0; at < padded.length; at += 64) compress(state, view, at)
  const digest = new DataView(new ArrayBuffer(32))
  state.forEach((word, index) => {
    digest.setUint32(4 * index, word)
  })
  return new Uint8Array(digest.buffer)
}

/** The first 64 primes, whose roots the constants are made of. */
const primes = Array.from({ length: 312 }, (_, n) => n).filter(
  n => n > 1 && !Array.from({ length: n - 2 }, (_, m) => m + 2).some(m => n % m === 0),
)
/** First 32 bits of the fraction of the square and cube roots (FIPS 180-4, 4.2.2 and 5.3.3). */
const initial = primes.slice(0, 8).map(prime => Number(root(BigInt(prime) << 64n, 2n) & 0xffffffffn))
const constants = primes.map(prime => Number(root(BigInt(prime) << 96n, 3n) & 0xffffffffn))

/** Largest whole number whose power is at most the value, by bisection. */
function root(value: bigint, power: bigint): bigint {
  let low = 0n
  for (let step = 1n << 40n; step > 0n; step >>= 1n) if ((low + step) ** power <= value) low += step
  return low
}

const words = new Uint32Array(64)

function compress(state: Uint32Array, view: DataView, at: number): void {
  for (let index = 0; index < 64; index += 1)
    words[index] = index < 16 ? view.getUint32(at + 4 * index) : mix(index)
  let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = state
  for (let index = 0; index < 64; index += 1) {
    const word = (constants[index] ?? 0) + (words[index] ?? 0)
    const first = h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + word
    const second = (turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))
    h = g
    g = f
    f = e
    e = (d + first) | 0
    d = c
    c = b
    b = a
    a = (first + second) | 0
  }
  state.set([a, b, c, d, e, f, g, h].map((value, index) => value + (state[index] ?? 0)))
}

function mix(index: number): number {
  const [early = 0, late = 0] = [words[index - 15], words[index - 2]]
  const spread = turn(early, 7) ^ turn(early, 18) ^ (early >>> 3)
  const spreadLate = turn(late, 17) ^ turn(late, 19) ^ (late >>> 10)
  return (words[index - 16] ?? 0) + spread + (words[index - 7] ?? 0) + spreadLate
}

function turn(value: number, bits: number): number {
  return (value >>> bits) | (value << (32 - bits))
}
