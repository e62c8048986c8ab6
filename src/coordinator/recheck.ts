import type { Clock } from '../clock.ts'
import { jobId } from '../wire/job.ts'
import type { Jobs } from './jobs.ts'
import { type Logged, logged } from './log-documents.ts'
import { type NewRecordOptions, newRecord } from './new-record.ts'

export interface RecheckOptions extends NewRecordOptions {
  jobs: Jobs
  clock: Clock
}

/**
 * Makes jobs anew whose reports are in doubt: the same file and settings, a fresh nonce. Where half or more of those a report
 * rests on were banned it is withdrawn at once; where its job does not repeat it holds until the next one supersedes it.
 * Withdrawal, new job and the note that it is done are one batch.
 */
export async function recheckJobs(options: RecheckOptions): Promise<void> {
  const { jobs, records, clock, random } = options
  const notes: { key: string; job: string; because: string; withdraw: boolean }[] = []
  for await (const [key, { because, withdraw }] of records.rechecks.entries({ limit: 100 }))
    notes.push({ key, job: key.slice(0, 64), because, withdraw })
  for (const [id, about] of Map.groupBy(notes, note => note.job)) {
    const record = await jobs.find(id)
    // Whoever waits for a report that is still being made gets it first; it is withdrawn right after.
    if (!record || record.phase === 'agreed') continue
    const done = about.map(note => records.rechecks.remove(note.key))
    if (record.sample) {
      await jobs.add([], { writes: done })
      continue
    }
    const job = { ...record.job, nonce: Buffer.from(random(16)).toString('hex') }
    const [cause] = about.filter(note => note.withdraw)
    const report = cause && (await records.reports.get(`job/${id}`))
    const withdrawal: Logged = report
      ? logged(records, 'withdrawal', {
          schema: 'pyti.withdrawal/1',
          job: id,
          report: report.attestation,
          because: cause.because,
        })
      : { writes: [], entries: [] }
    const marked = report
      ? [records.withdrawn.put(report.attestation, { because: cause.because, job: jobId(job) })]
      : []
    await jobs.add([await newRecord(job, clock.now(), options, { doubted: true })], {
      writes: [...withdrawal.writes, ...marked, ...done],
      entries: withdrawal.entries,
    })
  }
}
