import { concatBytes, toBase64 } from '../wire/bytes.ts'
import { canonicalBytes, sha256 } from '../wire/canonical.ts'
import { Envelope } from '../wire/envelope.ts'
import { unverifiedPayload } from './dsse.ts'
import { parseExactly } from './parse.ts'
import { badRoot, demandSound, RootDocument } from './root-document.ts'

/** Of signed roots only: no signature over anything else can be taken for one over a root (attestation.md section 4, pitfall 3). */
export const rootPayloadType = 'application/vnd.pyti.root+json'

/** One version with an envelope per signer, each over the same payload: none for a draft that nobody has signed. */
export interface RootVersion {
  readonly document: RootDocument
  /** SHA-256 of the payload. */
  readonly id: string
  readonly envelopes: readonly Envelope[]
}

export const rootFileBytes = 512 * 1024
const linesMax = 2_000
const versionsMax = 256
const newline = 0x0a

/** JSON Lines: the envelopes of version 1, then those of version 2, and so on. */
export function encodeRoots(versions: readonly RootVersion[]): Uint8Array {
  const lines = versions.flatMap(({ document, envelopes }) =>
    envelopes.length > 0 ? envelopes : [unsigned(document)],
  )
  return concatBytes(...lines.flatMap(line => [canonicalBytes(line), Uint8Array.of(newline)]))
}

/**
 * Takes a file of roots apart. Each of its documents is sound; no signature is looked at.
 * @throws PytiError `bad-root` | `bad-envelope`
 */
export function decodeRoots(bytes: Uint8Array): RootVersion[] {
  const versions: (RootVersion & { envelopes: Envelope[] })[] = []
  for (const line of splitLines(bytes)) {
    const envelope = parseExactly(Envelope, line, 'bad-root', 'a line of the root file')
    const payload = unverifiedPayload(envelope, rootPayloadType)
    const id = sha256(payload)
    const last = versions.at(-1)
    if (last?.id === id) {
      if (last.envelopes.length === 0 || envelope.signatures.length === 0)
        throw badRoot('a version in it is both signed and not')
      last.envelopes.push(envelope)
      continue
    }
    const document = parseExactly(RootDocument, payload, 'bad-root', 'the root')
    if (document.version !== versions.length + 1)
      throw badRoot(`version ${document.version} stands where version ${versions.length + 1} should`)
    if (versions.length >= versionsMax) throw badRoot('it has too many versions')
    demandSound(document)
    versions.push({ document, id, envelopes: envelope.signatures.length > 0 ? [envelope] : [] })
  }
  if (versions.length === 0) throw badRoot('the file is empty')
  return versions
}

/** A version that nobody has signed yet. @throws PytiError `bad-root` */
export function draftOf(document: RootDocument): RootVersion {
  const payload = canonicalBytes(document)
  parseExactly(RootDocument, payload, 'bad-root', 'the new root')
  demandSound(document)
  return { document, id: sha256(payload), envelopes: [] }
}

function unsigned(document: RootDocument): Envelope {
  return { payloadType: rootPayloadType, payload: toBase64(canonicalBytes(document)), signatures: [] }
}

function splitLines(bytes: Uint8Array): Uint8Array[] {
  if (bytes.length > rootFileBytes) throw badRoot('the file is larger than one of roots may be')
  if (bytes.length > 0 && bytes.at(-1) !== newline)
    throw badRoot('the file does not end with a newline, so it may be cut short')
  const lines: Uint8Array[] = []
  for (let start = 0; start < bytes.length; ) {
    const end = bytes.indexOf(newline, start)
    if (lines.length >= linesMax) throw badRoot('the file has too many lines')
    lines.push(bytes.subarray(start, end))
    start = end + 1
  }
  return lines
}
