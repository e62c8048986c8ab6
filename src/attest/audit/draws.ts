import { classes, refereesMin, rulesOf } from '../../consensus/classes.ts'
import type { Rules } from '../../consensus/decide.ts'
import { chance, extraSeats, seedOf } from '../../consensus/draw.ts'
import { commonPlatform } from '../../consensus/platform.ts'
import { canonicalJson } from '../../wire/canonical.ts'
import { jobId } from '../../wire/job.ts'
import type { CloseDocument, RosterDocument, TaskDocument } from '../documents.ts'
import { membersOn } from './seats.ts'

type Task = Pick<TaskDocument, 'job' | 'jobClass' | 'trial' | 'platform'>

/**
 * The platform a job is drawn for, if the roster has enough operators on it: that of most volunteers whose answers count, or that
 * of the job it repeats.
 * @returns undefined when it could not fill the seats of the job's class; then it waits for a later roster
 */
export function platformIn({ members }: RosterDocument, task: Task): string | undefined {
  if (task.platform !== undefined) {
    const able = members.filter(({ referee }) => referee === (task.trial ?? false))
    return membersOn(able, task.platform, task).length > 0 ? task.platform : undefined
  }
  const counted = members.filter(member => member.established && !member.referee)
  const common = commonPlatform(counted, task.job.profile)
  if (!common) return undefined
  return common.operators >= classes[task.jobClass].quorum ? common.platform : undefined
}

/** Referees that a roster has for a job, as its rules count them. */
export function refereesIn({ members }: RosterDocument, platform: string, task: Task): number {
  const referees = membersOn(members, platform, task).filter(member => member.referee).length
  return referees < refereesMin ? 0 : referees
}

/** The rules a drawn job has: those of its class, or of class X once somebody accuses, with what its salt hides in them. */
export function drawnRules(
  task: TaskDocument,
  roster: RosterDocument,
  { seed, platform }: { seed: string; platform: string },
): Rules[] {
  return [...new Set([task.jobClass, 'X' as const])].map(jobClass => {
    const { extra, referee } = classes[jobClass]
    return rulesOf(jobClass, {
      extra: extraSeats(seed, task.salt, extra),
      spotReferees: chance(seed, task.salt, 'referee', referee) ? 1 : 0,
      referees: refereesIn(roster, platform, task),
    })
  })
}

/** What is wrong with the rules of a drawn job: hidden seats, spot referee, quorum, odds. */
export function rulesFaults(close: CloseDocument, task: TaskDocument, roster: RosterDocument): string[] {
  const { draw, rules } = close
  if (jobId(task.job) !== close.job) return ['the job is not the one of its task leaf']
  if (!draw) return []
  const platform = platformIn(roster, task)
  if (draw.platform !== platform)
    return [`it was drawn for ${draw.platform}, but most operators of the roster have ${platform ?? 'none'}`]
  const text = canonicalJson(rules)
  if (drawnRules(task, roster, draw).some(drawn => canonicalJson(drawn) === text)) return []
  return [
    `the rules (class ${rules.jobClass}, ${rules.seats} seats, ${rules.spotReferees} spot referees) are not those that class ${task.jobClass}, salt and seed give`,
  ]
}

/** @param values of the beacon, any of which would do */
export function seedFaults({ draw, job }: CloseDocument, values: readonly string[]): string[] {
  if (!draw || values.some(value => seedOf(value, job) === draw.seed)) return []
  return ['the seed does not follow from the beacon']
}
