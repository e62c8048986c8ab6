import { createPublicKey, KeyObject, verify } from 'node:crypto'
import { admitKey } from '../../src/attest/keys.ts'
import { type TestIdentity, testIdentity } from './raw-data.ts'

const spkiPrefix = Buffer.from('302a300506032b6570032100', 'hex')
const identities = new Map<string, TestIdentity>()

/**
 * WebCrypto works in threads, which finish in an order of their own. The same signatures are checked here, at once, by the same
 * OpenSSL; nothing else of WebCrypto may be used.
 */
export function checkSignaturesAtOnce(): void {
  const { subtle } = crypto
  const importKey = async (_: unknown, raw: Uint8Array) =>
    createPublicKey({ key: Buffer.concat([spkiPrefix, raw]), format: 'der', type: 'spki' }).toCryptoKey(
      'Ed25519',
      true,
      ['verify'],
    )
  const verifyNow = async (_: unknown, key: CryptoKey, signature: Uint8Array, message: Uint8Array) =>
    verify(null, message, KeyObject.from(key), signature)
  const refuse = () => {
    throw new Error('this would end in a thread, at a moment that no seed decides')
  }
  for (const name of ['digest', 'sign', 'generateKey', 'exportKey', 'encrypt', 'decrypt'] as const)
    Object.defineProperty(subtle, name, { value: refuse })
  Object.defineProperty(subtle, 'importKey', { value: importKey })
  Object.defineProperty(subtle, 'verify', { value: verifyNow })
}

/** The same keys in every simulation, admitted beforehand: admitting one takes milliseconds. */
export async function simIdentity(name: string): Promise<TestIdentity> {
  const known = identities.get(name)
  if (known) return known
  const identity = testIdentity(`simulation ${name}`)
  await admitKey(identity.publicKey)
  identities.set(name, identity)
  return identity
}
