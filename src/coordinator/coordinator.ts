import type { Signer } from '../attest/dsse.ts'
import type { RootState } from '../attest/root.ts'
import type { Clock } from '../clock.ts'
import { chance } from '../consensus/draw.ts'
import { messageOf, PytiError } from '../errors.ts'
import type { RoomCheck } from '../host-disk.ts'
import type { Logger } from '../logger.ts'
import type { Network } from '../net/network.ts'
import { peerIdFromPublicKey } from '../peer-id.ts'
import type { BlobStore, Store } from '../store/store.ts'
import type { TileFiles } from '../store/tile-files.ts'
import { checkSchemaVersion } from '../store/version.ts'
import type { JobStatus } from '../wire/commands.ts'
import { createBackground } from './background.ts'
import type { PublicBeacon } from './beacon.ts'
import type { CoordinatorConfig } from './config.ts'
import { endSeatsOfDismissed } from './dismissed.ts'
import { followUploads, type UploadFeed } from './follow.ts'
import { serveCommands, submissions } from './handlers.ts'
import { createIntake } from './intake.ts'
import { createJobs } from './jobs.ts'
import { createLedger } from './ledger.ts'
import { createLogKeeper } from './log-keeper.ts'
import type { JobRequest, Random } from './new-job.ts'
import { createOffers } from './offers.ts'
import { demandOwnKeys } from './own-keys.ts'
import { createPublicLog, logNameOf } from './public-log.ts'
import { createPublisher } from './publisher.ts'
import { openRecords } from './records.ts'
import { createRefusals } from './refusals.ts'
import { type FoundReport, findReports } from './reports.ts'
import { createRoom } from './room.ts'
import { createRoster } from './roster.ts'
import { addSample, type SampleMaker } from './samples.ts'
import type { SequencerOptions } from './sequencer.ts'
import { createSerial } from './serial.ts'
import { type Effect, isFinished, type JobRecord } from './state.ts'
import { statusOf } from './status.ts'
import { bringFile, submitJob } from './submit.ts'
import { runTimers } from './timers.ts'
import { createTrust } from './trust.ts'

export interface CoordinatorDeps {
  network: Network
  store: Store
  blobs: BlobStore
  clock: Clock
  random: Random
  /** Signs reports; not the network identity (attestation.md 2.1). */
  reportSigner: Signer
  /** Signs checkpoints of the log and receipts, and nothing else. */
  logSigner: Signer
  /** Where the log is published. */
  logFiles: TileFiles
  /** Mixed into what seats are drawn from. */
  publicBeacon?: PublicBeacon
  /** Says which keys may sign for this coordinator; logged when it is new. */
  root?: RootState
  /** Asks witnesses to sign a checkpoint. */
  cosign?: SequencerOptions['cosign']
  log: Logger
  config: CoordinatorConfig
  /** Order of two versions (PEP 440), to find the release before. */
  compareVersions?: (a: string, b: string) => number
  /** New files to make jobs of. */
  feed?: UploadFeed
  /** Where volunteers are weighed: files to check them by, whose truth is known. */
  makeSample?: SampleMaker
  /** Whether there is room for new work where the store, the blobs and the log are; always when left out. */
  lackOfRoom?: RoomCheck
  /** The store has failed: everything is refused from now on, the process should end. */
  onFailure?(error: unknown): void
}

export interface Coordinator {
  /** Key of the log, as a C2SP vkey. */
  readonly logKey: string
  /** @throws PytiError of the store, e.g. `store-too-new` */
  start(): Promise<void>
  /** Finishes what has begun; the store and the network are the caller's to close. */
  stop(): Promise<void>
  /** A job asked for on this machine; a file whose origin is the coordinator must be in the blob store already. */
  submit(request: JobRequest): Promise<string>
  status(job: string): Promise<JobStatus | undefined>
  /** After every change of a job. @returns removes the listener */
  onChange(listener: (status: JobStatus) => void): () => void
  /** Newest first. */
  reports(query: { sha256: string } | { filename: string }): Promise<FoundReport[]>
  /** How often each command was refused, by `COMMAND CODE`. */
  refusals(): Record<string, number>
}

/** Puts the parts together; the only state beside the store is what `start` reads from it. */
export function createCoordinator(deps: CoordinatorDeps): Coordinator {
  const { network, store, blobs, clock, random, log, config } = deps
  const stopping = new AbortController()
  const background = createBackground(log)
  const records = openRecords(store)
  const roster = createRoster()
  const serial = createSerial()
  const refusals = createRefusals(log)
  const room = createRoom(deps)
  const listeners = new Set<(status: JobStatus) => void>()
  let sequence = 0
  let forgetPeers = () => {}
  let started = false

  const fail = (error: unknown) => {
    log.error('the store has failed; stopping all work', { error: messageOf(error) })
    stopping.abort(new PytiError('store-failed', 'the store has failed', { cause: error }))
    deps.onFailure?.(error)
  }
  const ledger = createLedger({ store, onFailure: fail })
  const publicLog = createPublicLog({
    ...deps,
    ledger,
    records,
    files: deps.logFiles,
    signer: deps.logSigner,
    origin: logNameOf(deps.logSigner.publicKey),
    onFailure: fail,
  })
  const { founders, referees, witnesses, witnessThreshold, quorum } = config
  const trust = createTrust({
    ledger,
    records,
    clock,
    config,
    policy: { founders, referees, witnesses, quorum, ...(witnessThreshold && { witnessThreshold }) },
    root: deps.root?.document,
  })
  const offers = createOffers({ trust, roster, clock, config })
  const jobs = createJobs({
    ledger,
    records,
    clock,
    rules: config,
    close: trust.close,
    onStep(job, effects) {
      try {
        afterStep(job, effects)
      } catch (error) {
        // The step is on disk already: whoever asked for it must not be told that it failed.
        log.error('a listener failed', { job: job.id, error: messageOf(error) })
      }
    },
  })
  const publish = createPublisher({
    ...deps,
    jobs,
    records,
    publicLog,
    background,
    stopping: stopping.signal,
  })
  const intake = createIntake({ network, jobs, records, blobs, clock, config })

  const keepLog = createLogKeeper({
    publicBeacon: deps.publicBeacon,
    jobs,
    records,
    trust,
    publicLog,
    background,
    log,
    clock,
    random,
    config,
  })

  const advertise = () => {
    // Larger than before even after a restart, so that nobody takes a new hint for an old one.
    sequence = Math.max(sequence + 1, clock.now())
    network.publish({ sequence, open: jobs.openSeats() })
  }
  /** One that is lost in a crash is not missed. */
  const perhapsSample = ({ draw, salt, known, sample }: JobRecord) => {
    const { makeSample } = deps
    if (!makeSample || !draw || known || sample) return
    if (!chance(draw.seed, salt, 'sample', config.samplePerMille)) return
    background.start('making a sample', async () => {
      if (await room.isThere())
        await addSample({ makeSample, blobs, jobs, records, trust, clock, random, config })
    })
  }
  const afterStep = (job: JobRecord, effects: Effect[]) => {
    log.debug('job changed', { job: job.id, phase: job.phase, wanted: job.wanted, seats: job.seats.length })
    if (job.phase === 'unresolved')
      log.info('job ended without agreement', { job: job.id, reason: job.reason })
    if (isFinished(job)) offers.forget(job.id)
    for (const effect of effects) if (effect.type === 'publish') publish(job.id)
    if (job.phase === 'agreed' && job.report === undefined && job.repeatedBy === undefined) perhapsSample(job)
    if (effects.some(effect => effect.type === 'advertise')) advertise()
    if (listeners.size === 0) return
    const status = statusOf(job, roster, config)
    for (const listener of listeners) listener(status)
  }

  return {
    logKey: publicLog.key,
    async start() {
      if (started) throw new PytiError('already-started', 'a coordinator starts once')
      started = true
      await checkSchemaVersion(store)
      await ledger.load()
      await publicLog.load()
      if (deps.root)
        demandOwnKeys(deps.root, {
          reportKey: peerIdFromPublicKey(deps.reportSigner.publicKey),
          logKey: publicLog.key,
          origin: publicLog.origin,
          witnesses,
          witnessThreshold,
          size: ledger.size(),
        })
      await trust.load()
      await jobs.load()
      await endSeatsOfDismissed(jobs, trust.book)
      for (const { volunteer } of jobs.leases())
        roster.disconnected(volunteer, clock.now() + config.restartGraceMs)
      forgetPeers = network.onPeer((peer, state) => {
        if (state === 'connected') roster.connected(peer)
        else roster.disconnected(peer, clock.now() + config.disconnectGraceMs)
      })
      serveCommands({
        ...deps,
        jobs,
        records,
        roster,
        trust,
        offers,
        publicLog,
        serial,
        intake,
        refusals,
        room,
        background,
        reportKey: peerIdFromPublicKey(deps.reportSigner.publicKey),
        stopping: stopping.signal,
      })
      advertise()
      background.start('timer loop', () =>
        runTimers({ jobs, roster, offers, room, clock, log, config, publish, keepLog }, stopping.signal),
      )
      const { feed } = deps
      if (feed)
        background.start('following uploads', () =>
          followUploads({ feed, jobs, records, trust, clock, random, log, config, room }, stopping.signal),
        )
    },
    async stop() {
      stopping.abort(new PytiError('stopping', 'the coordinator is stopping'))
      forgetPeers()
      await background.idle()
      await serial.idle()
      await jobs.idle()
    },
    async submit(request) {
      await room.demand()
      if (request.origin === 'coordinator') await bringFile(request.subject, blobs)
      return serial.run(submissions, () =>
        submitJob(request, { jobs, records, trust, clock, random, config }),
      )
    },
    async status(id) {
      const record = await jobs.find(id)
      return record && statusOf(record, roster, config)
    },
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    reports: query => findReports(records, query),
    refusals: () => refusals.counts(),
  }
}
