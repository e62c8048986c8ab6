import type { RawData } from '../wire/raw-data.ts'
import type { TaskResults } from './evaluation.ts'

/**
 * How many lines of its own modules a distribution's tests ran. Volunteers measure it each for itself and do not vote on it, as
 * threads and timing change it: the lower median stands, which one of three cannot move beyond what the other two say.
 */
export function coverageOf(agreeing: readonly RawData[]): TaskResults['unittest']['coverage'] {
  const [lines] = agreeing.flatMap(one => one.tasks.unittest?.stable.executableLines ?? [])
  const measured = agreeing
    .flatMap(one => one.tasks.unittest?.volatile.coveredLines ?? [])
    .sort((a, b) => a - b)
  const covered = measured[Math.floor((measured.length - 1) / 2)]
  if (lines === undefined || covered === undefined) return undefined
  return { executableLines: lines, coveredLines: Math.min(covered, lines) }
}
