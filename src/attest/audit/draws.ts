import { classes, refereesMin, rulesOf } from '../../consensus/classes.ts'
import type { Rules } from '../../consensus/decide.ts'
import { chance, extraSeats, seedOf } from '../../consensus/draw.ts'
import { canonicalJson } from '../../wire/canonical.ts'
import { jobId } from '../../wire/job.ts'
import type { CloseDocument, RosterDocument, TaskDocument } from '../documents.ts'

/** Referees that a roster has, as the rules of a job count them. */
export function refereesIn({ members }: RosterDocument): number {
  const referees = members.filter(member => member.referee).length
  return referees < refereesMin ? 0 : referees
}

/** The rules a drawn job has: those of its class, or of class X once somebody accuses, with what its salt hides in them. */
export function drawnRules(task: TaskDocument, roster: RosterDocument, seed: string): Rules[] {
  return [...new Set([task.jobClass, 'X' as const])].map(jobClass => {
    const { extra, referee } = classes[jobClass]
    return rulesOf(jobClass, {
      extra: extraSeats(seed, task.salt, extra),
      spotReferees: chance(seed, task.salt, 'referee', referee) ? 1 : 0,
      referees: refereesIn(roster),
    })
  })
}

/** What is wrong with the rules of a drawn job: hidden seats, spot referee, quorum, odds. */
export function rulesFaults(close: CloseDocument, task: TaskDocument, roster: RosterDocument): string[] {
  const { draw, rules } = close
  if (jobId(task.job) !== close.job) return ['the job is not the one of its task leaf']
  if (!draw) return []
  const text = canonicalJson(rules)
  if (drawnRules(task, roster, draw.seed).some(drawn => canonicalJson(drawn) === text)) return []
  return [
    `the rules (class ${rules.jobClass}, ${rules.seats} seats, ${rules.spotReferees} spot referees) are not those that class ${task.jobClass}, salt and seed give`,
  ]
}

/** @param values of the beacon, any of which would do */
export function seedFaults({ draw, job }: CloseDocument, values: readonly string[]): string[] {
  if (!draw || values.some(value => seedOf(value, job) === draw.seed)) return []
  return ['the seed does not follow from the beacon']
}
