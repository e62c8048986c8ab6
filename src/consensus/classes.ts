import type { Rules } from './decide.ts'

/** `K`: one whose answer the coordinator knows, so that one volunteer is checked; told from others by nobody. */
export const jobClasses = ['open', 'R', 'N', 'H', 'X', 'K'] as const
export type JobClass = (typeof jobClasses)[number]

/** What a class asks for (volunteer-compute.md 7.4). Chances are per mille. */
export interface ClassRules {
  /** m0: agreeing volunteers of distinct clusters. */
  readonly quorum: number
  /** theta as odds: credibility g / (1 + g) >= theta exactly when g >= theta / (1 - theta); 0: not weighed. */
  readonly odds: number
  /** c: the chance of each further hidden seat, up to `extraMax` of them. */
  readonly extra: number
  /** h: the chance of a referee besides the seats. */
  readonly referee: number
  /** a: the chance that a referee runs an accepted job again. */
  readonly audit: number
}

export const classes: Readonly<Record<JobClass, ClassRules>> = {
  open: { quorum: 3, odds: 0, extra: 0, referee: 0, audit: 0 },
  R: { quorum: 2, odds: 999, extra: 250, referee: 10, audit: 10 },
  N: { quorum: 3, odds: 9_999, extra: 250, referee: 10, audit: 10 },
  H: { quorum: 4, odds: 9_999, extra: 250, referee: 100, audit: 50 },
  X: { quorum: 5, odds: 99_999, extra: 250, referee: 250, audit: 100 },
  K: { quorum: 1, odds: 0, extra: 0, referee: 0, audit: 0 },
}

export const extraMax = 4
/** The chance that a newcomer runs a drawn job too, to be checked. */
export const shadowPerMille = 300
/** While reports rest on volunteers that were banned, a referee runs one of them again so much more often than `audit` says. */
export const riskFactor = 30
/** Volunteers of unused clusters that must be unanimous where a dissent finds no referees. */
const panel = 5
/** Referee runs that must all be alike before a dissent counts as refuted (7.7 T5 allows five). */
const refereeRuns = 5
/** Below this there are no referees to speak of: one of them is one voice. */
export const refereesMin = 2
/** Seats a test that one volunteer alone sees differently may cost. */
const moreSeats = 4

/** What is known of a job when its class is chosen. */
export interface JobFacts {
  /** Whether volunteers are weighed at all: somebody vouches for founders. */
  readonly weighed: boolean
  /** A report on this very file is live. */
  readonly reported: boolean
  /** The project is one that very many others install. */
  readonly popular: boolean
  /** Raw data of it holds what a rule calls `suspicious` or `confirmed`. */
  readonly accusing: boolean
}

export function classOf({ weighed, accusing, popular, reported }: JobFacts): JobClass {
  if (!weighed) return 'open'
  if (accusing) return 'X'
  if (popular) return 'H'
  return reported ? 'R' : 'N'
}

/**
 * The rules of one job.
 * @param drawn hidden seats, referees called in any case (0 or 1), referees the network has for it
 * @param quorum that of class `open`, which its coordinator chooses
 */
export function rulesOf(
  jobClass: JobClass,
  drawn: { extra: number; spotReferees: number; referees: number },
  quorum = classes.open.quorum,
): Rules {
  const { odds, quorum: wanted } = classes[jobClass]
  const least = jobClass === 'open' ? quorum : wanted
  const seats = least + drawn.extra
  const referees = drawn.referees < refereesMin ? 0 : Math.min(refereeRuns, drawn.referees)
  return {
    jobClass,
    quorum: least,
    odds,
    seats,
    maxSeats: seats + moreSeats,
    panel,
    referees,
    refereePool: drawn.referees,
    spotReferees: Math.min(drawn.spotReferees, referees),
  }
}

/** Where nobody is weighed: the number of volunteers alone counts. */
export const openRules: Rules = rulesOf('open', { extra: 0, spotReferees: 0, referees: 0 })
