import { z } from 'zod'
import { Declared } from './declared.ts'
import { Backend, DistributionFilename, Hex128, Sha256, Subject } from './job.ts'

const Text = (max: number) => z.string().max(max)
const Version = Text(100)

/** Why a task ended as it did: a closed list, so that three volunteers say it in the same word. */
export const reasons = [
  // status `failed`
  'exit-code',
  'signal',
  'timeout',
  'out-of-memory',
  'disk-full',
  'process-limit',
  'output-limit',
  'tests-failed',
  'collection-failed',
  'module-failed',
  'no-wheel-made',
  'tampered',
  // status `not-run`
  'is-a-wheel',
  'build-failed',
  'install-failed',
  'no-tests',
  'no-modules',
  'no-scripts',
  'not-requested',
  'bad-input',
  // status `unsupported`
  'dependencies-unavailable',
  'needs-other-python',
  'needs-other-platform',
  'unknown-test-runner',
  'unknown-build-backend',
  'needs-network',
] as const
export const Reason = z.enum(reasons)
export type Reason = z.infer<typeof Reason>

export const TaskStatus = z.enum(['passed', 'failed', 'unsupported', 'not-run'])
export const SignalName = z.string().regex(/^SIG[A-Z0-9]{2,10}$/)

/** One difference a task left in the file system; `path` is templated: `{site}`, `{home}`, `{tmp}`, `{build}`. */
export const FileChange = z.strictObject({
  path: Text(4_096),
  kind: z.enum(['added', 'changed', 'deleted']),
  type: z.enum(['file', 'directory', 'symlink', 'other']),
  sha256: Sha256.optional(),
})
export type FileChange = z.infer<typeof FileChange>
const FileChanges = z.array(FileChange).max(20_000)

/** What was seen, as a word all volunteers use; how to read `what` of each: docs/raw-data.md. */
export const eventKinds = [
  'exec',
  'connect',
  'listen',
  'name',
  'request',
  'bait-read',
  'bait-left',
  'identity-read',
  'code',
  'native',
  'marshal',
  'hook',
  'process-memory',
  'memory-file',
  'make-executable',
  'kill',
  'privilege',
  'left-running',
  'marker-run',
  'tamper',
] as const
export const EventKind = z.enum(eventKinds)
export type EventKind = z.infer<typeof EventKind>

/** One kind of thing a task did, however often; texts are templated like paths. */
export const Event = z.strictObject({
  kind: EventKind,
  what: Text(1_000),
  /** The program that did it. */
  by: Text(1_000).optional(),
  /** The line of the distribution that did it, `{site}/pkg/mod.py:12`. */
  at: Text(1_000).optional(),
  /** 1; 2 to 9; more. */
  times: z.enum(['once', 'few', 'many']),
})
export type Event = z.infer<typeof Event>
const Events = z.array(Event).max(2_000)

/** Ways of watching; a guest names those that worked, as others would not have seen the same. */
export const observers = ['changes', 'syscalls', 'audit', 'baits', 'sinkhole'] as const
export const Observer = z.enum(observers)
export type Observer = z.infer<typeof Observer>

const outcome = {
  status: TaskStatus,
  reason: Reason.optional(),
  exitCode: z.int().min(0).max(255).optional(),
  signal: SignalName.optional(),
  /** What the task left behind outside temporary folders, sorted by path. */
  changes: FileChanges,
  /** How many changes were left out of `changes`. */
  changesOmitted: z.int().min(0),
  /** What was seen, sorted by kind, what, by, at. */
  events: Events,
  eventsOmitted: z.int().min(0),
}

const File = z.strictObject({ path: Text(4_096), sha256: Sha256 })

export const BuildStable = z.strictObject({
  ...outcome,
  wheel: z.strictObject({ filename: DistributionFilename, files: z.array(File).max(20_000) }).optional(),
})
export const InstallStable = z.strictObject({
  ...outcome,
  /** The distribution's own files under `{site}` / `{scripts}` / `{data}`, by RECORD, sorted. */
  files: z.array(File).max(20_000),
  filesOmitted: z.int().min(0),
  /** HMAC-SHA-256 under the plan's `seed` over the contents of `files`: not to be had from their digests. */
  keyed: Sha256.optional(),
  /** Requirements `pip check` finds missing or in conflict, sorted. */
  conflicts: z.array(Text(1_000)).max(1_000),
})
export const ImportStable = z.strictObject({
  ...outcome,
  modules: z
    .array(
      z.strictObject({
        name: Text(1_000),
        outcome: z.enum(['passed', 'error', 'signal', 'timeout', 'exit', 'killed']),
        /** Class of the exception, `ModuleNotFoundError`. */
        error: Text(200).optional(),
        signal: SignalName.optional(),
      }),
    )
    .max(5_000),
  modulesOmitted: z.int().min(0),
})

export const testOutcomes = [
  'passed',
  'failed',
  'error',
  'skipped',
  'xfailed',
  'xpassed',
  'needs-network',
  'flaky',
] as const
export const TestOutcome = z.enum(testOutcomes)
export type TestOutcome = z.infer<typeof TestOutcome>

export const UnittestStable = z.strictObject({
  ...outcome,
  runner: z.enum(['pytest', 'unittest']).optional(),
  /** Node id -> outcome. `flaky`: the guest itself saw both outcomes in repeated runs. */
  tests: z.record(Text(2_000), TestOutcome),
  testsOmitted: z.int().min(0),
  /** Of the distribution's own modules: what coverage is a share of. */
  executableLines: z.int().min(0).optional(),
})
export const QualityStable = z.strictObject({
  ...outcome,
  tools: z
    .array(
      z.strictObject({
        tool: z.enum(['pylint', 'pycodestyle', 'pyflakes']),
        version: Version,
        status: z.enum(['completed', 'failed', 'timeout']),
        /** Message code -> how often. */
        counts: z.record(Text(100), z.int().min(1)),
        /** Sorted `[code, file, line, column]`; the first 2,000. */
        messages: z.array(z.tuple([Text(100), Text(4_096), z.int(), z.int()])).max(2_000),
        messagesOmitted: z.int().min(0),
        /** Of pylint: what its score is worked out from, besides `counts`. */
        statements: z.int().min(0).optional(),
      }),
    )
    .max(3),
  linesOfCode: z.int().min(0),
})

const Row = z.strictObject({ rule: Text(100), file: Text(4_096), line: z.int().min(1).optional() })

const Tool = z.strictObject({ tool: Text(100), version: Version })
/** Looks at files only; nothing is run. */
export const StaticStable = z.strictObject({
  ...outcome,
  /** Version of the rules in the guest image. */
  ruleset: Version,
  /** Sorted by rule, file, line. */
  findings: z.array(Row).max(2_000),
  findingsOmitted: z.int().min(0),
  /** Named checks of the metadata and of the wheel's contents: `passed`, or why not. */
  grades: z.record(Text(100), Text(200)),
  /** 0 to 10, by the metadata's grades. */
  metadataScore: z.int().min(0).max(10).optional(),
  declared: Declared.optional(),
  /** What gave the grades, sorted. */
  tools: z.array(Tool).max(10).optional(),
})
/** One bare interpreter start in the environment. */
export const StartStable = z.strictObject(outcome)
export const ScriptsStable = z.strictObject({
  ...outcome,
  /** Console scripts run with `--help`, sorted by name. */
  scripts: z
    .array(
      z.strictObject({
        name: Text(200),
        outcome: z.enum(['passed', 'failed', 'signal', 'timeout', 'killed']),
        exitCode: z.int().min(0).max(255).optional(),
        signal: SignalName.optional(),
      }),
    )
    .max(200),
  scriptsOmitted: z.int().min(0),
})
/** Imports, and tests when they ran, under other dates: what differs from the run under today's. */
export const ClocksStable = z.strictObject({
  ...outcome,
  shifts: z
    .array(
      z.strictObject({
        days: z.int(),
        /** Modules whose import ended otherwise than in `import`. */
        modules: z.array(Text(1_000)).max(5_000),
        /** Tests that ended otherwise than in `unittest`. */
        tests: z.array(Text(2_000)).max(5_000),
        /** Events not seen under today's date. */
        events: Events,
      }),
    )
    .max(4),
})
/** Some seconds in which nothing is asked of the package, and one more interpreter start. */
export const IdleStable = z.strictObject(outcome)
export const UninstallStable = z.strictObject({
  ...outcome,
  /** The distribution's own files that are still there afterwards, sorted. */
  left: z.array(Text(4_096)).max(5_000),
})

/** Never compared between volunteers. */
const volatile = {
  milliseconds: z.int().min(0),
  cpuMilliseconds: z.int().min(0).optional(),
  peakMemoryBytes: z.int().min(0).optional(),
  /** Processes that were still alive when the task's own process ended. */
  leftoverProcesses: z.int().min(0).optional(),
  /** Bytes the task printed, before truncation. */
  outputBytes: z.int().min(0).optional(),
  /** Name of the log among the observations, `logs/build.txt`. */
  log: Text(200).optional(),
  /** A few lines a person wants to see first: the exception, the last words of the build. */
  excerpt: Text(8_192).optional(),
}
export const TaskVolatile = z.strictObject(volatile)
export type TaskVolatile = z.infer<typeof TaskVolatile>
export const UnittestVolatile = z.strictObject({
  ...volatile,
  /** Of `executableLines`; with threads or timing in the tests it differs from run to run. */
  coveredLines: z.int().min(0).optional(),
})

const record = <T extends z.ZodType>(stable: T) => z.strictObject({ stable, volatile: TaskVolatile })

export const TaskRecords = z.strictObject({
  static: record(StaticStable).optional(),
  build: record(BuildStable).optional(),
  install: record(InstallStable).optional(),
  start: record(StartStable).optional(),
  import: record(ImportStable).optional(),
  scripts: record(ScriptsStable).optional(),
  unittest: z.strictObject({ stable: UnittestStable, volatile: UnittestVolatile }).optional(),
  quality: record(QualityStable).optional(),
  clocks: record(ClocksStable).optional(),
  idle: record(IdleStable).optional(),
  uninstall: record(UninstallStable).optional(),
})
export type TaskRecords = z.infer<typeof TaskRecords>

/** What the guest agent sends at the end of a job (item `guest.json` of the raw data API). */
export const GuestRecord = z.strictObject({
  schema: z.literal('pyti.guest/3'),
  /** `3.13.5` */
  python: Version,
  /** In the order of `observers`. */
  observers: z.array(Observer).max(observers.length),
  tasks: TaskRecords,
})
export type GuestRecord = z.infer<typeof GuestRecord>

/** One locked package; the set is voted on, so an index that serves different files to different people is seen. */
export const LockedPackage = z.strictObject({
  name: Text(200),
  version: Text(200),
  filename: DistributionFilename,
  sha256: Sha256,
})
export type LockedPackage = z.infer<typeof LockedPackage>

export const archiveFaults = [
  'truncated',
  'not-an-archive',
  'path-escape',
  'link-escape',
  'special-file',
  'too-many-members',
  'unpacks-too-large',
  'no-metadata',
  'bad-metadata',
  'duplicate-member',
] as const
export const ArchiveFault = z.enum(archiveFaults)
export type ArchiveFault = z.infer<typeof ArchiveFault>

const Locked = z.array(LockedPackage).max(2_000)

/** What the volunteer worked out on the host before the VM started, without running a byte of the distribution. */
export const IntakeStable = z.strictObject({
  archive: z.union([z.literal('ok'), ArchiveFault]),
  /** The member at fault, or what the metadata lacks. */
  archiveDetail: Text(500).optional(),
  /** `unavailable`: the index gives no upload times, the newest versions were taken. `none`: nothing to resolve. */
  cutoff: z.enum(['applied', 'unavailable', 'none']),
  packages: z.strictObject({ build: Locked, run: Locked, test: Locked }),
  /** Requirements no wheel could be found for, by group; sorted. */
  unresolved: z
    .array(z.strictObject({ group: z.enum(['build', 'run', 'test']), requirement: Text(1_000) }))
    .max(1_000),
})
export type IntakeStable = z.infer<typeof IntakeStable>

const bytes = { sha256: Sha256, size: z.int().min(0) }
/** One file that travels as a blob beside what names it. */
export const Attachment = z.strictObject({ name: Text(200), ...bytes })
export type Attachment = z.infer<typeof Attachment>

/** Names of logs: nothing that leads elsewhere when they are written to disk. */
export const LogName = z.string().regex(/^logs\/[a-z][a-z0-9-]{0,40}\.txt$/)

export const RawData = z.strictObject({
  schema: z.literal('pyti.raw-data/3'),
  job: Sha256,
  nonce: Hex128,
  subject: Subject,
  intake: z.strictObject({
    stable: IntakeStable,
    volatile: z.strictObject({
      index: Text(2_000),
      resolveMilliseconds: z.int().min(0),
      downloadMilliseconds: z.int().min(0),
      notes: z.array(Text(1_000)).max(100),
    }),
  }),
  guest: z.strictObject({
    stable: z.strictObject({
      image: Sha256,
      python: Version,
      observers: z.array(Observer).max(observers.length),
    }),
    volatile: z.strictObject({
      backend: z.union([Backend, z.literal('none')]),
      kernel: Text(200),
      bootMilliseconds: z.int().min(0),
      totalMilliseconds: z.int().min(0),
    }),
  }),
  tasks: TaskRecords,
  attachments: z.array(z.strictObject({ name: LogName, ...bytes })).max(100),
})
export type RawData = z.infer<typeof RawData>

/** What is voted on, section by section: intake, guest, and each task's stable half. */
export function stableSections(rawData: RawData): Record<string, unknown> {
  const sections: Record<string, unknown> = { intake: rawData.intake.stable, guest: rawData.guest.stable }
  for (const [task, entry] of Object.entries(rawData.tasks)) if (entry) sections[task] = entry.stable
  return sections
}
