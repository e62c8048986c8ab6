import { baselineRawData } from '../attest/baseline.ts'
import { unverifiedPayload } from '../attest/dsse.ts'
import { ReportStatement } from '../attest/report-statement.ts'
import { parseStatement } from '../attest/statement.ts'
import { rawDataDigest, readTestimony } from '../attest/testimony.ts'
import { readBlob } from '../store/blob-bytes.ts'
import type { BlobStore } from '../store/store.ts'
import type { Envelope } from '../wire/envelope.ts'
import type { Job } from '../wire/job.ts'
import { limits } from '../wire/limits.ts'
import type { RawData } from '../wire/raw-data.ts'
import type { Records, ReportEntry } from './records.ts'

export interface BaselineOptions {
  records: Records
  blobs: BlobStore
  /** Order of two versions of a project; without it the newest report of another version is taken. */
  compareVersions?: ((a: string, b: string) => number) | undefined
}

/** What a report is compared with. */
export interface Baseline {
  report: string
  attestation: string
  envelope: Envelope
  bytes: Uint8Array
  rawData: RawData
}

const looked = 50

/**
 * Raw data of the release before: of the greatest version below this one among the newest reports on the project, of the same
 * kind, Python, network and tasks, as else the machine would be compared and not the release.
 */
export async function findBaseline(job: Job, options: BaselineOptions): Promise<Baseline | undefined> {
  const { records, blobs, compareVersions: compare } = options
  const { project, kind, version } = job.subject
  let best: ReportEntry | undefined
  const newest = { under: `project/${project}/${kind}/`, reverse: true, limit: looked }
  for await (const [, entry] of records.reports.entries(newest)) {
    const older = entry.subject.version
    if (older === version || (compare && compare(older, version) >= 0)) continue
    if (best && (!compare || compare(older, best.subject.version) <= 0)) continue
    if (await records.withdrawn.get(entry.attestation)) continue
    if (await isComparable(entry, job, records)) best = entry
  }
  const report = best && (await records.attestations.get(best.attestation))
  if (!best || !report) return undefined
  const { predicate } = parseStatement(ReportStatement, unverifiedPayload(report.envelope))
  const attestation = predicate.inputAttestations[0]?.digest.sha256 ?? ''
  return loadBaseline({ report: best.attestation, attestation }, job, { records, blobs })
}

/** What a report that is signed already was compared with. */
export async function loadBaseline(
  named: NonNullable<ReportStatement['predicate']['baseline']>,
  job: Job,
  { records, blobs }: Pick<BaselineOptions, 'records' | 'blobs'>,
): Promise<Baseline | undefined> {
  const stored = await records.attestations.get(named.attestation)
  if (!stored) return undefined
  const { envelope } = stored
  const testimony = await readTestimony(envelope)
  const bytes = await readBlob(blobs, rawDataDigest(testimony), limits.rawDataBytes)
  return { ...named, envelope, bytes, rawData: baselineRawData(testimony, bytes, job.subject) }
}

async function isComparable(entry: ReportEntry, job: Job, records: Records): Promise<boolean> {
  const before = (await records.jobs.get(entry.job))?.job
  return (
    before !== undefined &&
    before.profile.python === job.profile.python &&
    before.profile.network === job.profile.network &&
    job.tasks.every(task => before.tasks.includes(task))
  )
}
