import { closedOf } from '../../src/attest/audit/decisions.ts'
import { drawnRules } from '../../src/attest/audit/draws.ts'
import { membersOf } from '../../src/attest/audit/roster-members.ts'
import { isFor } from '../../src/attest/audit/seats.ts'
import { beaconValue } from '../../src/attest/beacon.ts'
import { encodeBundle } from '../../src/attest/bundle.ts'
import {
  type CloseDocument,
  type Document,
  documentBytes,
  documentId,
  type PolicyDocument,
  type RosterDocument,
  type TaskDocument,
} from '../../src/attest/documents.ts'
import { attestationId } from '../../src/attest/dsse.ts'
import { cosign, formatCheckpoint } from '../../src/attest/log/checkpoint.ts'
import { type Entry, type EntryKind, formatEntry } from '../../src/attest/log/entry.ts'
import { createTree, leafHash, rootAt } from '../../src/attest/log/merkle.ts'
import { addSignature, parseVkey, signNote } from '../../src/attest/log/note.ts'
import { bundlesToWrite, encodeEntries, makeTile, pathOf, tilesToWrite } from '../../src/attest/log/tiles.ts'
import { minorityOf } from '../../src/attest/minority.ts'
import { purlOf, reportStatement } from '../../src/attest/report-statement.ts'
import { ballotOf } from '../../src/consensus/ballot.ts'
import { Book, type Change } from '../../src/consensus/book.ts'
import type { JobClass } from '../../src/consensus/classes.ts'
import { graduate, settleClosed } from '../../src/consensus/consequences.ts'
import { acrossJobs, answerOf, type Cast, decide, type Role } from '../../src/consensus/decide.ts'
import { chance, nextSeats, ranked, seedOf } from '../../src/consensus/draw.ts'
import type { Machine } from '../../src/consensus/platform.ts'
import { evaluate } from '../../src/report/evaluate.ts'
import { canonicalBytes, sha256 } from '../../src/wire/canonical.ts'
import type { Envelope } from '../../src/wire/envelope.ts'
import { type Job, jobId } from '../../src/wire/job.ts'
import type { Answered, Candidate, Done, MadeLog, MakerOptions, Tampering } from './log-parts.ts'
import { answerFrom, founders, people, referees, reportKey, ring, signReport } from './log-people.ts'
import { testJob, testSubject } from './raw-data.ts'
import { type TestSigner, testSigner } from './small-log.ts'

const firstDay = 20_000

/** @param seed of everything that happens: who is absent, who lies, which files */
export async function makeLog(
  seed: number,
  jobs: number,
  tampering: Tampering = {},
  options: Partial<MakerOptions> = {},
): Promise<MadeLog> {
  const maker = new LogMaker(seed, tampering, {
    lies: 250,
    sleeps: 0,
    wobbles: 50,
    name: 'log.example/pyti',
    ...options,
  })
  await maker.begin()
  for (let job = 0; job < jobs; job++) await maker.runJob(job)
  return maker.finish()
}

export class LogMaker {
  readonly entries: Entry[] = []
  readonly files = new Map<string, Uint8Array>()
  readonly book = new Book()
  readonly done: Done[] = []
  readonly log: TestSigner
  readonly witness: TestSigner
  readonly tampering: Tampering
  readonly options: MakerOptions
  readonly policy: PolicyDocument
  roster: { index: number; document: RosterDocument } | undefined
  rosters = 0
  day = firstDay
  /** Seconds since 1970 of the next cosignature. */
  time = firstDay * 86_400
  /** Sizes and signed checkpoints so far. */
  readonly notes: { size: number; note: string }[] = []
  readonly #tree = createTree()
  #state: number
  readonly #last = new Map<string, { sequence: number; id: string }>()

  constructor(seed: number, tampering: Tampering, options: MakerOptions) {
    this.#state = seed
    this.tampering = tampering
    this.options = options
    this.log = testSigner(options.name)
    this.witness = testSigner('witness.example')
    this.policy = {
      schema: 'pyti.policy/1',
      founders: founders.map(one => one.peerId),
      referees: referees.map(one => one.peerId),
      witnesses: [this.witness.witnessVkey],
      quorum: 3,
    }
  }

  random(below: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % below
  }

  append(entry: Entry): number {
    this.entries.push(entry)
    this.#tree.append(leafHash(formatEntry(entry)))
    return this.entries.length - 1
  }

  appendDocument(kind: Exclude<EntryKind, 'raw' | 'report'>, document: Document, shown = true): number {
    if (shown) this.show(document)
    return this.append({ kind, id: documentId(document) })
  }

  appendRaw(kind: 'raw' | 'report', envelope: Envelope, job: Job): number {
    const { subject } = job
    return this.append({ kind, id: attestationId(envelope), subject: subject.sha256, purl: purlOf(subject) })
  }

  show(document: Document): void {
    this.files.set(`document/${documentId(document)}`, documentBytes(document))
  }

  showEnvelope(envelope: Envelope): void {
    this.files.set(`document/${attestationId(envelope)}`, canonicalBytes(envelope))
  }

  /** Signed by the log and its witness. @param time seconds since 1970 */
  async checkpoint(time = this.time++): Promise<string> {
    const size = this.entries.length
    const body = formatCheckpoint({ origin: this.log.name, size, root: await rootAt(size, this.#tree.read) })
    const note = addSignature(await signNote(body, this.log), await cosign(body, time, this.witness))
    this.notes.push({ size, note })
    return note
  }

  async begin(): Promise<void> {
    this.appendDocument('policy', this.policy)
    this.refresh(
      people.map((one, n): Change => {
        const vouched = referees.includes(one) ? 'referee' : founders.includes(one) ? 'founder' : undefined
        const network = n === 3 || n === 4 ? '192.0.2' : ''
        return {
          type: 'joined',
          volunteer: one.peerId,
          operator: `operator-${n}`,
          network,
          ...(vouched && { vouched }),
        }
      }),
    )
  }

  refresh(joined: Change[] = []): void {
    for (const change of joined) this.book.apply(change, this.day)
    const changes = [...joined, ...graduate(this.book, this.day)]
    const honest: RosterDocument = {
      schema: 'pyti.roster/1',
      day: this.day,
      changes,
      members: membersOf(this.book, machinesOf(this.book), this.day),
    }
    const document = this.tampering.roster?.(honest, this.rosters) ?? honest
    this.rosters += 1
    this.roster = { index: this.appendDocument('roster', document), document }
  }

  async runJob(number: number): Promise<void> {
    if (number > 0 && this.random(3) === 0) {
      this.day += 1
      this.time = Math.max(this.time, this.day * 86_400)
      this.refresh()
    }
    this.tampering.before?.(this, number)
    const project = `sample-${this.random(12)}`
    const filename = `${project}-1.0.tar.gz`
    const subject = testSubject({ project, filename, sha256: sha256(filename) })
    const job = testJob({ subject, nonce: sha256(`nonce ${number}`).slice(0, 32) })
    const jobClass: JobClass = this.#last.has(subject.sha256) ? 'R' : this.random(4) === 0 ? 'H' : 'N'
    const salt = sha256(`salt ${number} ${this.random(1e9)}`).slice(0, 32)
    const task: TaskDocument = { schema: 'pyti.task/1', job, jobClass, salt }
    const taskIndex = this.appendDocument('task', task, false)
    const roster = this.roster
    if (!roster) throw new Error('there is no roster')
    const draw = await this.logBeacon(roster.index, jobId(job))
    await this.tampering.draw?.(draw, { maker: this, job: number, id: jobId(job), task: taskIndex })
    await this.#seat(number, task, taskIndex, roster.document, draw)
  }

  /** Logs a beacon and draws from it. */
  async logBeacon(roster: number, job: string): Promise<NonNullable<CloseDocument['draw']>> {
    const checkpoint = await this.checkpoint()
    const value = await beaconValue({ checkpoint }, parseVkey(this.log.logVkey), [
      parseVkey(this.witness.witnessVkey),
    ])
    const beacon = this.appendDocument('beacon', { schema: 'pyti.beacon/1', checkpoint })
    return { roster, beacon, seed: seedOf(value, job), platform, passed: [] }
  }

  async #seat(
    number: number,
    task: TaskDocument,
    taskIndex: number,
    roster: RosterDocument,
    draw: NonNullable<CloseDocument['draw']>,
  ): Promise<void> {
    const [honest] = drawnRules(task, roster, draw)
    if (!honest) throw new Error('there are no rules')
    const rules = this.tampering.rules?.(honest, number) ?? honest
    const all = ranked(roster.members, draw.seed)
    const order = this.tampering.candidates?.(all, number) ?? all
    const lies = this.random(1_000) < this.options.lies && number >= this.options.sleeps
    const wobbles = this.random(1_000) < this.options.wobbles
    const casts: Cast[] = []
    const answers: Answered[] = []
    const seats: CloseDocument['seats'] = []
    const sitting: Candidate[] = []

    const answer = async (member: Candidate, role: Role) => {
      const { volunteer, operator, weight } = member
      const liar = wobbles ? this.random(2) === 0 : lies && ring.includes(volunteer)
      const { envelope, rawData } = await answerFrom(volunteer, task.job, liar)
      const logIndex = this.appendRaw('raw', envelope, task.job)
      const ballot = ballotOf(rawData)
      const attestation = attestationId(envelope)
      casts.push({ volunteer, ballot, role, cluster: operator, weight })
      answers.push({ attestation, volunteer, role, operator, weight, logIndex, envelope, rawData })
      seats.push({
        volunteer,
        role,
        operator,
        weight,
        end: 'submitted',
        attestation,
        answer: sha256(answerOf(ballot)),
        across: sha256(answerOf(acrossJobs(ballot))),
      })
      sitting.push(member)
    }

    const candidatesFor = (role: Role) =>
      order.filter(one => isFor(task, role, one) && this.book.member(one.volunteer)?.banned === undefined)

    if (chance(draw.seed, task.salt, 'shadow', 300)) {
      const [shadow] = nextSeats(candidatesFor('shadow'), sitting, new Set(), 1)
      if (shadow) await answer(shadow, 'shadow')
    }
    let decision = decide(casts, rules)
    while (decision.kind === 'wait') {
      const { role, seats: wanted } = decision
      const candidates = candidatesFor(role)
      const turns = nextSeats(candidates, sitting, new Set(draw.passed), wanted)
      const again = turns.length === 0 ? nextSeats(candidates, sitting, new Set(), wanted) : turns
      const member = again[this.random(Math.max(1, again.length))]
      if (!member) break
      const fate = turns.length === 0 ? 99 : this.random(100)
      if (fate < 10) draw.passed.push(member.volunteer)
      else if (fate < 13) {
        const { volunteer, operator, weight } = member
        seats.push({ volunteer, role, operator, weight, end: 'deadline' })
        draw.passed.push(volunteer)
      } else await answer(member, role)
      decision = decide(casts, rules)
    }
    const base = {
      schema: 'pyti.close/1',
      job: jobId(task.job),
      day: this.day,
      task: taskIndex,
      draw,
      rules,
      seats,
    } as const
    if (decision.kind !== 'accept' && decision.kind !== 'flaky') {
      const end: CloseDocument = { ...base, outcome: 'unresolved', reason: 'it ended so', changes: [] }
      return this.#end(number, task, end, answers)
    }
    const unrepeated = decision.kind === 'flaky' ? decision.sections : []
    const { agreeing, flaky } = decision
    const named = this.tampering.voters?.(answers, number) ?? answers
    const winners = named.filter(one => agreeing.includes(one.volunteer))
    const excluded = named.filter(one => !agreeing.includes(one.volunteer))
    const { sha256: file } = task.job.subject
    const last = this.#last.get(file)
    const honestReport = reportStatement({
      reportKey: reportKey.peerId,
      software: 'pyti 0.1.0',
      timeVerified: '2026-11-20T12:03:00Z',
      job: task.job,
      agreeing: winners,
      excluded,
      rawLog: { key: this.log.logVkey, fromIndex: taskIndex, toIndex: this.entries.length },
      sequence: (last?.sequence ?? 0) + 1,
      supersedes: last?.id,
      minority: minorityOf(excluded),
      flaky,
      unrepeated,
      evaluation: evaluate({ rawData: winners.map(one => one.rawData), flaky, unrepeated }),
      rules,
    })
    const statement = this.tampering.report?.(honestReport, number) ?? honestReport
    const envelope = await signReport(statement)
    const report = attestationId(envelope)
    this.#last.set(file, { sequence: statement.predicate.sequence, id: report })
    const index = this.appendRaw('report', envelope, task.job)
    this.showEnvelope(envelope)
    const right = seats.find(seat => agreeing.includes(seat.volunteer) && seat.answer !== undefined)
    const accepted = decision.kind === 'accept' && right?.answer
    const outcome = accepted ? 'accepted' : 'flaky'
    const close: CloseDocument = { ...base, outcome, ...(accepted && { accepted }), report, changes: [] }
    await this.#end(number, task, close, answers, { index, envelope, statement })
  }

  async #end(
    number: number,
    task: TaskDocument,
    unsettled: CloseDocument,
    answers: Answered[],
    report?: Done['report'],
  ): Promise<void> {
    const honest = { ...unsettled, changes: settleClosed(this.book, closedOf(unsettled, task), this.day) }
    const close = this.tampering.close?.(honest, number) ?? honest
    const closeIndex = this.appendDocument('close', close)
    this.show(task)
    for (const { envelope } of answers) this.showEnvelope(envelope)
    const done: Done = { task, close, closeIndex, answers, ...(report && { report }) }
    this.done.push(done)
    for (const change of honest.changes) {
      const report =
        change.type === 'withdrawn' && this.done.find(one => one.close.job === change.job)?.close.report
      if (report && change.type === 'withdrawn')
        this.appendDocument('withdrawal', {
          schema: 'pyti.withdrawal/1',
          job: change.job,
          report,
          because: close.job,
        })
    }
    await this.tampering.after?.(this, done, number)
  }

  async finish(time?: number): Promise<MadeLog> {
    const { entries, files, log, witness, done } = this
    const size = entries.length
    for (const tile of tilesToWrite(0, size))
      files.set(pathOf(tile), await makeTile(Number(tile.level), tile.index, tile.width, this.#tree.read))
    for (const tile of bundlesToWrite(0, size)) {
      const own = entries.slice(tile.index * 256, tile.index * 256 + tile.width)
      files.set(pathOf(tile), encodeEntries(own.map(formatEntry)))
    }
    const note = await this.checkpoint(time)
    files.set('checkpoint', Buffer.from(note))
    const source = { fetch: async (path: string) => files.get(path) }
    return { files, source, key: log.logVkey, witness: witness.witnessVkey, entries, done, maker: this, note }
  }
}

/** The bundle of a job's report, without proofs of the log. */
export function bundleOf({ answers, report }: Done): Uint8Array {
  if (!report) throw new Error('the job has no report')
  return encodeBundle({
    report: report.envelope,
    rawData: answers.map(one => one.envelope),
    blobs: answers.map(one => canonicalBytes(one.rawData)),
    proofs: [],
  })
}

const machine: Machine = { backends: ['uml'], cpu: 'x86-64-v3' }
const platform = 'uml x86-64-v3'

function machinesOf(book: Book): Map<string, Machine> {
  return new Map([...book.members()].map(member => [member.volunteer, machine]))
}
