import { rfc3339 } from '../clock.ts'
import { PytiError } from '../errors.ts'
import {
  type BackendDemand,
  type Job,
  type Profile,
  type Subject,
  type TaskName,
  taskNames,
} from '../wire/job.ts'

/** Random bytes: a parameter, so that simulations repeat. */
export type Random = (bytes: number) => Uint8Array

export interface JobRequest {
  subject: Subject
  origin: Job['origin']
  tasks: readonly TaskName[]
  /** Ceiling on one task, in guest seconds; the profile's own when left out. */
  taskSeconds?: number | undefined
  /** Minor version of the guest's interpreter; the coordinator's first when left out. */
  python?: string | undefined
  /** The profile's own demand when left out. */
  backend?: BackendDemand | undefined
  /** The profile's own when left out. */
  network?: Profile['network'] | undefined
  /** Days ahead for the task `clocks`; the profile's own when left out. */
  clockDays?: readonly number[] | undefined
  /** Uploads after it do not exist for the job; `now` when left out or in the future. */
  indexCutoff?: string | undefined
}

const wallSecondsMax = 14_400
/** What a VM needs besides its tasks. */
const wallSecondsExtra = 60

/**
 * The job for one distribution. Uploads after `now` do not exist for it. Without days there is no task `clocks`.
 * @param profile the one for the Python that is asked for
 * @param now milliseconds since the Unix epoch
 * @throws PytiError `bad-request` when no task is left
 */
export function jobFor(
  request: JobRequest,
  profile: Omit<Profile, 'hashSeed'>,
  now: number,
  random: Random,
): Job {
  const clockDays = [...new Set(request.clockDays ?? profile.clockDays)].sort((a, b) => a - b)
  const tasks = taskNames.filter(
    task => request.tasks.includes(task) && (task !== 'clocks' || clockDays.length > 0),
  )
  if (tasks.length === 0)
    throw new PytiError('bad-request', 'the task clocks needs days to set the clock ahead', {
      hint: 'say them with --clock-days',
    })
  return {
    schema: 'pyti.job/2',
    subject: request.subject,
    origin: request.origin,
    tasks,
    profile: {
      ...withTaskSeconds(profile, request.taskSeconds, tasks.length),
      backend: request.backend ?? profile.backend,
      network: request.network ?? profile.network,
      clockDays: tasks.includes('clocks') ? clockDays : [],
      hashSeed: Buffer.from(random(4)).readUInt32BE(),
    },
    indexCutoff:
      request.indexCutoff !== undefined && Date.parse(request.indexCutoff) < now
        ? request.indexCutoff
        : rfc3339(now),
    nonce: Buffer.from(random(16)).toString('hex'),
  }
}

/** A longer ceiling per task needs a longer one for the VM, else it would never be reached. */
function withTaskSeconds<P extends { taskSeconds: number; wallSeconds: number }>(
  profile: P,
  taskSeconds: number | undefined,
  tasks: number,
): P {
  if (taskSeconds === undefined) return profile
  const needed = Math.min(wallSecondsMax, tasks * taskSeconds + wallSecondsExtra)
  return { ...profile, taskSeconds, wallSeconds: Math.max(profile.wallSeconds, needed) }
}
