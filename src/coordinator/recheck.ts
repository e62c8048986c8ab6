import type { Clock } from '../clock.ts'
import { jobId } from '../wire/job.ts'
import type { Jobs } from './jobs.ts'
import { logged } from './log-documents.ts'
import { type NewRecordOptions, newRecord } from './new-record.ts'

export interface RecheckOptions extends NewRecordOptions {
  jobs: Jobs
  clock: Clock
}

/**
 * Makes jobs anew whose reports rest on volunteers that were banned: the same file and settings, a fresh nonce. Where these are
 * half or more of those it rests on, the report is withdrawn at once; else it holds until the next one supersedes it.
 * Withdrawal, new job and the note that it is done are one batch.
 */
export async function recheckJobs(options: RecheckOptions): Promise<void> {
  const { jobs, records, clock, random } = options
  for await (const [id, { because, withdraw }] of records.rechecks.entries({ limit: 100 })) {
    const record = await jobs.find(id)
    if (!record) continue
    // Whoever waits for a report that is still being made gets it first; it is withdrawn right after.
    if (record.phase === 'agreed') continue
    const job = { ...record.job, nonce: Buffer.from(random(16)).toString('hex') }
    const report = withdraw ? await records.reports.get(`job/${id}`) : undefined
    const withdrawal = report
      ? logged(records, 'withdrawal', {
          schema: 'pyti.withdrawal/1',
          job: id,
          report: report.attestation,
          because,
        })
      : { writes: [], entries: [] }
    const marked = report ? [records.withdrawn.put(report.attestation, { because, job: jobId(job) })] : []
    await jobs.add([await newRecord(job, clock.now(), options)], {
      writes: [...withdrawal.writes, ...marked, records.rechecks.remove(id)],
      entries: withdrawal.entries,
    })
  }
}
