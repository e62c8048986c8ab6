import type { Clock } from '../clock.ts'
import { rulesOf } from '../consensus/classes.ts'
import { acrossJobs, answerOf, decide } from '../consensus/decide.ts'
import { chance } from '../consensus/draw.ts'
import { sha256 } from '../wire/canonical.ts'
import type { CoordinatorConfig } from './config.ts'
import type { Jobs } from './jobs.ts'
import type { Random } from './new-job.ts'
import { castsOf, isFinished, type JobRecord, newJobRecord } from './state.ts'

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
  const { draw, salt, known, repeatedBy } = record
  if (!draw || known || record.flaky || !chance(draw.seed, salt, 'known', config.knownPerMille)) return false
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
  const hex = () => Buffer.from(random(16)).toString('hex')
  const repeated = newJobRecord(
    { ...record.job, nonce: hex() },
    clock.now(),
    rulesOf('K', { extra: 0, spotReferees: 0, referees: 0 }),
    hex(),
    { of: record.id, answer: sha256(answerOf(acrossJobs(right.ballot))) },
  )
  await jobs.add([repeated])
  await jobs.apply(record.id, { type: 'repeated', by: repeated.id })
  return true
}
