import { concat, fromString, toString as toText } from 'uint8arrays'
import { PytiError } from './errors.ts'

/** Identity multihash (00, 36 bytes) of a libp2p `PublicKey` protobuf: type Ed25519 (08 01), 32 bytes of data (12 20). */
const prefix = Uint8Array.of(0x00, 0x24, 0x08, 0x01, 0x12, 0x20)
const keyBytes = 32
const textLength = 52

/**
 * Peer id of an Ed25519 key: base58btc of `00 24 08 01 12 20 || key`. It contains the key, so that a signature is
 * checked without any registry.
 * @throws PytiError `bad-public-key` when it is not 32 bytes
 */
export function peerIdFromPublicKey(key: Uint8Array): string {
  if (key.length !== keyBytes)
    throw new PytiError('bad-public-key', `an Ed25519 public key has ${keyBytes} bytes, not ${key.length}`)
  return toText(concat([prefix, key]), 'base58btc')
}

/**
 * The 32 bytes of the public key in a peer id. Only the one canonical text of a key is taken: not the CIDv1 form, no
 * whitespace, no other key type.
 * @throws PytiError `bad-peer-id`
 */
export function publicKeyFromPeerId(text: string): Uint8Array {
  const bytes = decode(text)
  if (bytes.length !== prefix.length + keyBytes || !prefix.every((byte, index) => bytes[index] === byte))
    throw badPeerId(text)
  const key = Uint8Array.from(bytes.subarray(prefix.length))
  if (peerIdFromPublicKey(key) !== text) throw badPeerId(text)
  return key
}

function decode(text: string): Uint8Array {
  // Base conversion is quadratic in the length: look at the length first.
  if (text.length !== textLength) throw badPeerId(text)
  try {
    return fromString(text, 'base58btc')
  } catch (cause) {
    throw badPeerId(text, cause)
  }
}

function badPeerId(text: string, cause?: unknown): PytiError {
  const shown = text.length > 60 ? `${text.slice(0, 60)}...` : text
  return new PytiError('bad-peer-id', `${JSON.stringify(shown)} is not the peer id of an Ed25519 key`, {
    hint: 'a peer id starts with 12D3KooW and has 52 characters',
    cause,
  })
}
