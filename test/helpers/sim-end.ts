import { auditLog } from '../../src/attest/audit/audit.ts'
import { openRecords } from '../../src/coordinator/records.ts'
import { isFinished, type StoredJob } from '../../src/coordinator/state.ts'
import { messageOf } from '../../src/errors.ts'
import type { SimChecks } from './sim-checks.ts'
import type { SimStorage } from './sim-storage.ts'

interface Ended {
  storage: SimStorage
  checks: SimChecks
  logKey: string
  witnesses: readonly string[]
  /** So many of them must have signed. */
  threshold: number
  /** Jobs that clients were told of. */
  accepted: ReadonlySet<string>
}

/** What must be true when everything has been quiet for long. */
export async function auditEnd(world: Ended): Promise<string[]> {
  const { storage, checks, accepted } = world
  const wrong: string[] = []
  const { jobs } = checks.jobs
  for (const job of accepted) if (!jobs.has(job)) wrong.push(`job ${job} is lost`)
  for (const job of jobs.values()) if (!isFinished(job)) wrong.push(neverEnds(job))
  wrong.push(...checks.samples.missing())
  const records = openRecords(storage.store)
  for await (const [id] of records.outbox.entries()) wrong.push(`${id} still waits to be shown`)
  for await (const [id] of records.rechecks.entries()) wrong.push(`job ${id} was never made anew`)
  for await (const [id, { attempt }] of records.audits.entries())
    if (attempt === 1) wrong.push(`no referee was asked about job ${id}`)
  for (const job of checks.book.withdrawn) {
    const report = await records.reports.get(`job/${job}`)
    if (report && !(await records.withdrawn.get(report.attestation))) wrong.push(`${job} is still relied on`)
  }
  try {
    wrong.push(...(await auditFolder(world)))
  } catch (error) {
    wrong.push(`the log folder cannot be read: ${messageOf(error)}`)
  }
  return wrong
}

/** The log folder as a stranger sees it, with nothing but the key: the audit that anybody can make. */
async function auditFolder({ storage, checks, logKey, witnesses, threshold }: Ended): Promise<string[]> {
  const disk = storage.disk()
  const audit = await auditLog(
    { fetch: path => disk.read(`/log/${path}`) },
    { key: logKey, witnesses, minimumWitnesses: threshold },
  )
  const wrong = audit.faults.map(({ check, leaf, detail }) => `audit: ${check}, leaf ${leaf}: ${detail}`)
  const { size } = audit.log.checkpoint
  if (size !== checks.log.leaves.length)
    wrong.push(`${size} of ${checks.log.leaves.length} leaves are in the folder`)
  let hidden = 0
  for (const { id } of checks.log.leaves) if (!(await disk.read(`/log/document/${id}`))) hidden += 1
  if (hidden > 0) wrong.push(`${hidden} documents of the log were never shown`)
  return wrong
}

function neverEnds({ id, rules, phase, wanted, wantedRole, seats, draw }: StoredJob): string {
  const told = seats.map(seat => `${seat.volunteer.slice(-4)} ${seat.role} ${seat.state}`).join(', ')
  const passed = draw?.passed.map(volunteer => volunteer.slice(-4)).join(' ')
  return `job ${id.slice(0, 8)} never ends: ${phase}, wants ${wanted} ${wantedRole}; seats ${told}; passed ${passed}; referees ${draw?.referees}; ${JSON.stringify(rules)}`
}
