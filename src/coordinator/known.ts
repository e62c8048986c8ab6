import type { Clock } from '../clock.ts'
import { ringRuns } from '../consensus/book.ts'
import { rulesOf } from '../consensus/classes.ts'
import { acrossJobs, answerOf, decide } from '../consensus/decide.ts'
import { chance } from '../consensus/draw.ts'
import { sha256 } from '../wire/canonical.ts'
import type { CoordinatorConfig } from './config.ts'
import type { Jobs } from './jobs.ts'
import type { Random } from './new-job.ts'
import type { Records } from './records.ts'
import { castsOf, isFinished, type JobRecord, newJobRecord } from './state.ts'
import type { Trust } from './trust.ts'

export interface KnownOptions {
  jobs: Jobs
  clock: Clock
  random: Random
  config: CoordinatorConfig
}

/**
 * Jobs whose answer is known: now and then an agreed job is given out again, with a fresh nonce and before its report is out, so
 * that a volunteer can neither tell it from others nor copy the answer (volunteer-compute.md 7.3).
 * @returns whether the report has to wait for it
 */
export async function holdForKnown(record: JobRecord, options: KnownOptions): Promise<boolean> {
  const { jobs, clock, random, config } = options
  const { draw, salt, known, sample, repeatedBy } = record
  const perMille = sample ? 1_000 : config.knownPerMille
  if (!draw || known || record.flaky || !chance(draw.seed, salt, 'known', perMille)) return false
  if (repeatedBy !== undefined) {
    const repeated = await jobs.find(repeatedBy)
    return (
      repeated !== undefined && !isFinished(repeated) && repeated.createdAt + config.knownHoldMs > clock.now()
    )
  }
  const casts = castsOf(record)
  const decision = decide(casts, record.rules)
  const [winner] = decision.kind === 'accept' ? decision.agreeing : []
  const right = casts.find(cast => cast.volunteer === winner)
  if (!right) return false
  const answer = sha256(answerOf(acrossJobs(right.ballot)))
  const without = [...new Set(record.seats.map(seat => seat.operator))]
  const repeated = repeatOf(record, { of: record.id, answer, trial: false, without }, clock.now(), random)
  await jobs.apply(record.id, { type: 'repeated', by: repeated.id }, { made: [repeated] })
  return true
}

/** Has a referee run reported jobs again that were drawn for it, so that a lie that nobody dissented from comes out too. */
export async function auditReports({
  jobs,
  clock,
  random,
  records,
  trust,
}: KnownOptions & { records: Records; trust: Trust }): Promise<void> {
  const due: string[] = []
  for await (const [job] of records.audits.entries({ limit: 100 })) due.push(job)
  for (const job of due) {
    const record = await jobs.find(job)
    // Nobody learns of the report from the audit.
    if (record?.phase === 'agreed') continue
    const report = trust.book.report(job)
    const known = report && { of: job, answer: report.answer, trial: true, without: [] }
    const repeats = record && known ? [repeatOf(record, known, clock.now(), random)] : []
    await jobs.add(repeats, { writes: [records.audits.remove(job)] })
  }
}

/** Referee runs of one suspected job at a time. */
const trialsAtOnce = 5

/** Has referees run jobs again whose dissenters may be a ring, until one bears them out or all that are needed have not. */
export async function tryRings({
  jobs,
  clock,
  random,
  trust,
}: KnownOptions & { trust: Trust }): Promise<void> {
  for (const { job, answer, refuted } of [...trust.book.suspicions()]) {
    const record = await jobs.find(job)
    if (!record) continue
    let open = 0
    for (const { known } of jobs.unfinished()) if (known?.trial && known.of === job) open += 1
    const wanted = Math.min(trialsAtOnce, ringRuns - refuted) - open
    const known = { of: job, answer, trial: true, without: [] }
    const repeats = Array.from({ length: Math.max(0, wanted) }, () =>
      repeatOf(record, known, clock.now(), random),
    )
    if (repeats.length > 0) await jobs.add(repeats)
  }
}

/** The same file and settings once more, for one volunteer, with a fresh nonce. */
function repeatOf(
  record: JobRecord,
  known: Omit<NonNullable<JobRecord['known']>, 'platform'>,
  now: number,
  random: Random,
): JobRecord {
  const hex = () => Buffer.from(random(16)).toString('hex')
  const rules = rulesOf('K', { extra: 0, spotReferees: 0, referees: 0 })
  const platform = record.draw?.platform ?? ''
  return newJobRecord({ ...record.job, nonce: hex() }, now, rules, hex(), { known: { ...known, platform } })
}
