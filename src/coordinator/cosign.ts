import { parseCheckpoint } from '../attest/log/checkpoint.ts'
import { addSignature, openNote, parseNote, parseVkey, signatureLine, type Vkey } from '../attest/log/note.ts'
import { formatRequest } from '../attest/log/witness.ts'
import type { Clock } from '../clock.ts'
import { messageOf, PytiError } from '../errors.ts'
import type { Network } from '../net/network.ts'
import { publicKeyFromPeerId } from '../peer-id.ts'
import type { SequencerOptions } from './sequencer.ts'
import { postCheckpoint } from './witness-http.ts'

/** A witness the coordinator asks: its C2SP vkey, and the URL of its API or the peer id that it has on the network. */
export interface WitnessAddress {
  readonly vkey: string
  readonly where: string
}

/**
 * `VKEY=WHERE`: base64 may end in `=`, so the one before a URL or a peer id counts.
 * @throws PytiError `bad-witness`
 */
export function parseWitness(text: string): WitnessAddress {
  const [, vkey, where] = /^(.+)=(https?:\/\/.+|12D3.+)$/.exec(text) ?? []
  if (vkey === undefined || where === undefined)
    throw badWitness(`${JSON.stringify(text.slice(0, 200))} is not VKEY=URL or VKEY=PEERID`)
  return { vkey, where }
}

export interface CosignerOptions {
  witnesses: readonly WitnessAddress[]
  /** For those that have a peer id. */
  network?: Pick<Network, 'request'>
  clock: Clock
  /** So many must sign. @default all */
  threshold?: number | undefined
  /** For all that one witness is asked about one checkpoint. @default 10000 */
  timeoutMs?: number
  /** For the others, once so many have signed as must. @default 500 */
  graceMs?: number
}

type Cosign = NonNullable<SequencerOptions['cosign']>
type ProveFrom = Parameters<Cosign>[1]
interface Seat {
  readonly vkey: Vkey
  /** Leaves below the newest checkpoint that it cosigned, as far as this process knows. */
  size: number
  post(body: string, signal: AbortSignal): Promise<{ status: number; body: string }>
}

/** A witness that moves on while it is asked is asked again, so often. */
const tries = 3

/**
 * Asks every witness for its signature, all at once. Enough must come, and all that come must hold.
 * Throws PytiError `bad-witness` for an address that is none; what it returns throws `witness-missing`.
 */
export function createCosigner(options: CosignerOptions): Cosign {
  const { witnesses, network, clock, timeoutMs = 10_000, graceMs = 500 } = options
  const { threshold = witnesses.length } = options
  const seats = witnesses.map(witness => seatOf(witness, network))
  const keys = new Set(seats.map(({ vkey }) => `${vkey.name} ${vkey.id}`))
  if (keys.size < seats.length) throw badWitness('two witnesses have one key')
  return async (note, proveFrom) => {
    const enough = new AbortController()
    let signed = 0
    const answers = await Promise.all(
      seats.map(async seat => {
        try {
          const work = (signal: AbortSignal) => ask(seat, note, proveFrom, signal)
          const line = await inTime(clock, timeoutMs, enough.signal, work)
          signed += 1
          if (signed === threshold) void inGrace(clock, graceMs, enough)
          return { line }
        } catch (error) {
          return { missing: `${seat.vkey.name}: ${messageOf(error)}` }
        }
      }),
    )
    enough.abort()
    const missing = answers.flatMap(answer => answer.missing ?? [])
    if (signed < threshold)
      throw new PytiError(
        'witness-missing',
        `${signed} of ${seats.length} witnesses signed, ${threshold} must: ${missing.join('; ')}`,
        {
          hint: 'start the witnesses, or start the coordinator without those that are gone',
          details: { missing },
        },
      )
    return answers.flatMap(answer => answer.line ?? []).reduce(addSignature, note)
  }
}

async function ask(seat: Seat, note: string, proveFrom: ProveFrom, signal: AbortSignal): Promise<string> {
  const { size } = parseCheckpoint(parseNote(note).text)
  for (let attempt = 1; attempt <= tries; attempt += 1) {
    const oldSize = Math.min(seat.size, size)
    const proof = await proveFrom(oldSize)
    const { status, body } = await seat.post(formatRequest({ oldSize, proof, note }), signal)
    if (status === 200) {
      const line = await lineOf(note, body, seat.vkey)
      seat.size = size
      return line
    }
    if (status !== 409) throw refused(`it answered ${status}: ${firstLine(body)}`)
    const at = /^(?:0|[1-9]\d{0,15})\n$/.test(body) ? Number(body) : Number.NaN
    if (!Number.isSafeInteger(at)) throw refused('it answered 409 without the size it is at')
    if (at > size) throw refused(`it has seen ${at} leaves of this log already, which has ${size} here`)
    if (at === oldSize) throw refused(`it has seen another tree of ${at} leaves of this log`)
    seat.size = at
  }
  throw refused('its size changed with every answer')
}

/** Of the lines a witness returned, the one that holds under its key. */
async function lineOf(note: string, body: string, vkey: Vkey): Promise<string> {
  const lines = body.split('\n').filter(line => line !== '')
  for (const line of lines.slice(0, 16)) {
    const { text, signatures } = parseNote(`${parseNote(note).text}\n${line}\n`)
    const [signature] = signatures
    if (signature?.name !== vkey.name || signature.id !== vkey.id) continue
    await openNote(`${text}\n${line}\n`, [vkey])
    return signatureLine(signature)
  }
  throw refused('its answer holds no signature of its key')
}

function seatOf({ vkey: text, where }: WitnessAddress, network: CosignerOptions['network']): Seat {
  const vkey = parseVkey(text)
  if (vkey.type !== 4) throw badWitness(`the key of ${vkey.name} is that of a log`)
  if (/^https?:/.test(where)) {
    const url = URL.canParse(where) ? new URL(where) : undefined
    if (url?.search !== '' || url.hash !== '') throw badWitness(`${where} is no address of a witness`)
    const whole = `${url.href.replace(/\/+$/, '')}/add-checkpoint`
    return { vkey, size: 0, post: (body, signal) => postCheckpoint(whole, body, signal) }
  }
  try {
    publicKeyFromPeerId(where)
  } catch (cause) {
    throw badWitness(`${where} is neither a URL nor a peer id`, cause)
  }
  if (network === undefined) throw badWitness(`there is no network to find ${where} in`)
  return {
    vkey,
    size: 0,
    post: (body, signal) => network.request(where, 'add-checkpoint', { body }, { signal }),
  }
}

/** Lets those go that have not answered after so long. */
async function inGrace(clock: Clock, ms: number, enough: AbortController): Promise<void> {
  await clock.sleep(ms, enough.signal).catch(() => {})
  enough.abort(refused(`no answer ${ms} ms after enough others had signed`))
}

/** Ends `work` after so long, or when enough have answered, even where it does not listen to its signal. */
async function inTime<T>(
  clock: Clock,
  ms: number,
  enough: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const late = new AbortController()
  const over = Promise.withResolvers<never>()
  over.promise.catch(() => {})
  const giveUp = () => {
    late.abort(enough.reason)
    over.reject(enough.reason)
  }
  enough.addEventListener('abort', giveUp, { once: true })
  const done = new AbortController()
  const limit = clock.sleep(ms, done.signal).then(() => {
    late.abort(refused(`no answer within ${ms} ms`))
    throw late.signal.reason
  })
  // Ended by `done` below.
  limit.catch(() => {})
  try {
    return await Promise.race([work(late.signal), limit, over.promise])
  } finally {
    enough.removeEventListener('abort', giveUp)
    done.abort()
  }
}

function firstLine(body: string): string {
  return JSON.stringify(body.split('\n', 1)[0]?.slice(0, 200) ?? '')
}

function refused(why: string): PytiError {
  return new PytiError('witness-refused', why)
}

function badWitness(why: string, cause?: unknown): PytiError {
  return new PytiError('bad-witness', `not a witness that can be asked: ${why}`, {
    hint: 'write VKEY=http://HOST:PORT or VKEY=PEERID; `pyti witness` prints both',
    cause,
  })
}
