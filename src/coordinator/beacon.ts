import { platformIn, refereesIn } from '../attest/audit/draws.ts'
import { beaconValue } from '../attest/beacon.ts'
import type { BeaconDocument } from '../attest/documents.ts'
import { parseCheckpoint } from '../attest/log/checkpoint.ts'
import { parseEntry } from '../attest/log/entry.ts'
import { parseNote, parseVkey } from '../attest/log/note.ts'
import type { Clock } from '../clock.ts'
import { shadowPerMille } from '../consensus/classes.ts'
import { chance, seedOf } from '../consensus/draw.ts'
import type { CoordinatorConfig } from './config.ts'
import type { Jobs } from './jobs.ts'
import { documentFrom, logged } from './log-documents.ts'
import type { PublicLog } from './public-log.ts'
import type { Records } from './records.ts'
import { type JobRecord, taskOf } from './state.ts'
import type { Trust } from './trust.ts'

export interface BeaconOptions {
  jobs: Jobs
  records: Records
  trust: Trust
  publicLog: PublicLog
  clock: Clock
  config: CoordinatorConfig
  /** Somebody else's value that nobody can foresee, asked for after the checkpoint. */
  publicBeacon?: PublicBeacon | undefined
}

export interface PublicBeacon {
  /** What it is and where others find the same value. */
  source: string
  value(): Promise<string>
}

/** A beacon in the log: from which leaf on it can be used, and what draws are made from. */
interface Beacon {
  index: number
  /** Leaves that were there before its value was known. */
  size: number
  value: string
}

/**
 * Draws the seats of jobs that have none yet, each from the first beacon over its task beneath which a roster has enough
 * volunteers for it: so there is nothing to choose, and a crash between beacon and draw changes nothing. A published checkpoint
 * becomes a beacon when a job needs one; its signatures were unknown when the job and the roster were logged. What nobody can be
 * drawn for after `undrawnMs` ends: it is here that this is known, and not while the log is at a stand or the machine slept.
 * @returns makes one pass
 */
export function createDraws(options: BeaconOptions): () => Promise<void> {
  const { jobs, trust, publicLog, clock, config } = options
  const { sequencer } = publicLog
  let beacons: Beacon[] | undefined

  const usable = (beacon: Pick<Beacon, 'size'>, { record, task }: Pending) => {
    const roster = beacon.size > task ? trust.rosterBelow(beacon.size) : undefined
    const platform = roster && platformIn(roster.document, taskOf(record))
    return roster && platform !== undefined ? { roster, platform } : undefined
  }

  return async () => {
    const pending = await pendingJobs(jobs, publicLog)
    const oldest = Math.min(...pending.map(({ task }) => task))
    if (pending.length > 0) beacons ??= await beaconsFrom(oldest, options)
    beacons = beacons?.filter(beacon => beacon.size > oldest)
    const drawn = [...jobs.unfinished()].flatMap(({ draw }) => draw?.roster ?? [])
    const from = Math.min(sequencer.size(), ...(beacons ?? []).map(beacon => beacon.size))
    trust.keepRosters(new Set(drawn), trust.rosterBelow(from)?.index ?? 0)
    if (!beacons || pending.length === 0) return
    const known = beacons
    const needsOne = pending.some(
      one => !known.some(beacon => usable(beacon, one)) && usable({ size: sequencer.size() }, one),
    )
    if (needsOne) known.push(await newBeacon(options))
    for (const one of pending) {
      const beacon = known.find(candidate => usable(candidate, one))
      const found = beacon && usable(beacon, one)
      const { record, task } = one
      if (!beacon || !found) {
        if (record.createdAt + config.undrawnMs < clock.now())
          await jobs.apply(record.id, { type: 'exhausted' })
        continue
      }
      const { roster, platform } = found
      const seed = seedOf(beacon.value, record.id)
      const draw = {
        task,
        roster: roster.index,
        beacon: beacon.index,
        seed,
        platform,
        referees: refereesIn(roster.document, platform, taskOf(record)),
        shadows: !record.known && chance(seed, record.salt, 'shadow', shadowPerMille) ? 1 : 0,
        passed: [],
      }
      await jobs.apply(record.id, { type: 'drawn', draw })
    }
  }
}

interface Pending {
  record: JobRecord
  /** Index of its leaf. */
  task: number
}

/** Jobs under a published checkpoint that have no seats yet, oldest first. */
async function pendingJobs(jobs: Jobs, { ledger, sequencer }: PublicLog): Promise<Pending[]> {
  const pending: Pending[] = []
  for (const record of jobs.unfinished()) {
    if (record.draw || record.rules.jobClass === 'open') continue
    const task = await ledger.find(record.task)
    if (task !== undefined && task < sequencer.size()) pending.push({ record, task })
  }
  return pending
}

/** The beacons of an earlier process. */
async function beaconsFrom(from: number, options: BeaconOptions): Promise<Beacon[]> {
  const { ledger } = options.publicLog
  const beacons: Beacon[] = []
  let index = from
  for await (const bytes of ledger.entries(from, ledger.size())) {
    const { kind, id } = parseEntry(bytes)
    if (kind === 'beacon') {
      const document = await documentFrom(options.records, id)
      if (document.schema === 'pyti.beacon/1') beacons.push(await beaconAt(index, document, options))
    }
    index += 1
  }
  return beacons
}

async function newBeacon(options: BeaconOptions): Promise<Beacon> {
  const { publicLog, publicBeacon, records } = options
  const document: BeaconDocument = {
    schema: 'pyti.beacon/1',
    checkpoint: publicLog.sequencer.checkpoint() ?? '',
    ...(publicBeacon && {
      public: { source: publicBeacon.source, value: (await publicBeacon.value()).trim() },
    }),
  }
  // Read before it is logged: one that too few witnesses signed must not get in.
  const { value, size } = await beaconAt(publicLog.ledger.size(), document, options)
  const { writes, entries } = logged(records, 'beacon', document)
  return { value, size, index: await publicLog.ledger.commit(writes, entries) }
}

async function beaconAt(
  index: number,
  document: BeaconDocument,
  { publicLog, trust }: BeaconOptions,
): Promise<Beacon> {
  const value = await beaconValue(document, parseVkey(publicLog.key), trust.witnessesAt(index))
  return { index, value, size: parseCheckpoint(parseNote(document.checkpoint).text).size }
}
