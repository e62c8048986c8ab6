import { attestationId, type Signer, sign, statementType } from '../attest/dsse.ts'
import { rawDataStatement } from '../attest/raw-statement.ts'
import { purlOf } from '../attest/report-statement.ts'
import { type Clock, rfc3339 } from '../clock.ts'
import { isCode, messageOf, PytiError } from '../errors.ts'
import { diskTrouble } from '../host-disk.ts'
import type { Logger } from '../logger.ts'
import { CommandError } from '../net/command-error.ts'
import type { BlobReader, Network, PeerId } from '../net/network.ts'
import { canonicalBytes } from '../wire/canonical.ts'
import { type CommandReply, commandApiVersion } from '../wire/commands.ts'
import type { Envelope } from '../wire/envelope.ts'
import type { Backend, Lease } from '../wire/job.ts'
import type { LogWatch } from './log-watch.ts'
import { releaseReasonOf } from './release-reason.ts'
import { type JobTools, runJob, type Stage } from './run-job.ts'

export interface VolunteerDeps {
  network: Network
  /** The coordinator's pinned peer id. */
  coordinator: PeerId
  signer: Signer
  tools: JobTools
  /** Of the coordinator's log. */
  watch: LogWatch
  clock: Clock
  random: (bytes: number) => Uint8Array
  log: Logger
  onEvent?: (event: VolunteerEvent) => void
}

export type VolunteerEvent =
  | { event: 'connected'; coordinator: PeerId; reportKey: string }
  | { event: 'disconnected' }
  | { event: 'leased'; lease: string; job: string; filename: string }
  | { event: 'stage'; lease: string; filename: string; stage: Stage | 'submitting'; detail?: string }
  | { event: 'submitted'; lease: string; filename: string; attestation: string; seconds: number }
  | { event: 'released'; lease: string; filename: string; reason: string; message: string }
  /** No leases are taken until `resumed`. */
  | { event: 'paused'; code: string; message: string }
  | { event: 'resumed' }

/** What a volunteer tells of itself. */
export interface VolunteerOptions {
  slots: number
  /** What boots here, the preferred one first. */
  backends: Backend[]
  /** What package code may see of the processor, such as `x86-64-v3`. */
  cpu: string
  /** Whose machine this is; nobody else's when left out. */
  operator?: string
}

/** How long to wait before asking a coordinator again that could not be asked. */
const retryMs = 5_000
/** How often it is looked whether there is room again, and how long nothing is begun after a job met a full disk. */
const restMs = 60_000
/** How often the log is looked at between two contacts. */
const watchMs = 60_000
/** What a coordinator may answer while the same raw data will do later. The lease's own end bounds the tries. */
const passing = ['BUSY', 'RATE_LIMITED', 'INTERNAL', 'UNKNOWN_PEER']

/**
 * A volunteer: keeps its slots busy with leases of one coordinator, and tracks each from start to cleaned. It never
 * listens to anybody else, and what it does ends with the lease's own deadline.
 */
export class Volunteer {
  readonly #deps: VolunteerDeps
  readonly #options: VolunteerOptions
  readonly #stopping = new AbortController()
  readonly #active = new Map<string, Promise<void>>()
  /** What is handed in now, and by how many leases: two may have the same log. */
  readonly #blobs = new Map<string, { bytes: Uint8Array; leases: number }>()
  #wake = Promise.withResolvers<void>()
  #greeted = false
  #paused = false
  #restUntil = 0
  #loop: Promise<unknown> = Promise.resolve()

  constructor(deps: VolunteerDeps, options: VolunteerOptions) {
    this.#deps = deps
    this.#options = options
  }

  start(): void {
    const { network, coordinator, log, watch } = this.#deps
    network.serveBlobs(async (sha256, peer) =>
      peer === coordinator ? readerOf(this.#blobs.get(sha256)?.bytes) : undefined,
    )
    const stopListening = network.onPeer((peer, state) => {
      if (peer !== coordinator) return
      this.#greeted = false
      if (state === 'disconnected') this.#emit({ event: 'disconnected' })
      this.#wakeUp()
    })
    const stopWatching = watch.start()
    this.#stopping.signal.addEventListener(
      'abort',
      () => {
        stopListening()
        stopWatching()
      },
      { once: true },
    )
    this.#loop = Promise.all([this.#run(), this.#watchLog()]).catch(error =>
      log.error('volunteer loop ended', { error: messageOf(error) }),
    )
  }

  /** Gives every lease back and ends its VM. Idempotent. */
  async stop(): Promise<void> {
    this.#stopping.abort(new PytiError('shutdown', 'the volunteer is shutting down'))
    this.#wakeUp()
    await Promise.all([this.#loop, ...this.#active.values()])
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping
    while (!signal.aborted) {
      const wake = this.#wake.promise
      let waitMs = retryMs
      try {
        if (!this.#greeted) await this.#greet()
        // What is under way goes on; the watch has said why nothing new begins.
        if (this.#deps.watch.fault()) waitMs = watchMs
        else waitMs = (await this.#hasRoom()) ? await this.#takeLeases() : restMs
      } catch (error) {
        if (signal.aborted) return
        if (this.#pausedBy(error)) waitMs = restMs
        // Saying hello again drops a lease whose grant got lost on the way.
        this.#greeted = false
        this.#deps.log.debug('coordinator cannot be asked', { error: messageOf(error) })
        if (error instanceof CommandError && error.retryAfterMs !== undefined) waitMs = error.retryAfterMs
        if (isCode(error, 'UNSUPPORTED_VERSION'))
          this.#deps.log.error('this volunteer is too old or too new for its coordinator', {
            error: messageOf(error),
          })
        if (isCode(error, 'bad-checkpoint', 'bad-proof', 'bad-note'))
          this.#deps.log.error("no leases are taken: the coordinator's log is none", {
            error: messageOf(error),
          })
      }
      await this.#sleepOrWake(waitMs, wake)
    }
  }

  /** Whether a job can be begun on this machine's disk; what a job has met there is believed for a while. */
  async #hasRoom(): Promise<boolean> {
    const { tools, clock, log } = this.#deps
    if (this.#pausedBy(await tools.lackOfRoom()) || clock.now() < this.#restUntil) return false
    if (this.#paused) {
      this.#paused = false
      this.#emit({ event: 'resumed' })
      log.info('there is room again: leases are taken')
    }
    return true
  }

  /** @returns whether it is this machine's disk that an error is about */
  #pausedBy(error: unknown): boolean {
    const trouble = diskTrouble(error)
    if (!trouble) return false
    this.#restUntil = this.#deps.clock.now() + restMs
    if (!this.#paused) {
      this.#paused = true
      const { code, message, hint = '' } = trouble
      this.#emit({ event: 'paused', code, message })
      this.#deps.log.error('no leases are taken until there is room', { reason: message, hint })
    }
    return true
  }

  async #greet(): Promise<void> {
    const { network, coordinator, watch } = this.#deps
    if (watch.fault()) return
    const { slots, backends, cpu, operator } = this.#options
    const { signal } = this.#stopping
    const reply = await network.request(
      coordinator,
      'hello',
      {
        version: commandApiVersion,
        slots,
        backends,
        cpu,
        ...(operator !== undefined && { operator }),
        leases: [...this.#active.keys()],
      },
      { signal },
    )
    await watch.contact(reply.logKey, signal)
    this.#greeted = true
    this.#emit({ event: 'connected', coordinator, reportKey: reply.reportKey })
    void this.#followAdverts()
  }

  /** A log that cannot be checked any more must be proven anew before the next lease. */
  async #watchLog(): Promise<void> {
    const { clock, watch, log } = this.#deps
    const { signal } = this.#stopping
    while (!signal.aborted) {
      await clock.sleep(watchMs, signal).catch(() => {})
      if (signal.aborted) return
      if (!this.#greeted || watch.fault()) continue
      try {
        await watch.check(signal)
      } catch (error) {
        if (signal.aborted) return
        log.debug('the log could not be checked', { error: messageOf(error) })
        this.#greeted = false
        this.#wakeUp()
      }
    }
  }

  /** Adverts are hints that shorten the wait; losing one loses nothing. */
  async #followAdverts(): Promise<void> {
    const { network, coordinator, log } = this.#deps
    try {
      for await (const advert of network.adverts(coordinator, { signal: this.#stopping.signal }))
        if (advert.open > 0) this.#wakeUp()
    } catch (error) {
      if (!this.#stopping.signal.aborted) log.debug('advert stream ended', { error: messageOf(error) })
    }
  }

  /** @returns how long to wait before asking again */
  async #takeLeases(): Promise<number> {
    const { network, coordinator } = this.#deps
    const want = this.#options.slots - this.#active.size
    if (want <= 0) return 60_000
    const { leases, retryAfterMs } = await network.request(
      coordinator,
      'lease',
      { want },
      { signal: this.#stopping.signal },
    )
    for (const lease of leases) this.#begin(lease)
    return leases.length > 0 ? 0 : retryAfterMs
  }

  #begin(lease: Lease): void {
    const work = this.#work(lease).finally(() => {
      this.#active.delete(lease.id)
      this.#wakeUp()
    })
    this.#active.set(lease.id, work)
  }

  async #work(lease: Lease): Promise<void> {
    const { clock, log, tools, network, coordinator, watch } = this.#deps
    const { filename } = lease.job.subject
    const deadline = new AbortController()
    const signal = AbortSignal.any([this.#stopping.signal, deadline.signal])
    const ended = new AbortController()
    clock
      .sleep(lease.remainingMs, ended.signal)
      .then(() =>
        deadline.abort(new PytiError('lease-expired', 'the lease ran out before the work was done')),
      )
      .catch(() => {}) // the work ended first
    const started = clock.now()
    const onStage = (stage: Stage | 'submitting', detail?: string) =>
      this.#emit({
        event: 'stage',
        lease: lease.id,
        filename,
        stage,
        ...(detail !== undefined && { detail }),
      })
    const held: string[] = []
    try {
      const result = await runJob(lease.job, tools, { signal, onStage })
      onStage('submitting')
      const statement = rawDataStatement({
        volunteer: network.self,
        rawData: result.rawData,
        round: 1,
        startedOn: rfc3339(started),
        finishedOn: rfc3339(clock.now()),
        salt: Buffer.from(this.#deps.random(16)).toString('hex'),
      })
      const envelope = await sign(statementType, canonicalBytes(statement), this.#deps.signer)
      for (const [sha256, bytes] of result.blobs) {
        this.#hold(sha256, bytes)
        held.push(sha256)
      }
      const attestation = attestationId(envelope)
      const { receipt } = await this.#submit(lease.id, envelope, signal)
      const { subject } = lease.job
      const leaf = { kind: 'raw', id: attestation, subject: subject.sha256, purl: purlOf(subject) } as const
      await watch.handedIn(leaf, receipt)
      const seconds = Math.round((clock.now() - started) / 1000)
      this.#emit({ event: 'submitted', lease: lease.id, filename, attestation, seconds })
      log.info('raw data accepted', { filename, attestation, seconds })
    } catch (error) {
      this.#pausedBy(error)
      const reason = releaseReasonOf(error)
      const message = messageOf(error).slice(0, 1_000)
      this.#emit({ event: 'released', lease: lease.id, filename, reason, message })
      log.warn('lease given back', { filename, reason, message })
      // Best effort: a lease that is not given back runs into its deadline.
      await network
        .request(coordinator, 'release', { lease: lease.id, reason, message })
        .catch(cause => log.debug('release did not reach the coordinator', { error: messageOf(cause) }))
    } finally {
      ended.abort()
      for (const sha256 of held) this.#letGo(sha256)
    }
  }

  #hold(sha256: string, bytes: Uint8Array): void {
    this.#blobs.set(sha256, { bytes, leases: (this.#blobs.get(sha256)?.leases ?? 0) + 1 })
  }

  #letGo(sha256: string): void {
    const held = this.#blobs.get(sha256)
    if (!held) return
    if (held.leases === 1) this.#blobs.delete(sha256)
    else this.#blobs.set(sha256, { ...held, leases: held.leases - 1 })
  }

  async #submit(lease: string, envelope: Envelope, signal: AbortSignal): Promise<CommandReply<'raw-data'>> {
    const { network, coordinator, clock, log } = this.#deps
    for (let attempt = 1; ; attempt++) {
      try {
        return await network.request(coordinator, 'raw-data', { lease, envelope }, { signal })
      } catch (error) {
        signal.throwIfAborted()
        if (error instanceof CommandError && !passing.includes(error.code)) throw error
        log.debug('raw data not handed in yet', { attempt, error: messageOf(error) })
        await clock.sleep((error instanceof CommandError && error.retryAfterMs) || retryMs, signal)
      }
    }
  }

  async #sleepOrWake(ms: number, wake: Promise<void>): Promise<void> {
    if (ms === 0) return
    const awake = new AbortController()
    const stop = AbortSignal.any([awake.signal, this.#stopping.signal])
    void wake.then(() => awake.abort())
    await this.#deps.clock.sleep(ms, stop).catch(() => {})
  }

  #wakeUp(): void {
    const { resolve } = this.#wake
    this.#wake = Promise.withResolvers()
    resolve()
  }

  #emit(event: VolunteerEvent): void {
    this.#deps.onEvent?.(event)
  }
}

function readerOf(bytes: Uint8Array | undefined): BlobReader | undefined {
  if (!bytes) return undefined
  return { size: bytes.length, read: async (offset, length) => bytes.subarray(offset, offset + length) }
}
