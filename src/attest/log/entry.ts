import { PytiError } from '../../errors.ts'
import { utf8 } from '../../wire/bytes.ts'

/** What a leaf of the log stands for. The first two name an attestation, the others a document by its SHA-256. */
export const entryKinds = [
  'raw',
  'report',
  'policy',
  'key',
  'roster',
  'task',
  'beacon',
  'close',
  'withdrawal',
] as const
export type EntryKind = (typeof entryKinds)[number]

/** One leaf. `subject` (SHA-256 of the distribution) and `purl` are there for `raw` and `report`, and for no other kind. */
export interface Entry {
  readonly kind: EntryKind
  readonly id: string
  readonly subject?: string
  readonly purl?: string
}

const header = 'pyti-leaf/v1'
const sha256Form = /^[0-9a-f]{64}$/
/** Printable ASCII, as purls escape everything else. */
const purlForm = /^pkg:[!-~]{1,1000}$/

/**
 * The bytes of a leaf: header, kind, id, subject or `-`, purl or `-`, a line each.
 * @throws PytiError `bad-entry`
 */
export function formatEntry(entry: Entry): Uint8Array {
  const { kind, id, subject, purl } = entry
  if (!isKind(kind)) throw badEntry('its kind is unknown')
  if (!sha256Form.test(id)) throw badEntry('its id is not a lower-case hex SHA-256')
  if (kind === 'raw' || kind === 'report') {
    if (subject === undefined || !sha256Form.test(subject))
      throw badEntry('its subject is not a lower-case hex SHA-256')
    if (purl === undefined || !purlForm.test(purl)) throw badEntry('its purl does not have the form of one')
  } else if (subject !== undefined || purl !== undefined)
    throw badEntry('only raw data and reports have a subject and a purl')
  return utf8(`${[header, kind, id, subject ?? '-', purl ?? '-'].join('\n')}\n`)
}

/**
 * Reads a leaf; there is one form of bytes for one entry.
 * @throws PytiError `bad-entry`
 */
export function parseEntry(bytes: Uint8Array): Entry {
  // Latin-1 takes every byte, and anything but ASCII fails the forms above.
  const [first, kind, id, subject, purl, end, ...more] =
    bytes.length > 2_000 ? [] : new TextDecoder('latin1').decode(bytes).split('\n')
  if (first !== header || end !== '' || more.length > 0)
    throw badEntry(`it is not five lines that begin with ${header}`)
  if (kind === undefined || id === undefined || !isKind(kind)) throw badEntry('its kind is unknown')
  const entry = {
    kind,
    id,
    ...(subject !== '-' && { subject }),
    ...(purl !== '-' && { purl }),
  }
  formatEntry(entry)
  return entry
}

function isKind(text: string): text is EntryKind {
  return entryKinds.some(kind => kind === text)
}

function badEntry(why: string): PytiError {
  return new PytiError('bad-entry', `not an entry of the log: ${why}`)
}
