import { createHash } from 'node:crypto'
import { createRandom, seedFor } from '../../bench/sabotage/random.ts'
import type { Checkpoint } from '../../src/attest/log/checkpoint.ts'
import { formatVkey } from '../../src/attest/log/note.ts'
import { isFinished } from '../../src/coordinator/state.ts'
import { messageOf } from '../../src/errors.ts'
import { peerIdFromPublicKey } from '../../src/peer-id.ts'
import type { Write } from '../../src/store/store.ts'
import { testJob } from './raw-data.ts'
import { natures, simRequest } from './sim-answers.ts'
import { createSimChecks, type SimChecks } from './sim-checks.ts'
import { createSimCoordinator } from './sim-coordinator.ts'
import { auditEnd } from './sim-end.ts'
import { createSimNetwork } from './sim-network.ts'
import { populate, type SimShape } from './sim-people.ts'
import { createSimQueue } from './sim-queue.ts'
import type { SampleFigures } from './sim-sample-model.ts'
import { createSimSamples } from './sim-samples.ts'
import { simIdentity } from './sim-signatures.ts'
import { createSimStorage } from './sim-storage.ts'
import { type Character, createSimVolunteer, type SimVolunteer } from './sim-volunteer.ts'
import { createSimWitnesses, watch } from './sim-witnesses.ts'

export interface SimResult extends SampleFigures {
  seed: number
  /** SHA-256 over everything that was observed. */
  hash: string
  steps: number
  minutes: number
  reported: number
  unresolved: number
  crashes: number
  /** Receipts that were kept too late, as the log could not go on. */
  late: number
  withdrawn: number
  banned: number
  faults: string[]
  /** What happened last, newest last. */
  last: string[]
}

const minute = 60_000
/** Every job must have ended by then, counted from the last fault. */
const patience = 180 * minute
/** Promise of every receipt. */
const mergeMs = 2 * minute
const shownEvents = 40

const { hashSeed: _, ...profile } = testJob().profile

export interface SimOptions {
  /** Gets every event as a line. */
  trace?(line: string): void
  /** What the checks are shown in place of a batch: to see that they notice. */
  shown?(writes: readonly Write[]): readonly Write[]
  /** How many witnesses the checks want, in place of how many must sign. */
  threshold?: number
  /** How many the checks take for one ring at most, in place of how many there are. */
  ring?: number
}

/** Runs one world to its end, or to the first fault. */
export async function simulate(seed: number, shape: SimShape, options: SimOptions = {}): Promise<SimResult> {
  const calmAt = shape.minutes * minute
  const stream = (name: string) => createRandom(seedFor(seed, name))
  const random = stream('world')
  const queue = createSimQueue()
  const start = queue.now()
  const hash = createHash('sha256')
  const last: string[] = []
  const note = (what: string) => {
    const line = `${((queue.now() - start) / 1_000).toFixed(3)} ${what}`
    hash.update(`${line}\n`)
    last.push(line)
    if (last.length > shownEvents) last.shift()
    options.trace?.(line)
  }

  let calm = false
  const population = populate(stream('people'), shape)
  const people = { ...population, ring: options.ring ?? population.ring }
  const peerOf = async (name: string) => (await simIdentity(name)).peerId
  const characters = new Map<string, Character>()
  for (const character of people.characters) characters.set(await peerOf(character.name), character)
  const reportSigner = await simIdentity('report key')
  const logSigner = await simIdentity('log key')
  const logKey = formatVkey(
    `pyti.example/log/${peerIdFromPublicKey(logSigner.publicKey)}`,
    1,
    logSigner.publicKey,
  )
  const watched = watch(stream('watched'), shape)
  const witnesses = await createSimWitnesses({
    queue,
    random: stream('witnesses'),
    logKey,
    unsteady: shape.witnessed ?? false,
    ...watched,
    note,
  })
  const { keys, threshold } = witnesses
  const limits = { maxAttempts: 24, fileComplaints: 3 }
  let checks: SimChecks | undefined

  const storage = createSimStorage({
    random: stream('storage'),
    slowReads: random.chance(0.5) ? 0.05 : 0,
    failures: () => (calm ? 0 : 0.0005),
    onBatch(writes) {
      note(`batch ${createHash('sha256').update(JSON.stringify(writes)).digest('hex').slice(0, 16)}`)
      try {
        checks?.onBatch(options.shown?.(writes) ?? writes)
      } catch (error) {
        checks?.fault(`what was written cannot be read: ${messageOf(error)}`)
      }
    },
    onCheckpoint(bytes) {
      note('checkpoint')
      checks?.onCheckpoint(bytes)
    },
  })
  const judge = createSimChecks({
    blobs: storage.blobs,
    logKey,
    reportKey: peerIdFromPublicKey(reportSigner.publicKey),
    witnesses: keys,
    threshold: options.threshold ?? threshold,
    now: queue.now,
    people,
    characterOf: volunteer => characters.get(volunteer),
    ...limits,
    onTurn: () => {
      if (random.chance(0.15)) crashSoon(random.below(random.chance(0.7) ? 15 : 5_000))
    },
  })
  checks = judge
  const network = createSimNetwork(queue, stream('network'))
  network.faults = { lose: 0.02, repeat: 0.05, slowestMs: 20 + random.below(2_000) }
  let crashes = 0
  const restart = () => void queue.after(1 + random.below(30_000), 'coordinator starts', coordinator.start)
  const coordinator = createSimCoordinator({
    queue,
    random: stream('coordinator'),
    network,
    storage,
    config: {
      profiles: [{ ...profile, wallSeconds: 60 }],
      leaseExtraMs: 20_000,
      mergeMs,
      rosterMs: minute,
      passMs: 30_000,
      knownPerMille: 250,
      samplePerMille: 700,
      knownHoldMs: 10 * minute,
      founders: await Promise.all(people.founders.map(peerOf)),
      referees: await Promise.all(people.referees.map(peerOf)),
      witnesses: [...keys],
      ...(threshold < keys.length && { witnessThreshold: threshold }),
      ...limits,
    },
    reportSigner,
    logSigner,
    logKey,
    witnesses,
    samples: process =>
      shape.sampled
        ? createSimSamples(async () => {
            await new Promise<void>(resolve =>
              process.after(random.below(3_000), 'a sample is made', resolve),
            )
            judge.samples.onMade()
          })
        : undefined,
    note,
    fault: judge.fault,
    onFailure: () =>
      queue.after(random.below(1_000), 'coordinator ends', () => {
        crashes += 1
        coordinator.crash('process')
        restart()
      }),
  })

  const crashSoon = (ms: number) =>
    queue.after(ms, 'the coordinator ends', () => {
      crashes += 1
      coordinator.crash(random.chance(0.5) ? 'process' : 'power')
      restart()
    })

  const seen = new Map<string, Checkpoint>()
  const hub = {
    queue,
    random: stream('volunteers'),
    calm: () => calm,
    envelopes: [],
    found: new Map(),
    note,
    onFault: judge.fault,
    onReceipt: (_: string, attestation: string, receipt: string) => judge.onReceipt(attestation, receipt),
    async lookAtLog(line: ReturnType<typeof network.line>, volunteer: string) {
      const before = seen.get(volunteer)
      try {
        const reply = await line.call('log-head', { size: before?.size ?? 0 })
        const head = await judge.onHead(before, reply)
        if (head.size > (seen.get(volunteer)?.size ?? 0)) seen.set(volunteer, head)
      } catch (error) {
        if (messageOf(error).includes('never had')) judge.fault(`the log went back: ${messageOf(error)}`)
        if (!messageOf(error).includes('still empty')) throw error
      }
    },
  }
  const volunteers: SimVolunteer[] = []
  for (const [peer, character] of characters) {
    const line = network.line(peer, character.name, character.prefix)
    volunteers.push(createSimVolunteer(hub, await simIdentity(character.name), character, line))
  }
  const client = network.line(await peerOf('client'), 'client', '')

  /** Whoever asks a process that dies hears nothing. */
  const answered = <T>(work: Promise<T> | undefined): Promise<T | undefined> =>
    Promise.race([
      work,
      new Promise<undefined>(resolve => queue.after(minute, 'no answer', () => resolve(undefined))),
    ])
  const accepted = new Set<string>()
  let asked = 0
  const submit = async (number: number): Promise<void> => {
    const nature = natures[Math.floor(random.next() ** 2 * natures.length)] ?? 'plain'
    const request = simRequest(nature, number)
    const { subject, origin, tasks } = request
    const byHand = random.chance(0.5)
    for (;;) {
      try {
        if (!byHand && !client.isOpen()) await client.open()
        const here = coordinator.running()
        const job = byHand
          ? await answered(here?.submit(request))
          : (await client.call('submit', { subject, origin, tasks: [...tasks] })).job
        if (job !== undefined) {
          note(`job ${job.slice(0, 8)} (${request.subject.project}) is accepted`)
          judge.onAccepted(job)
          accepted.add(job)
          asked += 1
          return
        }
      } catch (error) {
        note(`job not accepted: ${messageOf(error)}`)
      }
      await new Promise<void>(resolve => queue.after(3_000, 'submitter', () => resolve()))
    }
  }
  for (let number = 0; number < shape.jobs; number += 1)
    queue.after(
      10_000 + random.below(calmAt * 0.7),
      `job ${number} is asked for`,
      () => void submit(random.chance(shape.again ?? 0.2) ? 0 : number),
    )

  const someone = () => volunteers[random.below(volunteers.length)]
  const repeatedly = (what: string, everyMs: number, act: () => void) =>
    queue.after(1 + random.below(2 * everyMs), what, () => {
      if (calm) return
      act()
      repeatedly(what, everyMs, act)
    })
  repeatedly('a connection breaks', 400_000 / volunteers.length, () => someone()?.cut())
  repeatedly('a volunteer crashes', 2_000_000 / volunteers.length, () => someone()?.crash())
  let sleeps = 0
  repeatedly('the coordinator ends', 90_000, () => {
    const way = random.next()
    crashes += 1
    if (way < 0.2) {
      const stopped = coordinator.stop().then(() => {
        done = true
        restart()
      })
      let done = false
      const demandEnd = (before: number) =>
        queue.after(2 * minute, 'stopping takes long', () => {
          if (sleeps > before) demandEnd(sleeps)
          else if (!done && coordinator.running() === stopping) judge.fault('stop does not end')
        })
      demandEnd(sleeps)
      const stopping = coordinator.running()
      void stopped
      return
    }
    coordinator.crash(way < 0.6 ? 'process' : 'power')
    restart()
  })
  if (random.chance(0.15))
    queue.after(random.below(calmAt), 'the machine sleeps', () => {
      queue.jump(random.chance(0.5) ? 10 * minute : 26 * 60 * minute)
      coordinator.disturbed()
      sleeps += 1
    })
  queue.after(calmAt, 'everything is calm from here on', () => {
    calm = true
    witnesses.calm()
    network.faults = { lose: 0, repeat: 0, slowestMs: 200 }
    calmSince = queue.now()
    restart()
  })
  let calmSince = Number.POSITIVE_INFINITY
  coordinator.start()

  const isOver = () =>
    calm &&
    queue.now() > calmSince + minute &&
    asked === shape.jobs &&
    [...judge.jobs.jobs.values()].every(isFinished) &&
    judge.log.published() === judge.log.leaves.length

  /** While too few witnesses sign, promises fall due that cannot be kept; two minutes after that ended, nothing is left behind. */
  const checkLog = () => {
    const since = Math.max(coordinator.healthySince() ?? queue.now(), witnesses.ableSince() ?? queue.now())
    if (since + mergeMs > queue.now()) return
    for (const attestation of judge.log.broken())
      judge.fault(`the receipt for ${attestation} is not honoured`)
    const behind = judge.log.behindSince()
    if (behind !== undefined && behind + mergeMs < queue.now()) judge.fault('the log does not go on')
  }

  let steps = 0
  for (let quietUntil = Number.POSITIVE_INFINITY; ; steps += 1) {
    const what = await queue.next()
    if (what === undefined) judge.fault('nothing happens any more')
    note(what ?? '')
    await judge.settle()
    if (judge.faults.length > 0 || queue.now() > calmSince + patience) break
    if (what !== 'coordinator wakes') continue
    checkLog()
    if (!isOver()) quietUntil = queue.now() + minute / 2
    else if (queue.now() > quietUntil) break
  }
  if (judge.faults.length === 0)
    for (const what of await auditEnd({
      storage,
      checks: judge,
      logKey,
      witnesses: keys,
      threshold,
      accepted,
    }))
      judge.fault(what)

  const count = (phase: string) => [...judge.jobs.jobs.values()].filter(job => job.phase === phase).length
  return {
    seed,
    hash: hash.digest('hex'),
    steps,
    minutes: (queue.now() - start) / minute,
    reported: count('reported'),
    unresolved: count('unresolved'),
    crashes,
    late: judge.log.late(),
    withdrawn: judge.book.withdrawn.size,
    banned: judge.book.banned.size,
    ...judge.samples.figures(),
    faults: judge.faults,
    last,
  }
}
