import { toHex } from '../wire/bytes.ts'

/**
 * Just enough of edwards25519 (RFC 8032 section 5.1) to tell whether a public key is in the prime-order subgroup, which
 * WebCrypto does not say. Public data only: nothing here needs to run in constant time.
 */
const p = 2n ** 255n - 19n
const order = 2n ** 252n + 27742317777372353535851937790883648493n
const d = modulo(-121665n * power(121666n, p - 2n))
const rootOfMinusOne = power(2n, (p - 1n) / 4n)

/** Extended homogeneous coordinates: x = X/Z, y = Y/Z, xy = T/Z. */
type Point = readonly [X: bigint, Y: bigint, Z: bigint, T: bigint]
const identity: Point = [0n, 1n, 1n, 0n]

/** Points judged lately: it costs milliseconds, and the same few keys come again and again. */
const judged = new Map<string, boolean>()
const judgedMax = 1_000

/**
 * Whether 32 bytes are the canonical encoding of a point, other than the identity, of the prime-order subgroup. False
 * for points of small order and for those with a small-order part (attestation.md section 4, pitfall 1).
 */
export function isPrimeOrderPoint(encoded: Uint8Array): boolean {
  const name = toHex(encoded)
  const known = judged.get(name)
  if (known !== undefined) return known
  const point = decode(encoded)
  const isGood = point !== undefined && !isIdentity(point) && isIdentity(multiply(point, order))
  if (judged.size >= judgedMax) judged.clear()
  judged.set(name, isGood)
  return isGood
}

function decode(encoded: Uint8Array): Point | undefined {
  if (encoded.length !== 32) return undefined
  const bits = BigInt(`0x${toHex(Uint8Array.from(encoded).reverse())}`)
  const sign = bits >> 255n
  const y = bits & (2n ** 255n - 1n)
  if (y >= p) return undefined
  const x = recoverX(y)
  if (x === undefined || (x === 0n && sign === 1n)) return undefined
  const signed = (x & 1n) === sign ? x : p - x
  return [signed, y, 1n, modulo(signed * y)]
}

/** A square root of (y^2 - 1) / (d y^2 + 1), if there is one (RFC 8032 section 5.1.3): one power, no inversion. */
function recoverX(y: bigint): bigint | undefined {
  const u = modulo(y * y - 1n)
  const v = modulo(d * y * y + 1n)
  const v3 = modulo(modulo(v * v) * v)
  const uv7 = modulo(modulo(u * v3) * modulo(v3 * v))
  const root = modulo(modulo(u * v3) * power(uv7, (p - 5n) / 8n))
  for (const x of [root, modulo(root * rootOfMinusOne)]) if (modulo(modulo(x * x) * v) === u) return x
  return undefined
}

/** Complete addition (RFC 8032 section 5.1.4): right for equal points and for the identity too. */
function add([X1, Y1, Z1, T1]: Point, [X2, Y2, Z2, T2]: Point): Point {
  const a = modulo((Y1 - X1) * (Y2 - X2))
  const b = modulo((Y1 + X1) * (Y2 + X2))
  const c = modulo(2n * d * T1 * T2)
  const e = modulo(2n * Z1 * Z2)
  const [f, g, h, i] = [b - a, e - c, e + c, b + a]
  return [modulo(f * g), modulo(h * i), modulo(g * h), modulo(f * i)]
}

/** As `add(point, point)`, with fewer multiplications (RFC 8032 section 5.1.4). */
function double([X, Y, Z]: Point): Point {
  const a = modulo(X * X)
  const b = modulo(Y * Y)
  const h = a + b
  const e = modulo(h - modulo((X + Y) ** 2n))
  const g = a - b
  const f = modulo(2n * Z * Z + g)
  return [modulo(e * f), modulo(g * h), modulo(f * g), modulo(e * h)]
}

function multiply(point: Point, times: bigint): Point {
  let sum = identity
  for (const bit of times.toString(2)) {
    sum = double(sum)
    if (bit === '1') sum = add(sum, point)
  }
  return sum
}

function isIdentity([X, Y, Z]: Point): boolean {
  return X === 0n && Y === Z
}

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n
  for (const bit of exponent.toString(2)) {
    result = modulo(result * result)
    if (bit === '1') result = modulo(result * base)
  }
  return result
}

function modulo(value: bigint): bigint {
  const rest = value % p
  return rest >= 0n ? rest : rest + p
}
