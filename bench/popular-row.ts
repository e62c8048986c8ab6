import { z } from 'zod'
import type { Evaluation, TaskResults } from '../src/report/evaluation.ts'
import type { RawData } from '../src/wire/raw-data.ts'

const Task = z.strictObject({ status: z.string(), reason: z.string().optional() })

/** One line of the bench's file. */
export const PopularRow = z.strictObject({
  project: z.string(),
  version: z.string(),
  filename: z.string(),
  kind: z.enum(['sdist', 'wheel']),
  group: z.enum(['pure', 'compiled']),
  /** Why there is no result; everything below is absent then, and the file is tried again. */
  failure: z.string().optional(),
  verdict: z.string().optional(),
  tasks: z.record(z.string(), Task).optional(),
  tests: z
    .strictObject({
      passed: z.int(),
      failed: z.int(),
      errors: z.int(),
      skipped: z.int(),
      needsNetwork: z.int(),
      flaky: z.int(),
    })
    .optional(),
  /** `id in phase: evidence`, of findings above `observed`. */
  loud: z.array(z.string()).optional(),
  /** Ids of the others. */
  observed: z.array(z.string()).optional(),
  observers: z.array(z.string()).optional(),
  /** Of the VM, boot included. */
  seconds: z.number().optional(),
  backend: z.string().optional(),
  python: z.string().optional(),
})
export type PopularRow = z.infer<typeof PopularRow>

export function rowOf(
  group: PopularRow['group'],
  { subject, verdict, tasks, findings }: Evaluation,
  { guest }: RawData,
): PopularRow {
  const { project, version, filename, kind } = subject
  const loud = findings.filter(({ level }) => level !== 'observed')
  const quiet = findings.filter(({ level }) => level === 'observed')
  return {
    project,
    version,
    filename,
    kind,
    group,
    verdict,
    tasks: statusesOf(tasks),
    tests: testsOf(tasks),
    loud: loud.map(({ id, phase, evidence }) => `${id} in ${phase}: ${evidence}`),
    observed: [...new Set(quiet.map(({ id }) => id))],
    observers: guest.stable.observers,
    seconds: Math.round(guest.volatile.totalMilliseconds / 100) / 10,
    backend: guest.volatile.backend,
    python: guest.stable.python,
  }
}

const statusesOf = (tasks: TaskResults) =>
  Object.fromEntries(
    Object.entries(tasks).map(([task, { status, reason }]) => [task, { status, ...(reason && { reason }) }]),
  )

const testsOf = ({ unittest }: TaskResults) => ({
  passed: unittest.passed,
  failed: unittest.failed,
  errors: unittest.errors,
  skipped: unittest.skipped,
  needsNetwork: unittest.needsNetworkCount,
  flaky: unittest.flakyCount,
})
