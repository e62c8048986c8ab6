import { PytiError } from '../errors.ts'
import { concatBytes, fromBase64, toBase64, utf8 } from '../wire/bytes.ts'
import { sha256 } from '../wire/canonical.ts'
import { Envelope } from '../wire/envelope.ts'
import { fingerprint, verifySignature } from './keys.ts'

/** The only type of a signed payload here: what everybody's tools accept (attestation.md 2.2). */
export const statementType = 'application/vnd.in-toto+json'

/** Whoever holds a private key. `publicKey` is the raw 32 bytes. */
export interface Signer {
  readonly publicKey: Uint8Array
  sign(message: Uint8Array): Uint8Array | Promise<Uint8Array>
}

/** DSSE 1.0.2 pre-authentication encoding: `DSSEv1 LEN TYPE LEN PAYLOAD`, lengths in bytes. */
export function pae(payloadType: string, payload: Uint8Array): Uint8Array {
  const type = utf8(payloadType)
  return concatBytes(utf8(`DSSEv1 ${type.length} `), type, utf8(` ${payload.length} `), payload)
}

export async function sign(payloadType: string, payload: Uint8Array, signer: Signer): Promise<Envelope> {
  const signature = await signer.sign(pae(payloadType, payload))
  return {
    payloadType,
    payload: toBase64(payload),
    signatures: [{ keyid: fingerprint(signer.publicKey), sig: toBase64(signature) }],
  }
}

/**
 * The payload, once its one signature holds under this very key. Strict where DSSE leaves freedom, so that an envelope has
 * one form only.
 * @throws PytiError `bad-envelope` | `bad-signature` | `bad-key`
 */
export async function openEnvelope(
  envelope: Envelope,
  publicKey: Uint8Array,
  payloadType = statementType,
): Promise<Uint8Array> {
  const payload = unverifiedPayload(envelope, payloadType)
  const [signature, ...more] = envelope.signatures
  if (signature === undefined || more.length > 0) throw badEnvelope('it must carry exactly one signature')
  if (signature.keyid !== fingerprint(publicKey))
    throw badEnvelope('its keyid is not the fingerprint of the key')
  const message = pae(envelope.payloadType, payload)
  if (!(await verifySignature(publicKey, message, decodeBase64(signature.sig))))
    throw new PytiError('bad-signature', 'the signature of the envelope does not fit its payload and key')
  return payload
}

/**
 * The payload before any signature is checked: only good for finding out which key to check with.
 * @throws PytiError `bad-envelope`
 */
export function unverifiedPayload(envelope: Envelope, payloadType = statementType): Uint8Array {
  if (!Envelope.safeParse(envelope).success) throw badEnvelope('it does not have the form of one')
  if (envelope.payloadType !== payloadType) throw badEnvelope(`its payload type is not ${payloadType}`)
  return decodeBase64(envelope.payload)
}

/** What an attestation is called: SHA-256 of the signed bytes, as everything else about an envelope is free. */
export function attestationId(envelope: Envelope): string {
  return sha256(pae(envelope.payloadType, decodeBase64(envelope.payload)))
}

/**
 * Standard base64 with padding, in its one canonical form.
 * @throws PytiError `bad-envelope`
 */
export function decodeBase64(text: string): Uint8Array {
  const bytes = fromBase64(text)
  if (bytes === undefined) throw badEnvelope('it holds something that is not canonical base64')
  return bytes
}

function badEnvelope(why: string): PytiError {
  return new PytiError('bad-envelope', `not an acceptable envelope: ${why}`)
}
