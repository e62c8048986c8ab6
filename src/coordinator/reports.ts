import { DistributionFilename } from '../wire/job.ts'
import type { Records, ReportEntry } from './records.ts'

/** A report as others find it: withdrawn ones are not hidden. */
export type FoundReport = ReportEntry & { withdrawn: boolean }

const most = 100

/** Reports on a file, newest first, at most 100. */
export async function findReports(
  records: Records,
  query: { sha256: string } | { filename: string },
): Promise<FoundReport[]> {
  const under = 'sha256' in query ? `sha256/${query.sha256}/` : `name/${query.filename}/`
  // A name with a slash in it could reach into keys of another name.
  if ('filename' in query && !DistributionFilename.safeParse(query.filename).success) return []
  const found: FoundReport[] = []
  for await (const [, entry] of records.reports.entries({ under, reverse: true, limit: most }))
    found.push({ ...entry, withdrawn: (await records.withdrawn.get(entry.attestation)) !== undefined })
  return found
}
