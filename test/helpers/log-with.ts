import { makeLog } from './log-maker.ts'
import type { MadeLog, MakerOptions, Tampering } from './log-parts.ts'

/**
 * A log in which all of these changes happened, as they do by chance only: from the first seed that will do.
 * @param kinds as in `happened`
 */
export async function makeLogWith(
  kinds: readonly string[],
  seed: number,
  jobs: number,
  tampering: Tampering = {},
  options: Partial<MakerOptions> = {},
): Promise<MadeLog> {
  for (let tried = seed; tried < seed + 20; tried += 1) {
    const made = await makeLog(tried, jobs, tampering, options)
    if (kinds.every(kind => made.maker.happened.has(kind))) return made
  }
  throw new Error(`no ${kinds.join(', ')} in 20 logs from seed ${seed} on`)
}
