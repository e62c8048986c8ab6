import { PytiError } from '../../errors.ts'
import { concatBytes, fromBase64, toBase64, utf8 } from '../../wire/bytes.ts'
import { verifySignature } from '../keys.ts'
import { isSize } from './text.ts'
import { cosigned, formatVkey, keyId, parseVkey, type Vkey, vkeyName } from './vkey.ts'

export { formatVkey, parseVkey, type Vkey }

/** Whoever signs notes: a log, or a witness with a key of its own. `publicKey` is the raw 32 bytes. */
export interface NoteSigner {
  readonly name: string
  readonly publicKey: Uint8Array
  sign(message: Uint8Array): Uint8Array | Promise<Uint8Array>
}

/** One signature line; `signature` is what follows the key id. */
export interface NoteSignature {
  readonly name: string
  readonly id: number
  readonly signature: Uint8Array
}

/** `text` is the signed body with its last newline. */
export interface ParsedNote {
  readonly text: string
  readonly signatures: NoteSignature[]
}

const maxNote = 1_000_000
const maxSignatures = 100

/**
 * Opens a signed note (C2SP signed-note): every signature by one of the keys must hold, one of them must be there, and those
 * of other keys are passed over.
 * @throws PytiError `bad-note`
 */
export async function openNote(
  note: string,
  vkeys: readonly Vkey[],
): Promise<ParsedNote & { verified: Vkey[] }> {
  const known = new Map<string, Vkey>()
  for (const vkey of vkeys) {
    if (known.has(nameOf(vkey))) throw badNote(`two of the keys given are named ${nameOf(vkey)}`)
    known.set(nameOf(vkey), vkey)
  }
  const { text, signatures } = parseNote(note)
  const once = new Map<string, NoteSignature>()
  const verified = new Set<Vkey>()
  for (const signature of signatures) {
    const name = nameOf(signature)
    const vkey = known.get(name)
    if (vkey !== undefined) {
      if (!(await holds(vkey, text, signature.signature)))
        throw badNote(`the signature of ${name} does not hold`)
      verified.add(vkey)
    }
    if (!once.has(name)) once.set(name, signature)
  }
  if (verified.size === 0) throw badNote('none of the known keys signed it')
  return { text, signatures: [...once.values()], verified: [...verified] }
}

/**
 * Takes a note apart without checking a signature: good only for finding out which keys to open it with.
 * @throws PytiError `bad-note`
 */
export function parseNote(note: string): ParsedNote {
  if (note.length > maxNote) throw badNote('it is too long')
  if (!note.isWellFormed()) throw badNote('it is not Unicode text')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what a note must not hold
  if (/[\0-\x09\x0b-\x1f]/.test(note)) throw badNote('it holds a control character')
  const split = note.lastIndexOf('\n\n')
  if (split < 0) throw badNote('no empty line parts its text from its signatures')
  const [last, ...reversed] = note
    .slice(split + 2)
    .split('\n')
    .reverse()
  if (last !== '' || reversed.length === 0) throw badNote('it does not end with lines of signatures')
  if (reversed.length > maxSignatures) throw badNote(`it has more than ${maxSignatures} signatures`)
  return { text: note.slice(0, split + 1), signatures: reversed.reverse().map(parseLine) }
}

/**
 * A note from the network or a file, before `openNote`: it must be UTF-8 without a byte order mark.
 * @throws PytiError `bad-note`
 */
export function decodeNote(bytes: Uint8Array): string {
  if (bytes.length > maxNote) throw badNote('it is too long')
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw badNote('it is not UTF-8')
  }
}

/**
 * Signs a text, which ends with a newline, with a log's key (type 0x01).
 * @throws PytiError `bad-note`
 */
export async function signNote(body: string, signer: NoteSigner): Promise<string> {
  const { name, publicKey } = signer
  const signature = await signer.sign(utf8(body))
  const note = `${body}\n${signatureLine({ name, id: keyId(name, 1, publicKey), signature })}`
  if (!body.endsWith('\n') || parseNote(note).text !== body) throw badNote('its text cannot be signed')
  return note
}

/**
 * A cosignature (C2SP tlog-cosignature, type 0x04) over the body of a checkpoint, as a line with its newline.
 * `time` in seconds since 1970.
 * @throws PytiError `bad-note`
 */
export async function cosignatureLine(body: string, time: number, signer: NoteSigner): Promise<string> {
  if (!isSize(time)) throw badNote('the time of a cosignature is whole seconds since 1970')
  const { name, publicKey } = signer
  const stamp = new DataView(new ArrayBuffer(8))
  stamp.setBigUint64(0, BigInt(time))
  const signature = concatBytes(new Uint8Array(stamp.buffer), await signer.sign(cosigned(body, time)))
  return signatureLine({ name, id: keyId(name, 4, publicKey), signature })
}

/** Seconds since 1970 that a cosignature states; undefined when it is not one. */
export function cosignatureTime(signature: Uint8Array): number | undefined {
  if (signature.length !== 72) return undefined
  const time = Number(viewOf(signature).getBigUint64(0))
  return isSize(time) ? time : undefined
}

/**
 * Adds a signature line, newline included. It stays as it is when it has that line already.
 * @throws PytiError `bad-note` for anything but one line, and for a second signature of one key
 */
export function addSignature(note: string, line: string): string {
  if (!/^[^\n]+\n$/.test(line)) throw badNote('what is added must be one line')
  const { signatures } = parseNote(note)
  if (signatures.some(signature => signatureLine(signature) === line)) return note
  const added = nameOf(parseLine(line.slice(0, -1)))
  if (signatures.some(signature => nameOf(signature) === added))
    throw badNote(`it has a signature of ${added} already`)
  const longer = note + line
  parseNote(longer)
  return longer
}

/** A signature as the line it is written in, newline included. */
export function signatureLine({ name, id, signature }: NoteSignature): string {
  const head = new Uint8Array(4)
  viewOf(head).setUint32(0, id)
  return `— ${name} ${toBase64(concatBytes(head, signature))}\n`
}

function parseLine(line: string): NoteSignature {
  const [dash, name, encoded, ...more] = line.split(' ')
  if (dash !== '—' || name === undefined || encoded === undefined || more.length > 0)
    throw badNote('a line of its signatures does not have the form of one')
  if (!vkeyName.test(name)) throw badNote('a name in its signatures is not one of a key')
  const bytes = fromBase64(encoded)
  if (bytes === undefined || bytes.length < 5) throw badNote('a signature in it is not base64 of one')
  return { name, id: viewOf(bytes).getUint32(0), signature: bytes.subarray(4) }
}

async function holds(vkey: Vkey, text: string, signature: Uint8Array): Promise<boolean> {
  if (vkey.type === 1) return verifySignature(vkey.publicKey, utf8(text), signature)
  const time = cosignatureTime(signature)
  return time !== undefined && verifySignature(vkey.publicKey, cosigned(text, time), signature.subarray(8))
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
}

/** What a key is looked up by: both parts, as a key id alone is cheap to collide (attestation.md section 4, pitfall 12). */
function nameOf({ name, id }: { name: string; id: number }): string {
  return `${name}+${id.toString(16).padStart(8, '0')}`
}

function badNote(why: string): PytiError {
  return new PytiError('bad-note', `not an acceptable note: ${why}`)
}
