import { concatBytes, toHex } from '../src/wire/bytes.ts'

/** Stands in for `uint8arrays` in the page, for what a peer id needs of it: base58btc and nothing else. */
const letters = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  return concatBytes(...parts)
}

export function toText(bytes: Uint8Array, encoding: string): string {
  demandBase58(encoding)
  let text = ''
  for (let rest = BigInt(`0x0${toHex(bytes)}`); rest > 0n; rest /= 58n)
    text = letters.charAt(Number(rest % 58n)) + text
  return letters.charAt(0).repeat(zerosOf(bytes, 0)) + text
}

export function fromString(text: string, encoding: string): Uint8Array {
  demandBase58(encoding)
  const digits = Array.from(text, letter => letters.indexOf(letter))
  if (digits.includes(-1)) throw new Error('not base58btc')
  const value = digits.reduce((sum, digit) => sum * 58n + BigInt(digit), 0n)
  const hex = value === 0n ? '' : value.toString(16)
  const bytes = `${hex.length % 2 === 1 ? '0' : ''}${hex}`.match(/../g) ?? []
  return concatBytes(
    new Uint8Array(zerosOf(digits, 0)),
    Uint8Array.from(bytes, byte => Number.parseInt(byte, 16)),
  )
}

/** Zeros at the start stand for themselves: a number forgets them. */
function zerosOf(items: ArrayLike<number>, from: number): number {
  return items[from] === 0 ? zerosOf(items, from + 1) : from
}

export { toText as toString }

function demandBase58(encoding: string): void {
  if (encoding !== 'base58btc') throw new Error(`there is no ${encoding} in this page`)
}
