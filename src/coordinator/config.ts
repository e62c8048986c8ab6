import { z } from 'zod'
import { PytiError } from '../errors.ts'
import type { Backend } from '../wire/job.ts'
import { PeerIdText, Profile, TaskName, taskNames } from '../wire/job.ts'

const Ms = z.int().min(1)
const second = 1_000
const minute = 60 * second

const factor = z.number().min(1).max(100)

/** Everything an operator may set. Unknown keys are errors. Times are milliseconds. */
const CoordinatorConfigSchema = z.strictObject({
  /** Told to volunteers in `hello`. */
  software: z.string().max(100).default('pyti'),
  /** Agreeing raw data a report needs where nobody is weighed. */
  quorum: z.int().min(1).max(64).default(3),
  /** Volunteers somebody vouches for. With any of them seats are drawn and answers weighed; without, whoever asks gets a seat. */
  founders: z.array(PeerIdText).max(10_000).default([]),
  /** Volunteers run by the community, which look into dissents. */
  referees: z.array(PeerIdText).max(1_000).default([]),
  /** C2SP vkeys of witnesses. */
  witnesses: z.array(z.string().max(300)).max(10).default([]),
  /** So many of them must sign a checkpoint before it is published and drawn from; all when left out. */
  witnessThreshold: z.int().min(1).optional(),
  /** Projects that very many others install (normalised names). */
  popular: z.array(z.string().max(200)).max(100_000).default([]),
  /** A job that is so old ends `unresolved` when the log goes on and its roster has nobody for it. */
  undrawnMs: Ms.default(24 * 60 * minute),
  /** A drawn volunteer that is connected and does not take its seat is passed over after so long. */
  passMs: Ms.default(60 * second),
  /** Of 1,000 agreed jobs so many are repeated, before their report is out, to check one volunteer. */
  knownPerMille: z.int().min(0).max(1_000).default(30),
  /** After 1,000 agreed jobs so many are made of bundled samples, whose answer is known before anybody ran them. */
  samplePerMille: z.int().min(0).max(1_000).default(10),
  /** A report waits at most so long for a known answer. */
  knownHoldMs: Ms.default(30 * minute),
  /** An audit that no referee could make is tried again after so long; later ones after twice the time each. */
  auditRetryMs: Ms.default(60 * minute),
  /** A roster that nobody new waits for is made again when it is so old. */
  rosterMs: Ms.default(10 * minute),
  /** What is logged is under a published checkpoint after so long, by the receipts given for it. */
  mergeMs: Ms.default(10 * minute),
  /** Seats one volunteer may take in one job, when it loses them or gives them back. */
  maxAttemptsPerVolunteer: z.int().min(1).default(3),
  /** Seats of one job in all. */
  maxAttempts: z.int().min(1).default(24),
  /** Volunteers that must say the same about the file (missing, other bytes) to end the job with that reason. */
  fileComplaints: z.int().min(1).default(3),
  /**
   * VM settings of new jobs, one profile per Python; the first is for who asks for none. The hash seed is drawn per
   * job; `backend`, `network` and `clockDays` are those of jobs that come without.
   */
  profiles: z
    .array(Profile.omit({ hashSeed: true }))
    .min(1)
    .max(16)
    .refine(profiles => new Set(profiles.map(({ python }) => python)).size === profiles.length, {
      message: 'two profiles have one Python',
    }),
  /** On top of the VM's own ceiling: resolving, downloads, the upload of raw data. */
  leaseExtraMs: Ms.default(120 * second),
  /** How much longer than `wallSeconds` a VM may take, by backend. */
  backendFactor: z
    .strictObject({ kvm: factor, uml: factor, tcg: factor })
    .default({ kvm: 1, uml: 3, tcg: 10 }),
  /** A volunteer whose connection is lost keeps its leases for so long. */
  disconnectGraceMs: Ms.default(15 * second),
  /** The same after a restart of the coordinator, when everybody has to come back. */
  restartGraceMs: Ms.default(60 * second),
  /** When a volunteer that got no lease should ask again, adverts apart. */
  retryAfterMs: Ms.default(30 * second),
  /** Pace of the one timer loop (deadlines, graces, unpublished reports). */
  tickMs: Ms.default(second),
  /** Submissions checked at the same time; more are told to come back. */
  maxIntakes: z.int().min(1).default(16),
  /** Unfinished jobs; beyond it `submit` is refused. */
  maxJobs: z.int().min(1).default(10_000),
  /** Waiting jobs above which the index is not asked for more. */
  maxQueued: z.int().min(1).default(1_000),
  /** Pause between two looks at the index, and after an error (doubled each time up to `pollBackoffMs`). */
  pollMs: Ms.default(30 * second),
  pollBackoffMs: Ms.default(10 * minute),
  /** A look at the index that takes longer is given up. */
  pollTimeoutMs: Ms.default(2 * minute),
  /** Tasks of jobs that follow from uploads. */
  followTasks: z
    .array(TaskName)
    .min(1)
    .default([...taskNames]),
})
export type CoordinatorConfig = Readonly<z.infer<typeof CoordinatorConfigSchema>>
export type CoordinatorOptions = z.input<typeof CoordinatorConfigSchema>

const Checked = CoordinatorConfigSchema.refine(config => config.maxAttempts >= config.quorum, {
  path: ['maxAttempts'],
  message: 'must not be less than quorum',
}).refine(
  ({ witnesses: { length }, witnessThreshold: least = length }) =>
    least <= length && (length === 0 || least * 2 > length),
  {
    path: ['witnessThreshold'],
    message:
      'must be more than half of the witnesses, so that any two checkpoints have one in common, and not more than all',
  },
)

/**
 * Fills in the defaults and checks ranges.
 * @throws PytiError `bad-config` that names every bad field
 */
export function coordinatorConfig(options: CoordinatorOptions): CoordinatorConfig {
  const parsed = Checked.safeParse(options)
  if (parsed.success) return Object.freeze(parsed.data)
  throw new PytiError(
    'bad-config',
    `the settings of the coordinator do not fit:\n${z.prettifyError(parsed.error)}`,
    {
      hint: 'correct the fields that are named',
      cause: parsed.error,
    },
  )
}

/**
 * The VM settings for one Python, or the first ones.
 * @throws PytiError `python-not-offered`
 */
export function profileFor(
  { profiles }: Pick<CoordinatorConfig, 'profiles'>,
  python = profiles[0]?.python,
): CoordinatorConfig['profiles'][number] {
  const profile = profiles.find(candidate => candidate.python === python)
  if (profile) return profile
  const offered = profiles.map(candidate => candidate.python).join(', ')
  throw new PytiError(
    'python-not-offered',
    `there are no guests with Python ${python} here, only ${offered}`,
    {
      hint: 'ask for another one with --python',
    },
  )
}

/** @returns milliseconds a volunteer has for a job that it runs on this backend */
export function leaseMs(
  profile: Pick<Profile, 'wallSeconds'>,
  backend: Backend,
  config: CoordinatorConfig,
): number {
  return Math.ceil(profile.wallSeconds * second * config.backendFactor[backend]) + config.leaseExtraMs
}
