import { PytiError } from '../../errors.ts'
import { sha256 } from '../../wire/canonical.ts'
import { Envelope } from '../../wire/envelope.ts'
import { limits } from '../../wire/limits.ts'
import { type Document, readDocument } from '../documents.ts'
import { attestationId } from '../dsse.ts'
import { parseExactly } from '../parse.ts'

/** The files of a log, wherever they are: `checkpoint`, `tile/...`, `document/...`. What comes back may be anything. */
export interface LogSource {
  /** @returns undefined when there is no such file @throws when it cannot be told */
  fetch(path: string): Promise<Uint8Array | undefined>
}

/** Nothing in a log is larger than an envelope. */
export const logFileBytes = limits.envelopeBytes + 2_000

/**
 * The document that a leaf names, with the digest of the leaf.
 * @returns undefined when it is not out
 * @throws PytiError `bad-document`
 */
export async function fetchDocument(source: LogSource, id: string): Promise<Document | undefined> {
  const bytes = await fetchLimited(source, id)
  if (bytes === undefined) return undefined
  if (sha256(bytes) !== id)
    throw new PytiError('bad-document', `document/${id} does not have the digest that its leaf names`)
  return readDocument(bytes)
}

/**
 * The envelope that a leaf names, with that attestation id. No signature is looked at.
 * @returns undefined when it is not out
 * @throws PytiError `bad-document` | `bad-envelope`
 */
export async function fetchEnvelope(source: LogSource, id: string): Promise<Envelope | undefined> {
  const bytes = await fetchLimited(source, id)
  if (bytes === undefined) return undefined
  const envelope = parseExactly(Envelope, bytes, 'bad-document', `document/${id}`)
  if (attestationId(envelope) !== id)
    throw new PytiError('bad-document', `document/${id} is not the attestation that its leaf names`)
  return envelope
}

async function fetchLimited(source: LogSource, id: string): Promise<Uint8Array | undefined> {
  const bytes = await source.fetch(`document/${id}`)
  if (bytes !== undefined && bytes.length > logFileBytes)
    throw new PytiError('bad-document', `document/${id} is larger than a document may be`)
  return bytes
}
