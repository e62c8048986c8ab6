import { PytiError } from '../errors.ts'
import { concatBytes, toBase64, utf8 } from '../wire/bytes.ts'
import { canonicalBytes, parseCanonical, sha256 } from '../wire/canonical.ts'
import { Envelope } from '../wire/envelope.ts'
import { limits } from '../wire/limits.ts'
import { attestationId, decodeBase64, statementType } from './dsse.ts'
import { decodeNote } from './log/note.ts'
import { parseExactly } from './parse.ts'
import { rawDataMediaType, rawDataPredicate } from './raw-statement.ts'
import { reportPredicate } from './report-statement.ts'

/**
 * A report with everything it follows from, as JSON Lines. Every line is the RFC 8785 form of a DSSE envelope: one signed
 * report, the signed statement of every volunteer (agreeing or not), and without signatures of their own each volunteer's
 * raw data, whose digest the statement names, and the proofs that the log holds all of these. The order of the lines means
 * nothing.
 */
export interface Bundle {
  readonly report: Envelope
  readonly rawData: readonly Envelope[]
  /** Canonical JSON of each `RawData`, by SHA-256. */
  readonly blobs: ReadonlyMap<string, Uint8Array>
  /** `.tlog-proof` texts: that the log holds the report and the statements. */
  readonly proofs: readonly string[]
}

const proofMediaType = 'application/vnd.pyti.tlog-proof'

/** More than enough seats: a bundle from elsewhere must not keep a verifier busy for ever. */
const linesMax = 302
const newline = 0x0a

/** Lines in a fixed order (report, statements by id, raw data by digest), so that equal bundles have equal bytes. */
export function encodeBundle(bundle: {
  report: Envelope
  rawData: readonly Envelope[]
  blobs: readonly Uint8Array[]
  proofs: readonly string[]
}): Uint8Array {
  const statements = new Map(bundle.rawData.map(envelope => [attestationId(envelope), envelope]))
  const blobs = new Map(bundle.blobs.map(blob => [sha256(blob), unsigned(rawDataMediaType, blob)]))
  const proofs = new Map(bundle.proofs.map(proof => [sha256(proof), unsigned(proofMediaType, utf8(proof))]))
  const lines = [bundle.report, ...inOrder(statements), ...inOrder(blobs), ...inOrder(proofs)]
  const bytes = concatBytes(...lines.flatMap(line => [canonicalBytes(line), Uint8Array.of(newline)]))
  if (bytes.length > limits.bundleBytes || lines.length > linesMax)
    throw badBundle('it would be larger than a bundle may be')
  return bytes
}

/**
 * Splits a bundle into its parts. Checks form, not truth: no signature is looked at.
 * @throws PytiError `bad-bundle` | `bad-envelope`
 */
export function decodeBundle(bytes: Uint8Array): Bundle {
  const envelopes = splitLines(bytes).map((line, index) =>
    parseExactly(Envelope, line, 'bad-bundle', `line ${index + 1} of the bundle`),
  )
  const reports: Envelope[] = []
  const rawData = new Map<string, Envelope>()
  const blobs = new Map<string, Uint8Array>()
  const proofs = new Map<string, string>()
  for (const envelope of envelopes) {
    const kind = kindOf(envelope)
    if (kind === 'report') reports.push(envelope)
    else if (kind === 'raw-data') addOnce(rawData, attestationId(envelope), envelope)
    else if (kind === 'blob') addBlob(blobs, decodeBase64(envelope.payload))
    else addOnce(proofs, sha256(decodeBase64(envelope.payload)), decodeNote(decodeBase64(envelope.payload)))
  }
  const [report] = reports
  if (report === undefined || reports.length > 1) throw badBundle('it must hold exactly one report')
  return { report, rawData: [...rawData.values()], blobs, proofs: [...proofs.values()] }
}

function addBlob(blobs: Map<string, Uint8Array>, blob: Uint8Array): void {
  if (blob.length > limits.rawDataBytes)
    throw badBundle('it holds raw data that is larger than raw data may be')
  addOnce(blobs, sha256(blob), blob)
}

function addOnce<Value>(map: Map<string, Value>, key: string, value: Value): void {
  if (map.has(key)) throw badBundle(`it holds ${key} twice`)
  map.set(key, value)
}

function kindOf(envelope: Envelope): 'report' | 'raw-data' | 'blob' | 'proof' {
  if (envelope.payloadType === rawDataMediaType || envelope.payloadType === proofMediaType) {
    if (envelope.signatures.length > 0) throw badBundle('a line without a statement carries a signature')
    return envelope.payloadType === rawDataMediaType ? 'blob' : 'proof'
  }
  if (envelope.payloadType !== statementType || envelope.signatures.length !== 1)
    throw badBundle('it holds a line of an unknown kind')
  const type = predicateTypeOf(decodeBase64(envelope.payload))
  if (type === reportPredicate) return 'report'
  if (type === rawDataPredicate) return 'raw-data'
  throw badBundle('it holds a statement of an unknown kind')
}

function predicateTypeOf(payload: Uint8Array): unknown {
  let statement: unknown
  try {
    statement = parseCanonical(payload)
  } catch (cause) {
    throw new PytiError('bad-bundle', 'a statement of the bundle is not JSON in RFC 8785 form', { cause })
  }
  return typeof statement === 'object' && statement !== null && 'predicateType' in statement
    ? statement.predicateType
    : undefined
}

function splitLines(bytes: Uint8Array): Uint8Array[] {
  if (bytes.length > limits.bundleBytes) throw badBundle('it is larger than a bundle may be')
  if (bytes.at(-1) !== newline) throw badBundle('it does not end with a newline, so it may be cut short')
  const lines: Uint8Array[] = []
  for (let start = 0; start < bytes.length; ) {
    const end = bytes.indexOf(newline, start)
    if (lines.length >= linesMax || end - start > limits.envelopeBytes + 2_000)
      throw badBundle('it has more or longer lines than a bundle may have')
    lines.push(bytes.subarray(start, end))
    start = end + 1
  }
  return lines
}

function unsigned(payloadType: string, payload: Uint8Array): Envelope {
  return { payload: toBase64(payload), payloadType, signatures: [] }
}

function inOrder(lines: Map<string, Envelope>): Envelope[] {
  return [...lines].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, envelope]) => envelope)
}

function badBundle(why: string): PytiError {
  return new PytiError('bad-bundle', `not an acceptable report bundle: ${why}`, {
    hint: 'get the file again; it may be damaged or changed',
  })
}
