import type { Random } from '../../bench/sabotage/random.ts'
import { sign, statementType } from '../../src/attest/dsse.ts'
import { rawDataStatement } from '../../src/attest/raw-statement.ts'
import { rfc3339 } from '../../src/clock.ts'
import { messageOf } from '../../src/errors.ts'
import { CommandError } from '../../src/net/command-error.ts'
import { canonicalBytes, sha256 } from '../../src/wire/canonical.ts'
import { commandApiVersion, releaseReasons } from '../../src/wire/commands.ts'
import type { Envelope } from '../../src/wire/envelope.ts'
import { type Job, jobId, type Lease } from '../../src/wire/job.ts'
import type { TestIdentity } from './raw-data.ts'
import { type Answer, answer, type Lie } from './sim-answers.ts'
import type { SimLine } from './sim-network.ts'
import { type SimProcess, type SimQueue, startProcess } from './sim-queue.ts'

/** What a volunteer is like; chances are per lease. */
export interface Character {
  name: string
  operator?: string
  /** Network prefix it is seen in. */
  prefix: string
  cpu: string
  slots: number
  lie?: Lie
  lies: number
  /** The same for bundled samples, which it knows from other files. @default lies */
  liesOfSamples?: number
  /** Does nothing until the lease has run out. */
  stalls: number
  /** And then says that it holds it still. */
  stallsForEver?: boolean
  /** Hands in old envelopes, its own or others', before the right one. */
  replays: number
  /** Signs what somebody else found. */
  copies: number
  /** Hands in twice at a time, and then something else. */
  twice: number
  /** Goes away for so long that the lease is lost, and hands in all the same. */
  vanishes: number
  /** Gives the lease back. */
  releases: number
  /** Keeps the blobs to itself, or changes their bytes. */
  withholds: number
  /** Asks for leases all the time, and sends rubbish. */
  pesters: boolean
  /** Longest run of a job, milliseconds. */
  slowestMs: number
}

/** What all volunteers share: the grapevine, and who looks on. */
export interface VolunteerHub {
  queue: SimQueue
  random: Random
  /** Whether what comes and goes by chance still does. */
  calm(): boolean
  /** Every envelope ever made, and honest answers by job. */
  envelopes: { volunteer: string; job: string; envelope: Envelope }[]
  found: Map<string, Answer>
  note(what: string): void
  /** Raw data was taken: what came back. */
  onReceipt(volunteer: string, attestation: string, receipt: string): void
  /** A replay was taken. */
  onFault(what: string): void
  /** Checks the log's head as a volunteer does. */
  lookAtLog(line: SimLine, volunteer: string): Promise<void>
}

/** A volunteer that does what its character says, by the real command API, and nothing in real time. */
export interface SimVolunteer {
  readonly peer: string
  readonly character: Character
  /** Ends what it does; it starts anew after a while and knows of no lease any more. */
  crash(): void
  cut(): void
}

export function createSimVolunteer(
  hub: VolunteerHub,
  identity: TestIdentity,
  character: Character,
  line: SimLine,
): SimVolunteer {
  const { queue, random } = hub
  const { name } = character
  const blobs = new Map<string, Uint8Array>()
  let process: SimProcess
  line.serveBlobs(async digest => {
    const bytes = blobs.get(digest)
    return (
      bytes && { size: bytes.length, read: async (offset, length) => bytes.slice(offset, offset + length) }
    )
  })

  const start = () => {
    process = startProcess(queue, name)
    void live(process)
  }

  const live = async (self: SimProcess): Promise<void> => {
    const working = new Set<string>()
    let greeted = false
    let awayUntil = 0
    /** A dead process goes no further than its next wait. */
    const wait = async <T>(work: Promise<T>): Promise<T> => {
      try {
        return await work
      } finally {
        if (!self.alive) await new Promise(() => {})
      }
    }
    const rest = (ms: number) => wait(self.clock.sleep(1 + random.below(ms)))

    const attest = async (job: Job, { rawData, blobs: kept }: Answer): Promise<Envelope> => {
      for (const bytes of kept) blobs.set(sha256(bytes), bytes)
      const now = rfc3339(queue.now())
      const statement = rawDataStatement({
        volunteer: line.peer,
        rawData,
        round: 1,
        startedOn: now,
        finishedOn: now,
        salt: sha256(`${name} ${random.next()}`).slice(0, 32),
      })
      const envelope = await wait(sign(statementType, canonicalBytes(statement), identity))
      hub.envelopes.push({ volunteer: line.peer, job: jobId(job), envelope })
      return envelope
    }

    /** @returns what came of it, `again` when it may be tried again */
    const handIn = async (lease: string, envelope: Envelope): Promise<string> => {
      try {
        const { attestation, receipt } = await wait(line.call('raw-data', { lease, envelope }))
        hub.note(`${name} handed in ${attestation.slice(0, 8)}`)
        hub.onReceipt(line.peer, attestation, receipt)
        return 'taken'
      } catch (error) {
        hub.note(`${name} could not hand in: ${messageOf(error)}`)
        const passing = ['BUSY', 'RATE_LIMITED', 'INTERNAL']
        return error instanceof CommandError && !passing.includes(error.code) ? error.code : 'again'
      }
    }

    const replay = async ({ id, job }: Lease) => {
      const others = hub.envelopes.filter(one => one.volunteer !== line.peer || one.job !== jobId(job))
      const old = others[random.below(others.length)]
      if (old && (await handIn(id, old.envelope)) === 'taken')
        hub.onFault(
          `an envelope of ${old.volunteer} for ${old.job} was taken from ${line.peer} for ${jobId(job)}`,
        )
    }

    const findOut = (job: Job): Answer => {
      const { lies, liesOfSamples = lies } = character
      const lie = random.chance(job.origin === 'coordinator' ? liesOfSamples : lies)
        ? character.lie
        : undefined
      const copied = random.chance(character.copies) ? hub.found.get(jobId(job)) : undefined
      if (copied) return copied
      const found = answer(name, job, random, lie)
      if (!lie) hub.found.set(jobId(job), found)
      return found
    }

    const deliver = async (lease: Lease) => {
      const { id, job } = lease
      if (random.chance(character.replays)) await replay(lease)
      const envelope = await attest(job, findOut(job))
      const [digest] = blobs.keys()
      if (random.chance(character.withholds) && digest) {
        if (random.chance(0.5)) blobs.clear()
        else blobs.set([...blobs.keys()].at(-1) ?? digest, Buffer.from('other bytes'))
      }
      if (random.chance(character.twice)) {
        await Promise.all([handIn(id, envelope), handIn(id, envelope)])
        await handIn(id, await attest(job, answer(name, job, random, undefined)))
      }
      for (let times = 0; times < 100; times += 1) {
        if (line.isOpen() && greeted && (await handIn(id, envelope)) !== 'again') return
        await rest(10_000)
      }
    }

    const work = async (lease: Lease) => {
      working.add(lease.id)
      if (random.chance(character.stalls)) {
        if (character.stallsForEver) return
        await wait(self.clock.sleep(lease.remainingMs))
        working.delete(lease.id)
        return
      }
      if (random.chance(character.vanishes)) {
        awayUntil = queue.now() + 30_000
        line.cut()
      }
      await rest(character.slowestMs)
      if (random.chance(character.releases)) {
        const reason = releaseReasons[random.below(releaseReasons.length)] ?? 'internal'
        await wait(line.call('release', { lease: lease.id, reason, message: '' }).catch(() => undefined))
      } else await deliver(lease)
      working.delete(lease.id)
    }

    const greet = async () => {
      if (!line.isOpen()) await wait(line.open())
      const { slots, cpu, operator } = character
      await wait(
        line.call('hello', {
          version: commandApiVersion,
          slots,
          backends: ['uml'],
          cpu,
          ...(operator !== undefined && { operator }),
          leases: [...working],
        }),
      )
      greeted = true
      await wait(hub.lookAtLog(line, line.peer))
    }

    const pester = async () => {
      for (let times = 0; times < 5; times += 1) void line.call('lease', { want: 64 }).catch(() => undefined)
      const someone = hub.envelopes[random.below(hub.envelopes.length)]
      if (someone) void line.call('status', { job: someone.job }).catch(() => undefined)
      const lease = sha256(`${name} ${random.next()}`).slice(0, 32)
      void line.call('release', { lease, reason: 'internal', message: '' }).catch(() => undefined)
      void line.send('raw-data', Buffer.from(`{"lease":"${lease}","envelope":[`)).catch(() => undefined)
      await rest(1_000)
    }

    await rest(20_000)
    for (;;) {
      while (queue.now() < awayUntil) await rest(5_000)
      let leases: Lease[] = []
      try {
        if (!line.isOpen() || !greeted) {
          greeted = false
          await greet()
        }
        if (character.pesters && !hub.calm()) await pester()
        const want = character.slots - working.size
        if (want > 0) leases = (await wait(line.call('lease', { want }))).leases
      } catch (error) {
        hub.note(`${name}: ${messageOf(error)}`)
        greeted = false
      }
      for (const lease of leases) {
        hub.note(`${name} has lease ${lease.id.slice(0, 8)}`)
        if (!working.has(lease.id)) void work(lease)
      }
      await rest(greeted ? 20_000 : 5_000)
      if (random.chance(0.1) && line.isOpen() && greeted)
        await hub.lookAtLog(line, line.peer).catch(() => undefined)
    }
  }

  start()
  return {
    peer: line.peer,
    character,
    crash() {
      process.kill()
      line.cut()
      blobs.clear()
      hub.note(`${name} crashes`)
      queue.after(random.below(60_000), `${name} starts`, start)
    },
    cut: () => line.cut(),
  }
}
