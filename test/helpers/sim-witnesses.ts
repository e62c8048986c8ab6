import type { Random } from '../../bench/sabotage/random.ts'
import { formatVkey, parseVkey, type Vkey } from '../../src/attest/log/note.ts'
import { createCosigner } from '../../src/coordinator/cosign.ts'
import type { SequencerOptions } from '../../src/coordinator/sequencer.ts'
import { PytiError } from '../../src/errors.ts'
import { createMemoryStore } from '../../src/store/memory.ts'
import type { Store } from '../../src/store/store.ts'
import type { CommandReply } from '../../src/wire/commands.ts'
import { openWitness, type Witness } from '../../src/witness/witness.ts'
import type { TestIdentity } from './raw-data.ts'
import type { SimShape } from './sim-people.ts'
import type { SimProcess, SimQueue } from './sim-queue.ts'
import { simIdentity } from './sim-signatures.ts'

/** Real witnesses of the log, asked by the coordinator's own code: slow, gone for a while, back with an older view, unwilling. */
export interface SimWitnesses {
  /** As C2SP vkeys. */
  readonly keys: readonly string[]
  /** So many must sign. */
  readonly threshold: number
  /** Asks them in one life of the coordinator; undefined where there are none. */
  cosigner(process: SimProcess): SequencerOptions['cosign']
  /** Since when as many as must sign have done all that was asked of them; undefined while fewer do. */
  ableSince(): number | undefined
  /** All are back, and stay. */
  calm(): void
}

export interface SimWitnessesOptions {
  queue: SimQueue
  random: Random
  logKey: string
  count: number
  threshold: number
  /** Whether they go away for minutes, too, and not only fail one time in ten. */
  unsteady: boolean
  /** When all of them are gone for longer than the log may take, and for how long; milliseconds from now. */
  outage: { after: number; ms: number } | undefined
  note(what: string): void
}

const moods = ['well', 'slow', 'gone', 'refuses'] as const
type Mood = (typeof moods)[number]
type Reply = CommandReply<'add-checkpoint'>

interface Seat {
  readonly name: string
  readonly identity: TestIdentity
  store: Store
  witness: Witness
  /** As it was a while ago: from a backup it may come back with that. */
  backup: Store
  mood: Mood
  /** Undefined while it does not do what is asked of it. */
  wellSince: number | undefined
}

export async function createSimWitnesses(options: SimWitnessesOptions): Promise<SimWitnesses> {
  const { queue, random, threshold, note } = options
  const log = parseVkey(options.logKey)
  let isCalm = false
  const seats: Seat[] = []
  for (let number = 0; number < options.count; number += 1) {
    const name = `witness-${number}.example`
    const identity = await simIdentity(name)
    const store = createMemoryStore()
    const witness = await open(store, { name, ...identity }, log, queue)
    const wellSince = queue.now()
    seats.push({ name, identity, store, witness, backup: await copyOf(store), mood: 'well', wellSince })
  }

  const change = async (seat: Seat, mood: Mood) => {
    if (seat.mood === 'gone' && mood !== 'gone' && random.chance(0.4)) {
      note(`${seat.name} comes back as it was`)
      seat.store = await copyOf(seat.backup)
      seat.witness = await open(seat.store, { name: seat.name, ...seat.identity }, log, queue)
    } else if (random.chance(0.5)) seat.backup = await copyOf(seat.store)
    note(`${seat.name} is ${mood}`)
    const isAble = mood === 'well' || mood === 'slow'
    seat.wellSince = isAble ? (seat.wellSince ?? queue.now()) : undefined
    seat.mood = mood
  }
  const live = (seat: Seat) =>
    queue.after(1 + random.below(120_000), 'a witness changes', () => {
      if (isCalm) return
      void change(seat, random.chance(0.5) ? 'well' : (moods[1 + random.below(3)] ?? 'gone'))
      live(seat)
    })
  if (options.unsteady) for (const seat of seats) live(seat)
  const { outage } = options
  if (outage)
    queue.after(outage.after, 'all witnesses go', () => {
      const until = queue.now() + outage.ms
      const away = () => {
        if (isCalm || queue.now() > until) return
        for (const seat of seats) if (seat.mood !== 'gone') void change(seat, 'gone')
        queue.after(1_000, 'no witness comes back', away)
      }
      away()
    })

  /** What one says that does not want to, or has something else to tell. */
  const refusal = async (seat: Seat, body: string): Promise<Reply> => {
    const other = await seats.find(one => one !== seat)?.witness.addCheckpoint(body)
    const size = /^old (\d+)/.exec(body)?.[1] ?? '0'
    const replies: Reply[] = [
      { status: 403, body: 'not today\n' },
      { status: 409, body: `${size}\n` },
      { status: 409, body: '9007199254740991\n' },
      { status: 409, body: 'many\n' },
      { status: 500, body: '' },
      { status: 200, body: 'it is fine\n' },
      other ?? { status: 404, body: '\n' },
    ]
    return replies[random.below(replies.length)] ?? { status: 404, body: '\n' }
  }

  /** One request and its answer, which a dead process does not hear. */
  const ask = (seat: Seat, body: string, process: SimProcess, signal: AbortSignal): Promise<Reply> =>
    new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true })
      const way = () => (seat.mood === 'slow' ? 300 + random.below(1_700) : 1 + random.below(150))
      const fail = () => {
        if (seat.wellSince !== undefined) seat.wellSince = queue.now()
        if (random.chance(0.5)) reject(new PytiError('unreachable', `${seat.name} cannot be reached`))
      }
      queue.after(way(), `${seat.name} is asked`, async () => {
        const isLost = !isCalm && random.chance(0.1)
        if (seat.mood === 'gone' || (isLost && random.chance(0.5))) return fail()
        const reply =
          seat.mood === 'refuses' ? await refusal(seat, body) : await seat.witness.addCheckpoint(body)
        if (isLost) return fail()
        process.after(way(), `${seat.name} answers`, () => resolve(reply))
      })
    })

  return {
    keys: seats.map(({ name, identity }) => formatVkey(name, 4, identity.publicKey)),
    threshold,
    cosigner(process) {
      if (seats.length === 0) return undefined
      return createCosigner({
        witnesses: seats.map(({ name, identity }) => ({
          vkey: formatVkey(name, 4, identity.publicKey),
          where: identity.peerId,
        })),
        threshold,
        clock: process.clock,
        network: {
          async request(peer, _, request, { signal } = {}) {
            const seat = seats.find(one => one.identity.peerId === peer)
            if (!seat || !signal || !('body' in request)) throw new Error(`nobody is to ask ${peer}`)
            // No other command is asked of them.
            return (await ask(seat, request.body, process, signal)) as never
          },
        },
      })
    },
    ableSince() {
      const since = seats.map(({ wellSince = Number.POSITIVE_INFINITY }) => wellSince).sort((a, b) => a - b)
      const last = threshold === 0 ? 0 : (since[threshold - 1] ?? Number.POSITIVE_INFINITY)
      return last === Number.POSITIVE_INFINITY ? undefined : last
    },
    calm() {
      isCalm = true
      for (const seat of seats) void change(seat, 'well')
    },
  }
}

function open(
  store: Store,
  signer: TestIdentity & { name: string },
  log: Vkey,
  clock: { now(): number },
): Promise<Witness> {
  return openWitness({ store, signer, logOf: origin => (origin === log.name ? log : undefined), clock })
}

async function copyOf(store: Store): Promise<Store> {
  const copy = createMemoryStore()
  for await (const [key, value] of store.entries('')) await copy.batch([{ type: 'put', key, value }])
  return copy
}

/** How many witnesses a world has, how many of them must sign, and whether all of them are away for a while. */
export function watch(
  random: Random,
  { weighed, witnessed = false, minutes }: SimShape,
): Pick<SimWitnessesOptions, 'count' | 'threshold' | 'outage'> {
  if (!witnessed) {
    const count = weighed && random.chance(0.4) ? 1 : 0
    return { count, threshold: count, outage: undefined }
  }
  const count = 2 + random.below(4)
  const least = Math.floor(count / 2) + 1
  const threshold = least + random.below(Math.min(2, count - least + 1))
  // Longer than the two minutes within which receipts are to be honoured.
  const away = { after: random.below(minutes * 30_000), ms: 150_000 + random.below(150_000) }
  return { count, threshold, outage: random.chance(0.4) ? away : undefined }
}
