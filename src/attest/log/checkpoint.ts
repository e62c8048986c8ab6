import { messageOf, PytiError } from '../../errors.ts'
import { toBase64, toHex } from '../../wire/bytes.ts'
import {
  cosignatureLine,
  cosignatureTime,
  type NoteSigner,
  openNote,
  signatureLine,
  type Vkey,
} from './note.ts'
import { base64Hash, decimal, isSize } from './text.ts'
import { vkeyName } from './vkey.ts'

/** The head of a log: its name, how many leaves it has, and the root over them. */
export interface Checkpoint {
  readonly origin: string
  readonly size: number
  readonly root: Uint8Array
}

/** A witness that saw this checkpoint: when (seconds since 1970), and the line that says so, newline included. */
export interface Cosignature {
  readonly vkey: Vkey
  readonly time: number
  readonly line: string
}

/**
 * The body of a checkpoint (C2SP tlog-checkpoint), ready to be signed.
 * @throws PytiError `bad-checkpoint`
 */
export function formatCheckpoint({ origin, size, root }: Checkpoint): string {
  if (!vkeyName.test(origin)) throw badCheckpoint('its origin cannot be the name of a key')
  if (!isSize(size)) throw badCheckpoint('its size is not a whole number up to 2^53 - 1')
  if (root.length !== 32) throw badCheckpoint('its root is not 32 bytes long')
  return `${origin}\n${size}\n${toBase64(root)}\n`
}

/**
 * Reads the body of a checkpoint. Extension lines, which nobody can audit, are refused.
 * @throws PytiError `bad-checkpoint`
 */
export function parseCheckpoint(body: string): Checkpoint {
  const [origin, sizeText, rootText, end, ...more] = body.split('\n')
  const size = decimal(sizeText)
  const root = base64Hash(rootText)
  if (origin === undefined || !vkeyName.test(origin))
    throw badCheckpoint('its origin cannot be the name of a key')
  if (size === undefined) throw badCheckpoint('its size is not a whole number up to 2^53 - 1')
  if (root === undefined) throw badCheckpoint('its root is not base64 of 32 bytes')
  if (end !== '' || more.length > 0) throw badCheckpoint('it does not have three lines')
  return { origin, size, root }
}

/** Who watches a log, and how many of them must have signed a checkpoint. */
export interface Witnesses {
  readonly keys: readonly Vkey[]
  readonly threshold: number
}

export const noWitnesses: Witnesses = { keys: [], threshold: 0 }

/**
 * Opens a signed checkpoint: the log itself must have signed it under the name that the checkpoint gives, and every
 * cosignature by one of the witnesses must hold. A key counts once, whatever its names, and that of the log never as a witness.
 * @throws PytiError `bad-checkpoint`
 */
export async function openCheckpoint(
  note: string,
  logVkey: Vkey,
  witnesses: readonly Vkey[] = [],
): Promise<{ checkpoint: Checkpoint; witnesses: Cosignature[] }> {
  if (logVkey.type !== 1) throw badCheckpoint('the key given for the log is that of a witness')
  if (witnesses.some(({ type }) => type !== 4))
    throw badCheckpoint('a key given for a witness is that of a log')
  const { text, signatures, verified } = await openNote(note, [logVkey, ...witnesses]).catch(cause => {
    throw badCheckpoint(messageOf(cause), cause)
  })
  if (!verified.includes(logVkey)) throw badCheckpoint('the log did not sign it')
  const checkpoint = parseCheckpoint(text)
  if (checkpoint.origin !== logVkey.name)
    throw badCheckpoint('its origin is not the name of the key of the log')
  const counted = new Set([toHex(logVkey.publicKey)])
  const cosignatures: Cosignature[] = []
  for (const vkey of verified) {
    const found = signatures.find(({ name, id }) => name === vkey.name && id === vkey.id)
    const time = found === undefined ? undefined : cosignatureTime(found.signature)
    if (found === undefined || time === undefined || counted.has(toHex(vkey.publicKey))) continue
    counted.add(toHex(vkey.publicKey))
    cosignatures.push({ vkey, time, line: signatureLine(found) })
  }
  return { checkpoint, witnesses: cosignatures }
}

/**
 * The signature line, newline included, by which a witness says that it saw this checkpoint at `timeSeconds` (since 1970) and
 * knows of no other history.
 * @throws PytiError `bad-checkpoint` for a body that is none | `bad-note`
 */
export async function cosign(
  checkpointBody: string,
  timeSeconds: number,
  signer: NoteSigner,
): Promise<string> {
  parseCheckpoint(checkpointBody)
  return cosignatureLine(checkpointBody, timeSeconds, signer)
}

function badCheckpoint(why: string, cause?: unknown): PytiError {
  return new PytiError('bad-checkpoint', `not an acceptable checkpoint: ${why}`, { cause })
}
