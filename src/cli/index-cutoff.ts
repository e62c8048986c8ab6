import { InvalidArgumentError, Option } from 'commander'
import { rfc3339 } from '../clock.ts'

/** `upload`: the index as it was when the file came out. `now`: as it is today. Or a moment, in milliseconds. */
export type CutoffChoice = 'upload' | 'now' | number

/** Projects release several distributions that need each other within hours. */
const dayMs = 24 * 60 * 60 * 1_000

/**
 * The moment after which uploads do not exist for a job. A release is judged by the dependencies of its own time, but by
 * none older than `settled`: before that too little on the index fits the guest's Python.
 * @param uploadTime RFC 3339 as the index gives it
 * @param settled milliseconds
 * @returns `undefined` for "now", which the coordinator's own clock says best
 */
export function cutoffFor(
  choice: CutoffChoice,
  uploadTime: string | undefined,
  settled: number,
  now: number,
): string | undefined {
  if (choice === 'now') return undefined
  const uploaded = uploadTime === undefined ? Number.NaN : Date.parse(uploadTime)
  const moment = typeof choice === 'number' ? choice : Math.max(uploaded + dayMs, settled)
  return Number.isFinite(moment) && moment < now ? rfc3339(moment) : undefined
}

export const cutoffOption = () =>
  new Option(
    '--index-cutoff <when>',
    'dependencies as of: "upload" (a day after the file came out), "now", or a time like 2026-01-31T00:00:00Z',
  )
    .default('upload')
    .argParser((text: string): CutoffChoice => {
      if (text === 'upload' || text === 'now') return text
      const moment = Date.parse(text)
      if (!/^\d{4}-\d\d-\d\d/.test(text) || Number.isNaN(moment))
        throw new InvalidArgumentError('"upload", "now" or a time like 2026-01-31T00:00:00Z')
      return moment
    })
