import { classOf, rulesOf } from '../consensus/classes.ts'
import type { Job } from '../wire/job.ts'
import type { CoordinatorConfig } from './config.ts'
import type { Random } from './new-job.ts'
import type { Records } from './records.ts'
import { type JobRecord, newJobRecord } from './state.ts'
import type { Trust } from './trust.ts'

export interface NewRecordOptions {
  records: Records
  random: Random
  /** Says whether answers are weighed. */
  trust: Trust
  config: CoordinatorConfig
}

/** Chooses the class of a new job. What is hidden in its rules is added by the draw. */
export async function newRecord(
  job: Job,
  now: number,
  options: NewRecordOptions,
  /** Whether a report that is there already is doubted; what must come out of a sample. */
  { doubted = false, ...made }: { doubted?: boolean } & Pick<JobRecord, 'sample'> = {},
): Promise<JobRecord> {
  const { records, random, trust, config } = options
  const jobClass = classOf({
    weighed: trust.weighed,
    reported: !doubted && (await isReported(job.subject.sha256, records)),
    popular: config.popular.includes(job.subject.project),
    accusing: false,
  })
  const rules = rulesOf(jobClass, { extra: 0, spotReferees: 0, referees: 0 }, config.quorum)
  return newJobRecord(job, now, rules, Buffer.from(random(16)).toString('hex'), made)
}

async function isReported(sha256: string, records: Records): Promise<boolean> {
  for await (const [, { attestation }] of records.reports.entries({ under: `sha256/${sha256}/` }))
    if (!(await records.withdrawn.get(attestation))) return true
  return false
}
