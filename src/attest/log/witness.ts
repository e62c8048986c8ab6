import { PytiError } from '../../errors.ts'
import { toBase64 } from '../../wire/bytes.ts'
import { type Checkpoint, cosign, openCheckpoint, parseCheckpoint } from './checkpoint.ts'
import { emptyRoot, verifyConsistency } from './merkle.ts'
import { type NoteSigner, parseNote, type Vkey } from './note.ts'
import { decimal, hashLines } from './text.ts'

/** What a witness remembers of a log: the newest checkpoint that it cosigned. `note` is it as the log signed it. */
export interface WitnessState {
  readonly size: number
  readonly root: Uint8Array
  readonly note: string
}

export interface WitnessConfig {
  readonly log: Vkey
  /** Holds a key used for cosignatures only, bound to this one name. */
  readonly signer: NoteSigner
  /** Seconds since 1970, now. */
  readonly time: number
}

/**
 * An answer of the C2SP witness API. `next` is there with status 200 only. `body` is then the cosignature, with 409 the size
 * that the witness is at, and otherwise a sentence.
 */
export interface WitnessResponse {
  readonly status: 200 | 400 | 403 | 404 | 409 | 422
  readonly body: string
  readonly next?: WitnessState
}

const maxRequest = 128 * 1024

/**
 * Answers `add-checkpoint` (C2SP tlog-witness). The caller must store `next` durably, and only where `state` is still what
 * is stored, before it sends the answer: two answers from one state would let a log fork.
 * @throws what the signer throws
 */
export async function respond(
  state: WitnessState | undefined,
  requestBody: string,
  { log, signer, time }: WitnessConfig,
): Promise<WitnessResponse> {
  const request = parseRequest(requestBody)
  if (request === undefined) return answer(400, 'the request does not have the form of one')
  const { oldSize, proof, note, body, checkpoint } = request
  if (checkpoint.origin !== log.name) return answer(404, 'this witness does not know that log')
  try {
    await openCheckpoint(note, log)
  } catch {
    return answer(403, 'the key of the log did not sign that')
  }
  if (oldSize > checkpoint.size) return answer(400, 'the old size is above that of the checkpoint')
  const known = state ?? { size: 0, root: emptyRoot }
  if (oldSize !== known.size) return answer(409, String(known.size))
  try {
    const { size: newSize, root: newRoot } = checkpoint
    verifyConsistency({ oldSize, oldRoot: known.root, newSize, newRoot, proof })
  } catch {
    // Only a second root for one size is a conflict; a log that shows two has forked.
    const forked = oldSize > 0 && oldSize === checkpoint.size && proof.length === 0
    return forked ? answer(409, String(known.size)) : answer(422, 'the proof of consistency does not hold')
  }
  const cosignature = await cosign(body, time, signer)
  return { status: 200, body: cosignature, next: { size: checkpoint.size, root: checkpoint.root, note } }
}

/**
 * The body of an `add-checkpoint` request: `note` is the new checkpoint, `proof` leads to it from `oldSize`.
 * @throws PytiError `bad-proof` for more than 63 hashes or one that is none
 */
export function formatRequest(request: {
  oldSize: number
  proof: readonly Uint8Array[]
  note: string
}): string {
  const hashes = request.proof.map(toBase64)
  if (hashLines(hashes) === undefined)
    throw new PytiError('bad-proof', 'a witness does not take such a proof')
  return `${[`old ${request.oldSize}`, ...hashes].join('\n')}\n\n${request.note}`
}

interface Request {
  readonly oldSize: number
  readonly proof: readonly Uint8Array[]
  readonly note: string
  /** The text of the note, which is what gets signed. */
  readonly body: string
  readonly checkpoint: Checkpoint
}

function parseRequest(text: string): Request | undefined {
  if (text.length > maxRequest) return undefined
  const split = text.indexOf('\n\n')
  const [first = '', ...lines] = split < 0 ? [] : text.slice(0, split).split('\n')
  const oldSize = decimal(/^old (.+)$/.exec(first)?.[1])
  const proof = hashLines(lines)
  if (oldSize === undefined || proof === undefined) return undefined
  const note = text.slice(split + 2)
  try {
    const { text: body } = parseNote(note)
    return { oldSize, proof, note, body, checkpoint: parseCheckpoint(body) }
  } catch {
    return undefined
  }
}

function answer(status: Exclude<WitnessResponse['status'], 200>, body: string): WitnessResponse {
  return { status, body: `${body}\n` }
}
