import { membersOf } from '../attest/audit/roster-members.ts'
import { type PolicyDocument, type RosterDocument, witnessesOf } from '../attest/documents.ts'
import { noWitnesses, type Witnesses } from '../attest/log/checkpoint.ts'
import type { RootDocument } from '../attest/root-document.ts'
import { type Clock, dayOf } from '../clock.ts'
import { Book, type Change } from '../consensus/book.ts'
import { classes, refereesMin, riskFactor } from '../consensus/classes.ts'
import { graduate, inDoubt } from '../consensus/consequences.ts'
import { chance } from '../consensus/draw.ts'
import type { Machine } from '../consensus/platform.ts'
import { PytiError } from '../errors.ts'
import type { Write } from '../store/store.ts'
import { digestOf } from '../wire/canonical.ts'
import { PeerIdText } from '../wire/job.ts'
import { closeJob } from './closing.ts'
import type { CoordinatorConfig } from './config.ts'
import type { Ledger } from './ledger.ts'
import { documentsOf, type Logged, logged, showing } from './log-documents.ts'
import type { Records } from './records.ts'
import { type JobRecord, submittedSeats } from './state.ts'

/** Who volunteers are to the coordinator: what they have earned, kept as entries of the log. */
export interface Trust {
  readonly book: Book
  readonly policy: PolicyDocument
  /** Whether answers are weighed: only where somebody vouches for founders. */
  readonly weighed: boolean
  /** Replays the log; before anything else. */
  load(): Promise<void>
  /** A volunteer said hello; it joins with the next roster. */
  met(volunteer: string, from: Machine & { operator: string; network: string }): void
  /** The end of a job. What it returns must be committed before anything else is awaited. */
  close(record: JobRecord, task: number): Logged
  /** Logs a new roster if anybody came, or if anything changed and the last one is old. */
  refresh(): Promise<void>
  /** The roster that holds now. */
  roster(): { index: number; document: RosterDocument } | undefined
  /** @param index of its leaf @throws PytiError `unknown-roster` */
  rosterAt(index: number): RosterDocument
  /** Those of the policy that held at a leaf. */
  witnessesAt(index: number): Witnesses
  /** The newest roster among the first `size` leaves. */
  rosterBelow(size: number): { index: number; document: RosterDocument } | undefined
  /** Forgets all rosters but those with these indices, and those from `from` on. */
  keepRosters(indices: ReadonlySet<number>, from: number): void
}

export interface TrustOptions {
  ledger: Ledger
  records: Records
  clock: Clock
  policy: Omit<PolicyDocument, 'schema'>
  /** Says which keys may sign; logged when it is new. */
  root?: RootDocument | undefined
  config: Pick<CoordinatorConfig, 'rosterMs' | 'auditRetryMs'>
}

/** An outage of the index, or of all referees, is to be outlasted; files that are gone for good are not waited for. */
const auditAttempts = 5

export function createTrust({ ledger, records, clock, policy, root, config }: TrustOptions): Trust {
  const book = new Book()
  const arrivals = new Map<string, { operator: string; network: string }>()
  const machines = new Map<string, Machine>()
  const rules: PolicyDocument = { schema: 'pyti.policy/1', ...policy }
  let current: { index: number; document: RosterDocument } | undefined
  const rosters = new Map<number, RosterDocument>()
  const policies: { index: number; document: PolicyDocument }[] = []
  /** When a roster was last looked after, and on which day. */
  let madeAt = 0
  let madeOn = -1

  const recheck = (job: string, because: string, withdraw: boolean) =>
    records.rechecks.put(`${job}/${because}`, { because, withdraw })
  const replay = (changes: readonly Change[], day: number) => {
    for (const change of changes) book.apply(change, day)
  }
  /** A policy counts from its leaf on. */
  const hold = (index: number, document: PolicyDocument) => {
    policies.push({ index, document })
    book.keepReferees(document.referees)
  }
  const asked = new Set<string>()
  /** What a referee is to run again: this job, and one whose report rests on somebody who was banned. */
  const audits = ({ id, draw, salt, rules: { jobClass } }: JobRecord): Write[] => {
    if (!draw || draw.referees < refereesMin) return []
    const { audit } = classes[jobClass]
    const isDrawn = book.report(id) !== undefined && chance(draw.seed, salt, 'audit', audit)
    const risky = chance(draw.seed, salt, 'risk', audit * riskFactor) ? book.riskiest(asked) : undefined
    const jobs = [isDrawn ? id : undefined, risky].filter(job => job !== undefined)
    for (const job of jobs) asked.add(job)
    return jobs.map(job => records.audits.put(job, { attempt: 1, from: 0 }))
  }
  /** The audit that this was, once more, if its report is still unaudited: no referee came, or none could have the files. */
  const auditAgain = ({ known }: JobRecord): Write[] => {
    if (known?.attempt === undefined || known.attempt >= auditAttempts) return []
    if (book.report(known.of)?.audited !== false) return []
    const from = clock.now() + config.auditRetryMs * 2 ** (known.attempt - 1)
    return [records.audits.put(known.of, { attempt: known.attempt + 1, from })]
  }
  const vouchedFor = (volunteer: string) =>
    policy.referees.includes(volunteer)
      ? ('referee' as const)
      : policy.founders.includes(volunteer)
        ? ('founder' as const)
        : undefined

  /** An operator's name is a claim: that of another peer is not taken, as its own standing would hang on it. */
  const isFree = (operator: string, volunteer: string): boolean =>
    operator === volunteer || !PeerIdText.safeParse(operator).success

  return {
    book,
    policy: rules,
    weighed: policy.founders.length > 0,
    async load() {
      let rootNow: RootDocument | undefined
      for await (const { index, document } of documentsOf(ledger, records, [
        'roster',
        'close',
        'policy',
        'key',
      ])) {
        if (document.schema === 'pyti.roster/1') {
          current = { index, document }
          rosters.set(index, document)
          for (const { volunteer, backends, cpu } of document.members)
            machines.set(volunteer, { backends, cpu })
          replay(document.changes, document.day)
        } else if (document.schema === 'pyti.close/1') replay(document.changes, document.day)
        else if (document.schema === 'pyti.policy/1') hold(index, document)
        else if (document.schema === 'pyti.root/1') rootNow = document
      }
      const last = policies.at(-1)
      const isSame = last !== undefined && digestOf(last.document) === digestOf(rules)
      const news = isSame ? [] : [logged(records, 'policy', rules)]
      if (root && isNewer(root, rootNow)) news.push(logged(records, 'key', root))
      if (news.length === 0) return
      const index = await ledger.commit(
        news.flatMap(({ writes }) => writes),
        news.flatMap(({ entries }) => entries),
      )
      if (!isSame) hold(index, rules)
    },
    met(volunteer, { operator, network, backends, cpu }) {
      machines.set(volunteer, { backends, cpu })
      if (book.member(volunteer) || arrivals.has(volunteer)) return
      arrivals.set(volunteer, { operator: isFree(operator, volunteer) ? operator : volunteer, network })
    },
    close(record, task) {
      const closed = closeJob(book, record, task, dayOf(clock.now()))
      const { writes, entries } = logged(records, 'close', closed)
      const shown = [record.task, ...submittedSeats(record).map(seat => seat.submission.attestation)]
      const again = inDoubt(book, closed.changes).map(({ job, withdraw }) =>
        recheck(job, record.id, withdraw),
      )
      const shows = shown.map(id => showing(records, id))
      return { writes: [...writes, ...shows, ...again, ...audits(record), ...auditAgain(record)], entries }
    },
    async refresh() {
      const today = dayOf(clock.now())
      const isOld = madeAt + config.rosterMs <= clock.now() || madeOn !== today
      if (arrivals.size === 0 && !isOld) return
      madeAt = clock.now()
      madeOn = today
      const changes: Change[] = [...arrivals].map(([volunteer, from]) => ({
        type: 'joined',
        volunteer,
        ...from,
        ...(vouchedFor(volunteer) && { vouched: vouchedFor(volunteer) }),
      }))
      arrivals.clear()
      for (const { volunteer, vouched } of book.members()) {
        const as = vouchedFor(volunteer)
        if (as && as !== vouched) changes.push({ type: 'vouched', volunteer, as })
      }
      replay(changes, today)
      changes.push(...graduate(book, today))
      const members = membersOf(book, machines, today)
      if (changes.length === 0 && current && digestOf(members) === digestOf(current.document.members)) return
      const next: RosterDocument = { schema: 'pyti.roster/1', day: today, changes, members }
      const { writes, entries } = logged(records, 'roster', next)
      const index = await ledger.commit(writes, entries)
      current = { index, document: next }
      rosters.set(index, next)
    },
    roster: () => current,
    rosterAt(index) {
      const found = rosters.get(index)
      if (!found) throw new PytiError('unknown-roster', `leaf ${index} of the log is no roster`)
      return found
    },
    witnessesAt(index) {
      const held = policies.findLast(policy => policy.index < index)
      return held ? witnessesOf(held.document) : noWitnesses
    },
    rosterBelow(size) {
      const index = Math.max(-1, ...[...rosters.keys()].filter(one => one < size))
      const document = rosters.get(index)
      return document && { index, document }
    },
    keepRosters(indices, from) {
      for (const index of rosters.keys())
        if (index !== current?.index && index < from && !indices.has(index)) rosters.delete(index)
    },
  }
}

/** @throws PytiError `root-rollback` when the log has a later root, or another one with this version */
function isNewer(root: RootDocument, before: RootDocument | undefined): boolean {
  if (before === undefined || root.version > before.version) return true
  if (digestOf(root) === digestOf(before)) return false
  throw new PytiError(
    'root-rollback',
    `the root has version ${root.version}, and the log holds another root with version ${before.version}`,
    { hint: 'give the newest root file' },
  )
}
