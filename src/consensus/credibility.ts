/**
 * How far a volunteer's word carries (volunteer-compute.md 7.3, after Sarmenta 2002). Integers only, so that everybody who
 * replays the log gets the same figures: checks in thousandths, odds in thousandths.
 */

/** 0.5^(1/90) in millionths: checks halve in 90 days. */
const keptPerDay = 992_328
const checksMax = 100_000_000
const forgottenAfterDays = 4_000

/** One check passed. */
export const oneCheck = 1_000
/** Odds of somebody who passed none: an error of f0 = 0.2. */
export const leastWeight = 4_000
/** Caps what one voice can do, so that a floor of distinct clusters is a floor: 32^3 = 32,768 > 9,999. */
export const mostWeight = 32_000

export interface Standing {
  /** Checks passed, decayed, in thousandths. */
  readonly checks: number
  /** The day `checks` was true on: whole days since the Unix epoch. */
  readonly day: number
}

/** @returns checks in thousandths as of `today`, halved every 90 days */
export function checksOn({ checks, day }: Standing, today: number): number {
  if (today - day > forgottenAfterDays) return 0
  let left = checks
  for (let passed = day; passed < today && left > 0; passed++) left = Math.floor((left * keptPerDay) / 1e6)
  return left
}

export function addCheck(standing: Standing, today: number): Standing {
  return {
    checks: Math.min(checksMax, checksOn(standing, today) + oneCheck),
    day: Math.max(today, standing.day),
  }
}

/** A refuted answer costs a third of what was earned: less than all, or honest hosts would saw-tooth. */
export function afterStrike(standing: Standing, today: number): Standing {
  return { checks: Math.floor((checksOn(standing, today) * 2) / 3), day: Math.max(today, standing.day) }
}

/**
 * Odds that a volunteer with so many checks is right, in thousandths: (1 - err) / err with
 * err = min(f0, f0 / ((1 - f0) e k)), f0 = 0.2, so 10.873127 k - 1 between 4 and 32.
 * @param checks k in thousandths
 */
export function weightOf(checks: number): number {
  const odds = Math.floor((10_873_127 * Math.min(checks, checksMax)) / 1e6) - 1_000
  return Math.max(leastWeight, Math.min(mostWeight, odds))
}

/**
 * Whether the odds of a group reach what is needed: the product over distinct clusters of the largest weight in each.
 * @param needed whole odds
 */
export function oddsReach(
  voters: readonly { readonly cluster: string; readonly weight: number }[],
  needed: number,
): boolean {
  const best = new Map<string, number>()
  for (const { cluster, weight } of voters) best.set(cluster, Math.max(weight, best.get(cluster) ?? 0))
  let thousandths = 1_000n
  for (const weight of best.values()) thousandths = (thousandths * BigInt(weight)) / 1_000n
  return thousandths >= BigInt(needed) * 1_000n
}
