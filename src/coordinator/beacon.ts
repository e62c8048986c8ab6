import { beaconValue } from '../attest/beacon.ts'
import type { RosterDocument } from '../attest/documents.ts'
import { parseVkey } from '../attest/log/note.ts'
import { classes, refereesMin, shadowPerMille } from '../consensus/classes.ts'
import { chance, seedOf } from '../consensus/draw.ts'
import type { Jobs } from './jobs.ts'
import { logged } from './log-documents.ts'
import type { PublicLog } from './public-log.ts'
import type { Records } from './records.ts'
import type { JobRecord } from './state.ts'
import type { Trust } from './trust.ts'

export interface BeaconOptions {
  jobs: Jobs
  records: Records
  trust: Trust
  publicLog: PublicLog
  /** Somebody else's value that nobody can foresee, asked for after the checkpoint. */
  publicBeacon?: PublicBeacon | undefined
}

export interface PublicBeacon {
  /** What it is and where others find the same value. */
  source: string
  value(): Promise<string>
}

/**
 * Draws the seats of all jobs that are under a published checkpoint and have none yet. The checkpoint itself becomes a leaf, so
 * that everybody draws alike; its signatures were unknown when the jobs and the roster were logged.
 */
export async function drawJobs(options: BeaconOptions): Promise<void> {
  const { jobs, records, trust, publicLog, publicBeacon } = options
  const { sequencer, ledger } = publicLog
  const checkpoint = sequencer.checkpoint()
  const roster = trust.roster()
  const size = sequencer.size()
  if (checkpoint === undefined || !roster || roster.index >= size) return
  const drawn = [...jobs.unfinished()].flatMap(({ draw }) => draw?.roster ?? [])
  trust.keepRosters(new Set(drawn))
  const pending: { record: JobRecord; task: number }[] = []
  for (const record of jobs.unfinished()) {
    if (record.draw || record.rules.jobClass === 'open' || !hasEnough(roster.document, record)) continue
    const task = await ledger.find(record.task)
    if (task !== undefined && task < size) pending.push({ record, task })
  }
  if (pending.length === 0) return
  const witnesses = trust.policy.witnesses.map(parseVkey)
  const document = {
    schema: 'pyti.beacon/1' as const,
    checkpoint,
    ...(publicBeacon && {
      public: { source: publicBeacon.source, value: (await publicBeacon.value()).trim() },
    }),
  }
  const value = await beaconValue(document, parseVkey(publicLog.key), witnesses)
  const { writes, entries } = logged(records, 'beacon', document)
  const beacon = await ledger.commit(writes, entries)
  for (const { record, task } of pending) {
    const seed = seedOf(value, record.id)
    const draw = {
      task,
      roster: roster.index,
      beacon,
      seed,
      referees: refereesOf(roster.document),
      shadows: record.known ? 0 : chance(seed, record.salt, 'shadow', shadowPerMille) ? 1 : 0,
      passed: [],
    }
    await jobs.apply(record.id, { type: 'drawn', draw })
  }
}

function refereesOf({ members }: RosterDocument): number {
  const referees = members.filter(member => member.referee).length
  return referees < refereesMin ? 0 : referees
}

/** Whether the roster could fill the job's seats at all; until then it waits. */
function hasEnough({ members }: RosterDocument, { rules, known }: JobRecord): boolean {
  if (known?.trial) return members.some(one => one.referee)
  const operators = new Set(members.filter(one => one.established && !one.referee).map(one => one.operator))
  return operators.size >= classes[rules.jobClass].quorum
}
