import { z } from 'zod'
import { BackendDemand, type Profile, PythonVersion, Subject } from '../wire/job.ts'
import type { RawData } from '../wire/raw-data.ts'
import { Evaluation, Finding, TaskResults, Verdict } from './evaluation.ts'

const Seconds = z.number().min(0)

/** The one line `pyti test --json` prints. Seconds are decimal: this line is read, never signed. */
export const Summary = z.strictObject({
  schema: z.literal('pyti.test/1'),
  subject: Subject.pick({ project: true, version: true, filename: true, sha256: true }),
  verdict: Verdict,
  tasks: TaskResults.partial(),
  findings: z.array(Finding),
  /** What was not run, and what was not seen, and why. */
  notRun: Evaluation.shape.notRun,
  notObserved: Evaluation.shape.notObserved,
  agreement: z.strictObject({ volunteers: z.int().min(0), agreeing: z.int().min(0) }),
  /** What the job asked for: the guest's Python, and the backend its VMs had to have. */
  profile: z.strictObject({ python: PythonVersion, backend: BackendDemand }),
  /** What the VMs ran on: `uml`; `tcg+uml` when volunteers differ; `none` when no VM was needed. */
  backend: z.string().regex(/^(?:kvm|none|tcg|uml)(?:\+(?:kvm|none|tcg|uml))*$/),
  /** Medians over the volunteers; `total` is what the person waited. */
  seconds: z.strictObject({
    resolve: Seconds,
    download: Seconds,
    boot: Seconds,
    tasks: Seconds,
    total: Seconds,
  }),
  /** Path of the report bundle; `null` when none was accepted. */
  report: z.string().nullable(),
  /** Why no report was accepted (verdict `unresolved`). */
  reason: z.string().optional(),
})
export type Summary = z.infer<typeof Summary>

type Asked = Pick<Profile, 'python' | 'backend'>

/** @param rawData of the agreeing volunteers, for backends and times */
export function summarise(
  evaluation: Evaluation,
  rawData: readonly RawData[],
  extras: { volunteers: number; agreeing: number; totalSeconds: number; report: string; profile: Asked },
): Summary {
  const { project, version, filename, sha256 } = evaluation.subject
  const seconds = (pick: (one: RawData) => number) => median(rawData.map(pick)) / 1_000
  const backends = new Set(rawData.map(one => one.guest.volatile.backend))
  return {
    schema: 'pyti.test/1',
    subject: { project, version, filename, sha256 },
    verdict: evaluation.verdict,
    tasks: evaluation.tasks,
    findings: evaluation.findings,
    notRun: evaluation.notRun,
    notObserved: evaluation.notObserved,
    agreement: { volunteers: extras.volunteers, agreeing: extras.agreeing },
    profile: asked(extras.profile),
    backend: [...backends].sort().join('+') || 'none',
    seconds: {
      resolve: seconds(one => one.intake.volatile.resolveMilliseconds),
      download: seconds(one => one.intake.volatile.downloadMilliseconds),
      boot: seconds(one => one.guest.volatile.bootMilliseconds),
      tasks: seconds(taskMilliseconds),
      total: extras.totalSeconds,
    },
    report: extras.report,
  }
}

/** The line for a job on which no report could be accepted. */
export function summariseUnresolved(
  subject: Subject,
  extras: { reason: string; volunteers: number; totalSeconds: number; profile: Asked },
): Summary {
  const { project, version, filename, sha256 } = subject
  return {
    schema: 'pyti.test/1',
    subject: { project, version, filename, sha256 },
    verdict: 'unresolved',
    tasks: {},
    findings: [],
    notRun: [],
    notObserved: [],
    agreement: { volunteers: extras.volunteers, agreeing: 0 },
    profile: asked(extras.profile),
    backend: 'none',
    seconds: { resolve: 0, download: 0, boot: 0, tasks: 0, total: extras.totalSeconds },
    report: null,
    reason: extras.reason,
  }
}

function asked({ python, backend }: Asked): Summary['profile'] {
  return { python, backend }
}

function taskMilliseconds(rawData: RawData): number {
  return Object.values(rawData.tasks).reduce((sum, task) => sum + (task?.volatile.milliseconds ?? 0), 0)
}

/** The lower of the two middle ones when there is an even number: an observed value, not an invented one. */
function median(values: number[]): number {
  return values.sort((a, b) => a - b)[Math.floor((values.length - 1) / 2)] ?? 0
}
