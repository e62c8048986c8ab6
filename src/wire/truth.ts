import { z } from 'zod'
import { TaskName } from './job.ts'
import { Reason, SignalName } from './raw-data.ts'

/** What a task must come to. A reason or signal that is not given may be any. */
export const TaskTruth = z.strictObject({
  status: z.enum(['passed', 'failed', 'unsupported', 'flaky', 'not-run']),
  reason: Reason.optional(),
  /** Named by the task itself or by one of its modules. */
  signal: SignalName.optional(),
})
export type TaskTruth = z.infer<typeof TaskTruth>

/** What the report on a sample must say, in the report's own words. What is not given may be anything. */
export const Truth = z.strictObject({
  verdict: z.enum(['clean', 'observed', 'suspicious', 'confirmed']).optional(),
  tasks: z.partialRecord(TaskName, TaskTruth),
  /** Tests by outcome; node ids for those that are named. */
  tests: z
    .strictObject({
      passed: z.int(),
      failed: z.int(),
      errors: z.int(),
      skipped: z.int(),
      flaky: z.array(z.string()),
      needsNetwork: z.array(z.string()),
    })
    .optional(),
})
export type Truth = z.infer<typeof Truth>

/**
 * What a report says otherwise than the truth about its sample; outcomes of single tests apart.
 * @returns one line each
 */
export function contradictions(
  truth: Truth,
  found: {
    verdict: string
    tasks: Partial<Record<TaskName, { status: string; reason?: string | undefined }>>
  },
): string[] {
  const verdict =
    truth.verdict === undefined || truth.verdict === found.verdict
      ? []
      : [`${found.verdict}, not ${truth.verdict}`]
  const tasks = Object.entries(truth.tasks).flatMap(([name, { status, reason }]) => {
    const task = found.tasks[name as TaskName]
    const isRight = task?.status === status && (reason === undefined || task.reason === reason)
    return isRight ? [] : [`${name} ${task?.status} ${task?.reason ?? ''}, not ${status} ${reason ?? ''}`]
  })
  return [...verdict, ...tasks]
}
