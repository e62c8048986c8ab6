import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { inParallel } from '../../bench/direct.ts'
import { type DirectBench, withDirect } from '../../bench/with-direct.ts'
import { makeAll, type SampleDistribution } from '../../src/pypi/make-distribution.ts'
import { evaluate } from '../../src/report/evaluate.ts'
import type { Evaluation } from '../../src/report/evaluation.ts'
import { type TaskName, taskNames } from '../../src/wire/job.ts'
import type { RawData } from '../../src/wire/raw-data.ts'
import { distributionsOf, isRight, type Mimic, missingEvidence, type Role, type Seen } from './mimics.ts'

const roles = ['mimic', 'twin'] as const
const samplesDir = join(import.meta.dirname, '../../samples')
/** A linter's opinion says nothing about behaviour. */
const tasks: TaskName[] = taskNames.filter(task => task !== 'quality')

interface Side {
  pair: Mimic
  role: Role
  made: SampleDistribution
}

/** One side of a pair after its run, beside its truth. */
export interface MimicResult {
  pair: Mimic
  role: Role
  filename: string
  evaluation: Evaluation
  rawData: RawData
  /** Contents of the logs, by name. */
  logs: Map<string, string>
  /** What differs from the truth, in words; empty when the side is held. */
  wrong: string[]
}

/**
 * Runs both sides of pairs in real VMs, one run each, and evaluates them as a report would; as many at once as there are CPUs.
 * @throws PytiError `vm-unavailable`, or as `runJob`
 */
export async function runMimics(
  pairs: readonly Mimic[],
  { signal, onResult = () => {} }: { signal: AbortSignal; onResult?: (result: MimicResult) => void },
): Promise<MimicResult[]> {
  const sides: Side[] = []
  const served = (await makeAll(samplesDir)).filter(made =>
    pairs.some(pair => pair.projects.includes(made.project)),
  )
  for (const pair of pairs)
    for (const role of roles) {
      const { judged, companions } = await distributionsOf(pair, role)
      served.push(...judged, ...companions)
      sides.push(...judged.map(made => ({ pair, role, made })))
    }
  const results: MimicResult[] = []
  await withDirect({ backends: [], distributions: served, signal }, bench =>
    inParallel(sides, availableParallelism(), async side => {
      const result = await runSide(side, bench)
      results.push(result)
      onResult(result)
    }),
  )
  return results
}

async function runSide({ pair, role, made }: Side, { direct, drivers }: DirectBench): Promise<MimicResult> {
  const [driver] = drivers
  if (!driver) throw new Error('a bench without a backend')
  const { project, version, filename, kind, sha256, bytes } = made
  const prepared = await direct.prepare({
    target: { subject: { project, version, filename, kind, sha256, size: bytes.length }, origin: 'index' },
    tasks,
    taskSeconds: 60,
    memoryMiB: 512,
    diskMiB: 512,
    network: 'sinkhole',
    clockDays: pair.clocks,
  })
  const { rawData, blobs, attachments } = await direct.run(prepared, driver.backend)
  const evaluation = evaluate({ rawData: [rawData], flaky: [] })
  const logs = new Map(
    attachments.map(({ name, sha256: digest }) => [name, Buffer.from(blobs.get(digest) ?? []).toString()]),
  )
  return {
    pair,
    role,
    filename,
    evaluation,
    rawData,
    logs,
    wrong: whatIsWrong(pair, role, evaluation, rawData),
  }
}

function whatIsWrong(pair: Mimic, role: Role, evaluation: Evaluation, rawData: RawData): string[] {
  const { verdict, evidence } = pair[role]
  const wrong = []
  if (!isRight(pair, role, evaluation.verdict))
    wrong.push(`verdict ${evaluation.verdict}, not ${role === 'mimic' ? 'at least' : 'at most'} ${verdict}`)
  const found = new Set(evaluation.findings.map(finding => finding.id))
  if (role === 'mimic')
    for (const rule of pair.mimic.rules) if (!found.has(rule)) wrong.push(`no finding ${rule}`)
  for (const missing of missingEvidence(evidence, seenIn(rawData)))
    wrong.push(`no evidence ${JSON.stringify(missing)}`)
  return wrong
}

/** Events and changes of every task; those under another clock count for what is run again under it. */
export function seenIn({ tasks: records }: RawData): Seen[] {
  const seen: Seen[] = []
  for (const [task, record] of Object.entries(records)) {
    if (!record) continue
    const { events, changes } = record.stable
    seen.push(...events.map(({ kind, what, at }) => ({ task, kind, what, at })))
    seen.push(...changes.map(({ path }) => ({ task, kind: 'change', what: path })))
  }
  for (const { days, events } of records.clocks?.stable.shifts ?? [])
    for (const { kind, what, at } of events)
      for (const task of ['import', 'unittest']) seen.push({ task, kind, what, at, clock: days })
  return seen
}
