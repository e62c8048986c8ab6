import type { Clock } from '../clock.ts'
import type { Write } from '../store/store.ts'
import { jobId } from '../wire/job.ts'
import { inTurn } from './in-turn.ts'
import type { Jobs } from './jobs.ts'
import { type Logged, logged } from './log-documents.ts'
import { type NewRecordOptions, newRecord } from './new-record.ts'
import type { Records } from './records.ts'

export interface RecheckOptions extends NewRecordOptions {
  jobs: Jobs
  clock: Clock
}

const looked = 100

/**
 * Makes jobs anew whose reports are in doubt: the same file and settings, a fresh nonce. Where half or more of those a report
 * rests on were banned it is withdrawn at once; where its job does not repeat it holds until the next one supersedes it.
 * Withdrawal, new job and the note that it is done are one batch.
 * @returns makes one pass over some of the notes, the next ones each time
 */
export function createRechecks(options: RecheckOptions): () => Promise<void> {
  const next = inTurn(options.records.rechecks, looked)
  return async () => {
    for (const id of new Set((await next()).map(([key]) => key.slice(0, 64)))) await makeAnew(id, options)
  }
}

/** For all causes there are, in one go. */
async function makeAnew(id: string, options: RecheckOptions): Promise<void> {
  const { jobs, records, clock, random } = options
  const record = await jobs.find(id)
  // Whoever waits for a report that is still being made gets it first; it is withdrawn right after.
  if (!record || record.phase === 'agreed') return
  const done: Write[] = []
  let cause: string | undefined
  for await (const [key, { because, withdraw }] of records.rechecks.entries({ under: `${id}/` })) {
    done.push(records.rechecks.remove(key))
    if (withdraw) cause ??= because
  }
  if (record.sample) return jobs.add([], { writes: done })
  const job = { ...record.job, nonce: Buffer.from(random(16)).toString('hex') }
  const withdrawal = cause === undefined ? undefined : await withdrawalOf(id, cause, jobId(job), records)
  await jobs.add([await newRecord(job, clock.now(), options, { doubted: true })], {
    writes: [...(withdrawal?.writes ?? []), ...done],
    entries: withdrawal?.entries ?? [],
  })
}

/** @param job that takes the place of the one whose report it is */
async function withdrawalOf(
  of: string,
  because: string,
  job: string,
  records: Records,
): Promise<Logged | undefined> {
  const entry = await records.reports.get(`job/${of}`)
  if (!entry) return undefined
  const report = entry.attestation
  const document = { schema: 'pyti.withdrawal/1', job: of, report, because } as const
  const { writes, entries } = logged(records, 'withdrawal', document)
  return { writes: [...writes, records.withdrawn.put(report, { because, job })], entries }
}
