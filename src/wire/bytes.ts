/** What `Buffer` does elsewhere, for code that runs in a browser too. */

export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let filled = 0
  for (const part of parts) {
    whole.set(part, filled)
    filled += part.length
  }
  return whole
}

export function utf8(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text)
}

/** Lower-case hex. */
export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('')
}

/** Standard base64 with padding. */
export function toBase64(bytes: Uint8Array): string {
  const texts: string[] = []
  for (let start = 0; start < bytes.length; start += 8_192)
    texts.push(Reflect.apply(String.fromCharCode, undefined, bytes.subarray(start, start + 8_192)))
  return btoa(texts.join(''))
}

/** The bytes of standard base64 with padding; undefined unless the text is its one canonical form. */
export function fromBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  let binary: string
  try {
    binary = atob(text)
  } catch {
    return undefined
  }
  const bytes = new Uint8Array(binary.length)
  for (let index = 0; index < binary.length; index += 1) bytes[index] = binary.charCodeAt(index)
  return toBase64(bytes) === text ? bytes : undefined
}
