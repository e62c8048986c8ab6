import { z } from 'zod'
import { digestOf } from './canonical.ts'

export const Sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'lower-case hex SHA-256')
/** base58btc text of an Ed25519 peer id; it contains the public key (attestation.md 2.1). */
export const PeerIdText = z.string().regex(/^12D3KooW[1-9A-HJ-NP-Za-km-z]{44}$/, 'Ed25519 peer id')
/** A name an owner of several machines gives to all of them. */
export const OperatorName = z.string().regex(/^[\x21-\x7e]{1,100}$/, 'printable ASCII without spaces')
export const Rfc3339 = z
  .string()
  .regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, 'RFC 3339 time in UTC, whole seconds')
export const Hex128 = z.string().regex(/^[0-9a-f]{32}$/, '16 bytes in hex')

/** One file name, never a path: it is joined to directories on the host and in the guest. */
export const DistributionFilename = z
  .string()
  .max(255)
  .regex(/^[A-Za-z0-9][A-Za-z0-9._+!-]*\.(?:whl|tar\.gz|zip)$/, 'file name of a wheel or sdist')

export const DistributionKind = z.enum(['sdist', 'wheel'])
export type DistributionKind = z.infer<typeof DistributionKind>

export const Subject = z.strictObject({
  /** Normalised name (PEP 503). */
  project: z
    .string()
    .min(1)
    .max(200)
    .regex(/^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/, 'normalised project name'),
  version: z
    .string()
    .min(1)
    .max(200)
    .regex(/^[A-Za-z0-9.!+_-]+$/, 'version'),
  filename: DistributionFilename,
  kind: DistributionKind,
  sha256: Sha256,
  size: z.int().min(0),
})
export type Subject = z.infer<typeof Subject>

/** In the order a guest runs them. */
export const taskNames = [
  'static',
  'build',
  'install',
  'start',
  'import',
  'scripts',
  'unittest',
  'quality',
  'clocks',
  'idle',
  'uninstall',
] as const
export const TaskName = z.enum(taskNames)
export type TaskName = z.infer<typeof TaskName>

/** Minor version of an interpreter, `3.13`. */
export const PythonVersion = z.string().regex(/^3\.\d{1,2}$/, 'minor version of Python, like 3.13')

/** What the VM of a job must run on. */
export const BackendDemand = z.enum(['any', 'kvm', 'uml', 'tcg'])
export type BackendDemand = z.infer<typeof BackendDemand>
export const Backend = BackendDemand.exclude(['any'])
export type Backend = z.infer<typeof Backend>

/** The VM's settings, chosen by the coordinator per job. */
export const Profile = z.strictObject({
  /** Digest of the guest image's manifest. */
  image: Sha256,
  /** Of the guest's interpreter. */
  python: PythonVersion,
  /** Of the guest's C library: wheels for a newer one do not run there (PEP 600). */
  glibc: z.string().regex(/^2\.\d{1,3}$/),
  /** Class of VM the job must run on. */
  backend: BackendDemand,
  /** One: no backend gives a guest more so far, and User-mode Linux never can. */
  vcpus: z.literal(1),
  memoryMiB: z.int().min(128).max(65_536),
  /** The private writable layer. */
  diskMiB: z.int().min(64).max(262_144),
  /** Ceiling on one task, in guest seconds. */
  taskSeconds: z.int().min(1).max(3_600),
  /** Ceiling on the whole VM, in host seconds; slow backends scale both (sandbox.md section 5). */
  wallSeconds: z.int().min(5).max(14_400),
  /**
   * `dead`: nothing answers. `sinkhole`: the guest itself answers for every name and address, so that what would be sent
   * is seen. Nothing leaves the guest either way.
   */
  network: z.enum(['dead', 'sinkhole']),
  /** Days ahead the guest's clock is set for another run of imports and tests (task `clocks`); none by default. */
  clockDays: z.array(z.int().min(1).max(36_500)).max(4),
  hashSeed: z.int().min(0).max(4_294_967_295),
})
export type Profile = z.infer<typeof Profile>
/** What decides which files of a release a guest can use. */
export type GuestPlatform = Pick<Profile, 'python' | 'glibc'>

/** The one backend a job may run on; `undefined` when any will do. */
export function demandedBackend({ backend }: Pick<Profile, 'backend'>): Backend | undefined {
  return backend === 'any' ? undefined : backend
}

/**
 * What a volunteer runs a job on: the backend the job demands, else its first.
 * @param offered the volunteer's backends, the preferred one first
 * @returns `undefined` when it cannot do the job
 */
export function backendFor(
  profile: Pick<Profile, 'backend'>,
  offered: readonly Backend[],
): Backend | undefined {
  const demanded = demandedBackend(profile)
  return demanded === undefined ? offered[0] : offered.find(backend => backend === demanded)
}

/** One job = one distribution file. */
export const Job = z.strictObject({
  schema: z.literal('pyti.job/2'),
  subject: Subject,
  /** Where the file's bytes come from: the index, or a blob the coordinator serves (a file not yet uploaded). */
  origin: z.enum(['index', 'coordinator']),
  tasks: z.array(TaskName).min(1).max(taskNames.length),
  profile: Profile,
  /** Uploads after this moment do not exist for this job, so that every volunteer resolves alike. */
  indexCutoff: Rfc3339,
  nonce: Hex128,
})
export type Job = z.infer<typeof Job>

/**
 * Where the guest's clock begins, in milliseconds since 1970: the job says it, so that a run of another hour or day differs in
 * nothing that honest volunteers must agree on.
 */
export function clockOf({ indexCutoff }: Pick<Job, 'indexCutoff'>): number {
  return Date.parse(indexCutoff)
}

export function jobId(job: Job): string {
  return digestOf(job)
}

export const Lease = z.strictObject({
  id: Hex128,
  job: Job,
  /** Milliseconds from receipt in which raw data must arrive: a span, as the two clocks may differ. */
  remainingMs: z.int().min(0),
})
export type Lease = z.infer<typeof Lease>
