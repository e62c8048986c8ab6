import { DistributionFilename } from '../wire/job.ts'
import type { Records, ReportEntry } from './records.ts'

const most = 100

/** Reports on a file, newest first, at most 100. */
export async function findReports(
  records: Records,
  query: { sha256: string } | { filename: string },
): Promise<ReportEntry[]> {
  const under = 'sha256' in query ? `sha256/${query.sha256}/` : `name/${query.filename}/`
  // A name with a slash in it could reach into keys of another name.
  if ('filename' in query && !DistributionFilename.safeParse(query.filename).success) return []
  const found: ReportEntry[] = []
  for await (const [, entry] of records.reports.entries({ under, reverse: true, limit: most }))
    found.push(entry)
  return found
}
