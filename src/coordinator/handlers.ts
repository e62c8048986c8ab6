import { PytiError } from '../errors.ts'
import { CommandError } from '../net/command-error.ts'
import type { CommandHandler, Network } from '../net/network.ts'
import type { BlobStore } from '../store/store.ts'
import {
  type CommandName,
  type CommandReply,
  type CommandRequest,
  commandApiVersion,
} from '../wire/commands.ts'
import type { Background } from './background.ts'
import { type DrawOptions, drawLeases } from './draw.ts'
import type { Intake } from './intake.ts'
import type { PublicLog } from './public-log.ts'
import type { Records } from './records.ts'
import type { Refusals } from './refusals.ts'
import { findReports } from './reports.ts'
import type { Room } from './room.ts'
import type { Roster } from './roster.ts'
import type { Serial } from './serial.ts'
import { statusOf } from './status.ts'
import { bringFile, submitJob } from './submit.ts'
import type { Trust } from './trust.ts'

export interface HandlerOptions extends DrawOptions {
  network: Network
  records: Records
  trust: Trust
  publicLog: PublicLog
  blobs: BlobStore
  roster: Roster
  intake: Intake
  refusals: Refusals
  room: Room
  background: Background
  /** Keeps what one volunteer asks, and what is submitted, in order. */
  serial: Serial
  /** Peer id form of the key that signs reports. */
  reportKey: string
  /** Fires when the coordinator stops. */
  stopping: AbortSignal
}

/** The only key of `serial` that is not a peer id. */
export const submissions = 'submit'

/** Answers the command API and serves blobs. */
export function serveCommands(options: HandlerOptions): void {
  const { network, blobs, intake, jobs, records, roster, config, publicLog, room } = options
  const serve = server(options)

  serve('hello', (request, { peer }) => hello(peer, request, options))

  serve('lease', ({ want }, { peer, signal }) =>
    options.serial.run(peer, async () => {
      signal.throwIfAborted()
      const introduction = roster.get(peer)
      if (!introduction) throw new CommandError('UNKNOWN_PEER', 'say hello first')
      await room.demand()
      const leases = await drawLeases(peer, introduction, want, options)
      return { leases, retryAfterMs: leases.length > 0 ? 0 : config.retryAfterMs }
    }),
  )

  serve('release', async ({ lease, reason, message }, { peer }) => {
    const record = await jobs.findByLease(lease)
    if (record?.seats.find(seat => seat.lease === lease)?.volunteer !== peer)
      throw new PytiError('stale-lease', `you hold no lease ${lease}`)
    await jobs.apply(record.id, { type: 'lease-released', lease, end: reason, detail: message })
    return {}
  })

  serve('raw-data', async (request, { peer, signal }) => {
    const attestation = await intake(peer, request, signal)
    return { attestation, receipt: await publicLog.receipt(attestation) }
  })

  serve('log-head', ({ size }) => publicLog.head(size))

  serve('log-proof', async ({ attestation }) => ({ proof: await publicLog.proof(attestation) }))

  serve('submit', async (request, { peer, signal }) => {
    const { subject } = request
    await room.demand()
    const pull = () => blobs.put(subject.sha256, network.fetchBlob(peer, subject, { signal }))
    if (request.origin === 'coordinator') await bringFile(subject, blobs, pull)
    return { job: await options.serial.run(submissions, () => submitJob(request, options)) }
  })

  serve('status', async ({ job }) => {
    const record = await jobs.find(job)
    if (!record) throw new CommandError('NOT_FOUND', `there is no job ${job}`)
    return statusOf(record, roster, config)
  })

  serve('report', async query => ({ reports: await findReports(records, query) }))

  // Whoever knows a digest may have the bytes: digests of raw data come out with the report and not before.
  network.serveBlobs(async sha256 => {
    const size = await blobs.size(sha256)
    return size === undefined
      ? undefined
      : { size, read: (offset, length) => blobs.read(sha256, offset, length) }
  })
}

async function hello(
  peer: string,
  { version, slots, backends, cpu, operator = peer, leases }: CommandRequest<'hello'>,
  { serial, jobs, roster, config, reportKey, network, trust, publicLog }: HandlerOptions,
): Promise<CommandReply<'hello'>> {
  if (version !== commandApiVersion) {
    const advice = version < commandApiVersion ? 'update this volunteer' : 'the coordinator needs an update'
    const message = `this coordinator speaks version ${commandApiVersion}, not ${version}: ${advice}`
    throw new CommandError('UNSUPPORTED_VERSION', message)
  }
  await serial.run(peer, async () => {
    roster.introduce(peer, { slots, backends, cpu, operator })
    trust.met(peer, { operator, network: network.prefixOf(peer), backends, cpu })
    const running = new Set(leases)
    const gone = [...jobs.leases()].filter(
      ({ volunteer, lease }) => volunteer === peer && !running.has(lease),
    )
    for (const { job, lease } of gone)
      await jobs.apply(job, { type: 'volunteer-lost', lease, end: 'restarted' })
  })
  return { version: commandApiVersion, reportKey, logKey: publicLog.key, software: config.software }
}

/** Wraps handlers: nothing is begun while stopping, and every refusal is counted, logged and translated. */
function server({ network, refusals, background, stopping }: HandlerOptions) {
  return <N extends CommandName>(name: N, handler: CommandHandler<N>): void => {
    network.serve<N>(name, async (request, { peer, signal }) => {
      try {
        if (stopping.aborted)
          throw new CommandError('BUSY', 'the coordinator is stopping', { retryAfterMs: 5_000 })
        return await background.during(
          handler(request, { peer, signal: AbortSignal.any([signal, stopping]) }),
        )
      } catch (error) {
        if (stopping.aborted && !(error instanceof CommandError))
          throw new CommandError('BUSY', 'the coordinator is stopping', { retryAfterMs: 5_000, cause: error })
        throw refusals.note(name, peer, error)
      }
    })
  }
}
