import { mkdir, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { agreeingRawData } from '../attest/agreeing.ts'
import { decodeBundle } from '../attest/bundle.ts'
import { type Verification, verifyBundle } from '../attest/verify.ts'
import { messageOf, PytiError } from '../errors.ts'
import { type Summary, summarise, summariseUnresolved } from '../report/summary.ts'
import { renderReport } from '../report/text.ts'
import type { JobStatus } from '../wire/commands.ts'
import type { Backend, BackendDemand, Profile, TaskName } from '../wire/job.ts'
import type { RawData } from '../wire/raw-data.ts'
import { type Client, connectClient } from './client.ts'
import { type CutoffChoice, cutoffFor } from './index-cutoff.ts'
import { type LocalNetwork, startLocalNetwork } from './local-network.ts'
import type { Paths } from './paths.ts'
import type { Progress } from './progress.ts'
import { findRecipe } from './recipes.ts'
import type { Target } from './targets.ts'

/** One distribution after its whole way through the network. */
export interface DistributionResult {
  target: Target
  summary: Summary
  /** Absent when no report was accepted. */
  accepted?: { path: string; verification: Verification; text: string; trustedKey: string; logKey: string }
}

export interface RunOptions {
  paths: Paths
  targets: Target[]
  volunteers: number
  /** What the volunteers run VMs on. */
  backend: Backend
  /**
   * What the jobs demand.
   * @default 'any'
   */
  demand?: BackendDemand
  /** Minor version of the guest's interpreter. */
  python: string
  tasks: TaskName[]
  taskSeconds?: number
  /** The coordinator's own when left out. */
  network?: Profile['network']
  clockDays?: number[]
  /** @default 'upload' */
  indexCutoff?: CutoffChoice
  index?: string
  /** Folder for report bundles and logs. */
  outDir: string
  color: boolean
  progress: Progress
  onResult: (result: DistributionResult) => void
  signal: AbortSignal
}

/** Ballots after which a job without agreement ends; a local network grows up to it when volunteers differ. */
const maxVolunteers = 12
const pollMs = 250
/** Rounds between two looks at every open job. */
const fullRound = 80

/**
 * The whole way on one machine: a coordinator and volunteers as processes of their own, one job per distribution, reports
 * fetched, verified and written to `outDir`. Everything is stopped and removed at the end, also on abort.
 */
export async function runDistributions(options: RunOptions): Promise<void> {
  const { progress, signal } = options
  progress.line(
    `starting 1 coordinator and ${options.volunteers} volunteers on this machine (${options.backend} VMs with Python ${options.python})`,
  )
  const changed = new Set<string>()
  const network = await startLocalNetwork({
    paths: options.paths,
    volunteers: options.volunteers,
    backend: options.backend,
    python: options.python,
    ...(options.index !== undefined && { index: options.index }),
    signal,
    onEvent: (node, event) => {
      if (event.event === 'job') changed.add(String(event.job))
      progress.event(node, event)
    },
  })
  try {
    const client = await connectClient(network.coordinator.address, signal)
    try {
      const started = performance.now()
      const jobs: { id: string; target: Target }[] = []
      const settled = Date.parse((await findRecipe(options.python)).settled)
      for (const target of options.targets) {
        const indexCutoff = cutoffFor(options.indexCutoff ?? 'upload', target.uploadTime, settled, Date.now())
        const id = await client.submit(target, {
          tasks: options.tasks,
          python: options.python,
          backend: options.demand ?? 'any',
          ...(options.taskSeconds !== undefined && { taskSeconds: options.taskSeconds }),
          ...(options.network !== undefined && { network: options.network }),
          ...(options.clockDays !== undefined && { clockDays: options.clockDays }),
          ...(indexCutoff !== undefined && { indexCutoff }),
        })
        jobs.push({ target, id })
      }
      await watch(jobs, changed, client, network, options, started)
    } finally {
      await client.close()
    }
  } finally {
    progress.end()
    await network.stop()
  }
}

async function watch(
  jobs: { id: string; target: Target }[],
  changed: Set<string>,
  client: Client,
  network: LocalNetwork,
  options: RunOptions,
  started: number,
): Promise<void> {
  const open = new Map(jobs.map(job => [job.id, job.target]))
  for (let round = 0; open.size > 0; round++) {
    options.signal.throwIfAborted()
    const dead = network
      .nodes()
      .find(({ process: { exitCode, signalCode } }) => exitCode !== null || signalCode !== null)
    if (dead) throw new PytiError('node-failed', `${dead.name} ended unexpectedly:\n${dead.log()}`)
    // Asked about when the coordinator says that a job changed; now and then about all, as an event may get lost.
    const due = round % fullRound === 0 ? [...open.keys()] : [...changed]
    changed.clear()
    for (const id of due) {
      const target = open.get(id)
      if (!target) continue
      const status = await client.status(id)
      if (status.phase === 'reported' || status.phase === 'unresolved') {
        open.delete(id)
        options.onResult(
          await conclude(status, target, client, network, options, (performance.now() - started) / 1000),
        )
      } else if (status.wantsVolunteers > 0 && network.volunteers().length < maxVolunteers) {
        options.progress.line(`${target.subject.filename}: volunteers differ, one more is called`)
        await network.addVolunteer()
      }
    }
    await new Promise(resolve => setTimeout(resolve, pollMs))
  }
}

async function conclude(
  status: JobStatus,
  target: Target,
  client: Client,
  network: LocalNetwork,
  options: RunOptions,
  totalSeconds: number,
): Promise<DistributionResult> {
  const { subject } = target
  if (status.phase === 'unresolved') {
    const submitted = status.seats.filter(seat => seat.state === 'submitted').length
    return {
      target,
      summary: summariseUnresolved(subject, {
        reason: status.reason ?? 'unknown',
        volunteers: submitted,
        totalSeconds,
        profile: { python: options.python, backend: options.demand ?? 'any' },
      }),
    }
  }
  const found = (await client.findReports({ sha256: subject.sha256 })).find(
    report => report.job === status.job,
  )
  if (!found) throw new PytiError('report-missing', `the coordinator has no report for ${subject.filename}`)
  const bytes = await client.fetch(found.bundle)
  const path = join(options.outDir, `${subject.filename}.intoto.jsonl`)
  await mkdir(options.outDir, { recursive: true })
  await writeFile(path, bytes)
  const verification = await verifyBundle(bytes, {
    distribution: { sha256: subject.sha256, size: subject.size },
    trustedKeys: [network.coordinator.reportKey],
    logKey: network.coordinator.logKey,
    minimumVolunteers: Math.min(3, options.volunteers),
  })
  const { evaluation, report } = verification
  if (!evaluation || !report)
    throw new PytiError('report-invalid', `the report of ${subject.filename} cannot be read`)
  if (!verification.ok) {
    const failed = verification.checks.filter(check => check.state === 'failed')
    throw new PytiError(
      'report-invalid',
      `the report of ${subject.filename} does not verify: ${failed.map(check => `${check.name} (${check.detail})`).join(', ')}`,
    )
  }
  const rawData = await agreeingRawData(decodeBundle(bytes), verification)
  const agreement = {
    profile: report.predicate.job.definition.profile,
    volunteers: verification.volunteers.length,
    agreeing: verification.volunteers.filter(one => one.agreeing).length,
  }
  const summary = summarise(evaluation, rawData, {
    ...agreement,
    totalSeconds: Math.round(totalSeconds * 10) / 10,
    report: path,
  })
  await saveLogs(rawData[0], client, join(options.outDir, `${subject.filename}.logs`), options)
  const text = renderReport(evaluation, {
    ...agreement,
    backend: summary.backend,
    seconds: summary.seconds.total,
    excerpts: excerptsOf(rawData[0]),
    report: path,
    colour: options.color,
  })
  return {
    target,
    summary,
    accepted: {
      path,
      verification,
      text,
      trustedKey: network.coordinator.reportKey,
      logKey: network.coordinator.logKey,
    },
  }
}

/** The logs of one volunteer, for reading; the other volunteers' are the same runs elsewhere. */
async function saveLogs(
  rawData: RawData | undefined,
  client: Client,
  dir: string,
  { progress }: RunOptions,
): Promise<void> {
  for (const { name, sha256, size } of rawData?.attachments ?? []) {
    try {
      await mkdir(dir, { recursive: true })
      await writeFile(join(dir, basename(name)), await client.fetch({ sha256, size }))
    } catch (error) {
      progress.line(`log ${name} could not be fetched: ${messageOf(error)}`)
    }
  }
}

function excerptsOf(rawData: RawData | undefined): Partial<Record<TaskName, string>> {
  const excerpts: Partial<Record<TaskName, string>> = {}
  for (const [task, record] of Object.entries(rawData?.tasks ?? {}))
    if (record?.volatile.excerpt) excerpts[task as TaskName] = record.volatile.excerpt
  return excerpts
}
