import { messageOf, PytiError } from '../errors.ts'
import { diskTrouble, type RoomCheck } from '../host-disk.ts'
import { canonicalJson } from '../wire/canonical.ts'
import type { GuestEvent, GuestPlan } from '../wire/guest.ts'
import type { Job } from '../wire/job.ts'
import { limits } from '../wire/limits.ts'
import { GuestRecord, type IntakeStable } from '../wire/raw-data.ts'
import { assembleRawData, type GuestPart, type JobResult } from './assemble.ts'

/** Inputs of one job, worked out and downloaded on the host. */
export interface PreparedInputs {
  intake: IntakeStable
  files: { filename: string; path: string; size: number }[]
  /** The index the files came from, without credentials. */
  index: string
  notes: string[]
  resolveMilliseconds: number
  downloadMilliseconds: number
}

export type Stage = 'fetching' | 'resolving' | 'waiting' | 'booting' | 'setting up' | 'running' | 'ending'

/** What a job needs of the machine; passed in, so that the loop can be tested without a VM. */
export interface JobTools {
  /** Why no job should be begun now: there is no room on this machine's disk. */
  lackOfRoom: RoomCheck
  /** How much slower than native the VM of this job may be: the guest's own ceilings are multiplied by it. */
  slowness(job: Job): number
  prepare(
    job: Job,
    options: { signal: AbortSignal; onStage: (stage: Stage, detail?: string) => void },
  ): Promise<PreparedInputs>
  /** Runs one fresh VM as soon as this machine has room for it. @throws PytiError as `runGuest` */
  runVm(
    job: Job,
    plan: GuestPlan,
    files: PreparedInputs['files'],
    options: { signal: AbortSignal; onEvent: (event: GuestEvent) => void; onStart: () => void },
  ): Promise<{
    backend: 'kvm' | 'uml' | 'tcg'
    kernel: string
    items: Map<string, Buffer>
    bootMilliseconds: number
    totalMilliseconds: number
  }>
}

/** A guest that breaks off while package code runs is tried once more before the package is held responsible. */
const attempts = 2

/**
 * One job from lease to raw data. Nothing of the distribution is executed outside the VM.
 * @throws PytiError when this volunteer cannot do the job: its own trouble, never a vote
 */
export async function runJob(
  job: Job,
  tools: JobTools,
  options: { signal: AbortSignal; onStage: (stage: Stage, detail?: string) => void },
): Promise<JobResult> {
  const { onStage, signal } = options
  onStage('fetching')
  const inputs = await tools.prepare(job, options)
  if (inputs.intake.archive !== 'ok') return assembleRawData(job, inputs, { kind: 'not-started' })
  const plan = planFor(job, inputs, tools.slowness(job))
  for (let attempt = 1; ; attempt++) {
    const guest = await runOnce(job, plan, inputs, tools, options)
    if (guest.kind === 'record' || attempt === attempts) {
      onStage('ending')
      return assembleRawData(job, inputs, guest)
    }
    onStage('waiting', `to run it again in a fresh VM: ${guest.kind === 'tampered' ? guest.detail : ''}`)
    signal.throwIfAborted()
  }
}

async function runOnce(
  job: Job,
  plan: GuestPlan,
  inputs: PreparedInputs,
  tools: JobTools,
  { signal, onStage }: { signal: AbortSignal; onStage: (stage: Stage, detail?: string) => void },
): Promise<GuestPart> {
  onStage('waiting', 'for a free CPU')
  try {
    const output = await tools.runVm(job, plan, inputs.files, {
      signal,
      onStart: () => onStage('booting'),
      onEvent: event => {
        if (event.task === 'setup') onStage('setting up', event.message)
        else onStage('running', `${event.task}${event.message ? ` ${event.message}` : ''}`)
      },
    })
    const record = parseRecord(output.items.get('guest.json'))
    const logs = new Map([...output.items].filter(([name]) => name.startsWith('logs/')))
    return { kind: 'record', record, logs, ...output }
  } catch (error) {
    if (error instanceof PytiError && isPackagesDoing(error))
      return { kind: 'tampered', detail: messageOf(error) }
    throw error
  }
}

/** What ends a guest while package code runs is the package's, unless the machine around it had no room. */
function isPackagesDoing(error: PytiError): boolean {
  if (error.code === 'host-out-of-memory' || diskTrouble(error)) return false
  return error.details.stage === 'working' || error.code === 'bad-record'
}

/** @throws PytiError `bad-record`: the agent never writes one like that */
function parseRecord(data: Buffer | undefined): GuestRecord {
  let value: unknown
  try {
    value = JSON.parse(data?.toString('utf8') ?? '')
  } catch (cause) {
    throw new PytiError('bad-record', 'the guest handed over no readable record', { cause })
  }
  const record = GuestRecord.safeParse(value)
  if (!record.success)
    throw new PytiError(
      'bad-record',
      `the guest's record is malformed at ${record.error.issues[0]?.path.join('.')}: ${record.error.issues[0]?.message}`,
    )
  try {
    canonicalJson(record.data)
  } catch (cause) {
    // Half a character, `"\ud800"`, is JSON but has no canonical form.
    throw new PytiError('bad-record', "the guest's record has no canonical form", { cause })
  }
  return record.data
}

function planFor(job: Job, { intake }: PreparedInputs, slowness: number): GuestPlan {
  const { project, version, filename, kind } = job.subject
  const names = (group: 'build' | 'run' | 'test') => intake.packages[group].map(locked => locked.filename)
  return {
    schema: 'pyti.plan/2',
    subject: { project, version, filename, kind },
    tasks: job.tasks,
    packages: { build: names('build'), run: names('run'), test: names('test') },
    incomplete: (['build', 'run', 'test'] as const).filter(group =>
      intake.unresolved.some(entry => entry.group === group),
    ),
    limits: {
      taskSeconds: job.profile.taskSeconds * slowness,
      memoryMiB: job.profile.memoryMiB,
      processes: 128,
      logBytes: limits.logBytes,
      outputBytes: 64 * 1024 * 1024,
    },
    hashSeed: job.profile.hashSeed,
    network: job.profile.network,
    clockDays: job.profile.clockDays,
    seed: job.nonce,
  }
}
