import { z } from 'zod'
import { Declared } from '../wire/declared.ts'
import { DistributionFilename, Subject, TaskName, taskNames } from '../wire/job.ts'
import { Observer, observers, Reason, SignalName } from '../wire/raw-data.ts'

/** Lists in an evaluation stop here; the counts beside them do not. */
export const listLength = 100

export const verdicts = ['clean', 'observed', 'suspicious', 'confirmed', 'unresolved', 'bad-input'] as const
export const Verdict = z.enum(verdicts)
export type Verdict = z.infer<typeof Verdict>

export const findingLevels = ['observed', 'suspicious', 'confirmed'] as const
export const FindingLevel = z.enum(findingLevels)
export type FindingLevel = z.infer<typeof FindingLevel>

/** Why a task has its status: what a guest said, or what consensus found. */
export const ResultReason = z.enum([...Reason.options, 'not-repeating'])
export type ResultReason = z.infer<typeof ResultReason>

const count = z.int().min(0)
const Text = z.string().max(4_096)
const outcome = {
  status: z.enum(['passed', 'failed', 'unsupported', 'flaky', 'not-run']),
  reason: ResultReason.optional(),
  exitCode: z.int().optional(),
  signal: SignalName.optional(),
}

const StaticResult = z.strictObject({
  ...outcome,
  ruleset: Text,
  findings: count,
  /** Most frequent first; ties by name. */
  topRules: z.array(z.strictObject({ rule: Text, count })).max(listLength),
  /** Of the metadata and the wheel's contents: how many, and those that did not pass. */
  checks: count,
  checksFailed: z.array(z.strictObject({ check: Text, why: Text })).max(listLength),
  /** 0 to 10. */
  metadataScore: z.int().min(0).max(10).optional(),
  declared: Declared.optional(),
})
const BuildResult = z.strictObject({ ...outcome, wheel: DistributionFilename.optional() })
const InstallResult = z.strictObject({
  ...outcome,
  files: count,
  conflicts: z.array(Text).max(listLength),
  conflictCount: count,
})
const ImportResult = z.strictObject({
  ...outcome,
  modules: count,
  passed: count,
  failed: count,
  failedModules: z
    .array(
      z.strictObject({ name: Text, outcome: Text, error: Text.optional(), signal: SignalName.optional() }),
    )
    .max(listLength),
})
const ScriptsResult = z.strictObject({
  ...outcome,
  scripts: count,
  passed: count,
  failed: count,
  failedScripts: z
    .array(
      z.strictObject({
        name: Text,
        outcome: Text,
        exitCode: z.int().optional(),
        signal: SignalName.optional(),
      }),
    )
    .max(listLength),
})
const NodeIds = z.array(z.string().max(2_000)).max(listLength)
const UnittestResult = z.strictObject({
  ...outcome,
  runner: z.enum(['pytest', 'unittest']).optional(),
  passed: count,
  failed: count,
  errors: count,
  /** Skipped and expectedly failed. */
  skipped: count,
  xpassed: count,
  flakyCount: count,
  flaky: NodeIds,
  needsNetworkCount: count,
  needsNetwork: NodeIds,
  /** Failed and error. */
  failedTests: NodeIds,
  /** Tests the guest did not list. */
  omitted: count,
  /** Lines of the distribution's own modules, and how many its tests ran: the lower median of the agreeing volunteers. */
  coverage: z.strictObject({ executableLines: count, coveredLines: count }).optional(),
})
const QualityResult = z.strictObject({
  ...outcome,
  tools: z.array(
    z.strictObject({
      tool: z.enum(['pylint', 'pycodestyle', 'pyflakes']),
      version: z.string(),
      status: z.enum(['completed', 'failed', 'timeout']),
      messages: count,
      /** Of pylint, in hundredths of its 10 points. */
      scoreX100: z.int().min(0).max(1_000).optional(),
      /** Most frequent first. */
      topCodes: z.array(z.strictObject({ code: z.string(), count })).max(5),
    }),
  ),
  messages: count,
  linesOfCode: count,
  /** Messages per 1,000 lines of code, times 100: an evaluation holds no fractions. Absent without code. */
  messagesPerKlocX100: count.optional(),
})

/** What differed under another date; counts. */
const ClocksResult = z.strictObject({
  ...outcome,
  shifts: z.array(z.strictObject({ days: z.int(), modules: count, tests: count, events: count })).max(4),
})
const UninstallResult = z.strictObject({
  ...outcome,
  left: count,
  leftFiles: z.array(Text).max(listLength),
})

export const TaskResults = z.strictObject({
  static: StaticResult,
  build: BuildResult,
  install: InstallResult,
  start: z.strictObject(outcome),
  import: ImportResult,
  scripts: ScriptsResult,
  unittest: UnittestResult,
  quality: QualityResult,
  clocks: ClocksResult,
  idle: z.strictObject(outcome),
  uninstall: UninstallResult,
})
export type TaskResults = z.infer<typeof TaskResults>

export const Finding = z.strictObject({
  /** Of the rule that was met. */
  id: z.string().regex(/^[a-z][a-z-]{2,60}$/),
  level: FindingLevel,
  phase: z.union([TaskName, z.literal('intake')]),
  evidence: Text,
})
export type Finding = z.infer<typeof Finding>

/** What a release does that the one before it did not. */
export const Since = z.strictObject({
  /** The file it is compared with. */
  filename: DistributionFilename,
  version: Text,
  sha256: Subject.shape.sha256,
  added: z.array(z.strictObject({ phase: z.string().max(100), evidence: Text })).max(listLength),
  addedCount: count,
  /** Requirements at run time, by normalised name. */
  requirements: z.array(Text).max(listLength),
})
export type Since = z.infer<typeof Since>

/** What follows from agreeing raw data: the same bytes wherever and whenever it is computed. */
export const Evaluation = z.strictObject({
  schema: z.literal('pyti.evaluation/3'),
  subject: Subject,
  verdict: Verdict,
  /** When raw data of the release before is known. */
  since: Since.optional(),
  tasks: TaskResults,
  findings: z.array(Finding).max(500),
  /** What says nothing about the distribution because it did not run, and why. */
  notRun: z
    .array(z.strictObject({ task: TaskName, reason: ResultReason, explanation: Text }))
    .max(taskNames.length),
  /** Ways of watching that did not work in the guests, and what was not seen for want of them. */
  notObserved: z.array(z.strictObject({ observer: Observer, explanation: Text })).max(observers.length),
})
export type Evaluation = z.infer<typeof Evaluation>
