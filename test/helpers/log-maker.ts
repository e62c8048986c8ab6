import { closedOf } from '../../src/attest/audit/decisions.ts'
import { drawnRules, platformIn } from '../../src/attest/audit/draws.ts'
import { membersOf } from '../../src/attest/audit/roster-members.ts'
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
  witnessesOf,
} from '../../src/attest/documents.ts'
import { attestationId } from '../../src/attest/dsse.ts'
import { cosign, formatCheckpoint } from '../../src/attest/log/checkpoint.ts'
import { type Entry, type EntryKind, formatEntry } from '../../src/attest/log/entry.ts'
import { createTree, leafHash, rootAt } from '../../src/attest/log/merkle.ts'
import { addSignature, parseVkey, signNote } from '../../src/attest/log/note.ts'
import { bundlesToWrite, encodeEntries, makeTile, pathOf, tilesToWrite } from '../../src/attest/log/tiles.ts'
import { minorityOf } from '../../src/attest/minority.ts'
import { purlOf, reportStatement } from '../../src/attest/report-statement.ts'
import { Book } from '../../src/consensus/book.ts'
import type { JobClass } from '../../src/consensus/classes.ts'
import { settleClosed } from '../../src/consensus/consequences.ts'
import { seedOf } from '../../src/consensus/draw.ts'
import { evaluate } from '../../src/report/evaluate.ts'
import { canonicalBytes, sha256 } from '../../src/wire/canonical.ts'
import type { Envelope } from '../../src/wire/envelope.ts'
import { type Job, jobId } from '../../src/wire/job.ts'
import type { Answered, Done, MadeLog, MakerOptions, Tampering } from './log-parts.ts'
import {
  changesOf,
  founders,
  machinesOf,
  people,
  platform,
  referees,
  reportKey,
  signReport,
} from './log-people.ts'
import { fillSeats } from './log-seating.ts'
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
    ring: 2,
    known: 0,
    mute: [],
    threshold: undefined,
    samples: 0,
    audits: 0,
    late: 0,
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
  /** Outcomes of jobs and types of changes so far (with the reason of a ban), before anybody tampered with them. */
  readonly happened = new Set<string>()
  readonly log: TestSigner
  readonly witness: TestSigner
  readonly tampering: Tampering
  readonly options: MakerOptions
  policy: PolicyDocument
  /** By their leaves. */
  readonly rosters = new Map<number, RosterDocument>()
  readonly beacons: { index: number; size: number; value: string }[] = []
  day = firstDay
  /** Seconds since 1970 of the next cosignature. */
  time = firstDay * 86_400
  /** Sizes and signed checkpoints so far. */
  readonly notes: { size: number; note: string }[] = []
  readonly #tree = createTree()
  #state: number
  readonly #last = new Map<string, { sequence: number; id: string }>()
  /** Accepted answers by job, without what differs from job to job. */
  readonly #answers = new Map<string, string>()
  readonly #waiting: Waiting[] = []

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
      witnesses: [this.witness.witnessVkey, ...options.mute],
      ...(options.threshold !== undefined && { witnessThreshold: options.threshold }),
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
    this.refresh(this.options.late > 0 ? [0, 1, 2, 17, 18] : people.keys())
  }

  /** Logs a roster. @param arrivals numbers of people that are new */
  refresh(arrivals: Iterable<number> = []): void {
    const changes = changesOf(this.book, this.policy, arrivals, this.day)
    const honest: RosterDocument = {
      schema: 'pyti.roster/1',
      day: this.day,
      changes,
      members: membersOf(this.book, machinesOf(this.book), this.day),
    }
    const document = this.tampering.roster?.(honest, this.rosters.size) ?? honest
    this.rosters.set(this.appendDocument('roster', document), document)
  }

  /** Index of the newest roster below a leaf. */
  rosterBelow(size = this.entries.length): number {
    return Math.max(...[...this.rosters.keys()].filter(index => index < size))
  }

  /** Somebody vouches for others from now on. */
  vouch(change: Partial<PolicyDocument>): void {
    this.policy = { ...this.policy, ...change }
    this.appendDocument('policy', this.policy)
    this.book.keepReferees(this.policy.referees)
  }

  async runJob(number: number): Promise<void> {
    if (number > 0 && this.random(3) === 0) {
      this.day += 1
      this.time = Math.max(this.time, this.day * 86_400)
      this.refresh()
    }
    if (number > 0 && number === this.options.late) this.refresh(people.keys())
    this.tampering.before?.(this, number)
    const project = `sample-${this.random(12)}`
    const filename = `${project}-1.0.tar.gz`
    const subject = testSubject({ project, filename, sha256: sha256(filename) })
    const sample = this.#happens(this.options.samples)
    const origin = sample ? 'coordinator' : 'index'
    const job = testJob({ subject, origin, nonce: sha256(`nonce ${number}`).slice(0, 32) })
    const jobClass: JobClass = this.#last.has(subject.sha256) ? 'R' : this.random(4) === 0 ? 'H' : 'N'
    const salt = sha256(`salt ${number} ${this.random(1e9)}`).slice(0, 32)
    const task = { schema: 'pyti.task/1', job, jobClass, salt, ...(sample && { sample }) } as const
    await this.announce(number, this.tampering.task?.(task, number) ?? task)
  }

  /** Logs a task; runs it, and those that wait, as far as they can be drawn. */
  async announce(number: number, task: TaskDocument): Promise<void> {
    this.#waiting.push({ number, task, index: this.appendDocument('task', task, false) })
    for (const one of [...this.#waiting]) {
      const draw = await this.#draw(one)
      if (!draw || !this.#waiting.includes(one)) continue
      this.#waiting.splice(this.#waiting.indexOf(one), 1)
      const made = { maker: this, job: one.number, id: jobId(one.task.job), task: one.index }
      await this.tampering.draw?.(draw, made)
      await this.#run(one, draw)
    }
  }

  /** Draws from the first beacon that covers the task and a roster with enough operators. */
  async #draw({ task, index }: Waiting): Promise<NonNullable<CloseDocument['draw']> | undefined> {
    const job = jobId(task.job)
    const drawFrom = (beacon: number, size: number, value: string) => {
      const roster = this.rosterBelow(size)
      const document = this.rosters.get(roster)
      const platform = document && size > index ? platformIn(document, task) : undefined
      if (platform === undefined) return undefined
      return { roster, beacon, seed: seedOf(value, job), platform, passed: [] }
    }
    for (const { index: beacon, size, value } of this.beacons) {
      const draw = drawFrom(beacon, size, value)
      if (draw) return draw
    }
    if (!drawFrom(0, this.entries.length, '') && this.random(2) === 0) return undefined
    const { index: beacon, size, value } = await this.#logBeacon()
    return drawFrom(beacon, size, value)
  }

  /** Logs a beacon and draws from it. */
  async logBeacon(roster: number, job: string): Promise<NonNullable<CloseDocument['draw']>> {
    const { index, value } = await this.#logBeacon()
    return { roster, beacon: index, seed: seedOf(value, job), platform, passed: [] }
  }

  async #logBeacon(): Promise<{ index: number; size: number; value: string }> {
    const size = this.entries.length
    const checkpoint = await this.checkpoint()
    const value = await beaconValue({ checkpoint }, parseVkey(this.log.logVkey), witnessesOf(this.policy))
    const index = this.appendDocument('beacon', { schema: 'pyti.beacon/1', checkpoint })
    const beacon = { index, size, value }
    this.beacons.push(beacon)
    return beacon
  }

  async #run(
    { number, task, index: taskIndex }: Waiting,
    draw: NonNullable<CloseDocument['draw']>,
  ): Promise<void> {
    const roster = this.rosters.get(draw.roster)
    const [honest] = roster ? drawnRules(task, roster, draw) : []
    if (!roster || !honest) throw new Error('there are no rules')
    const rules = this.tampering.rules?.(honest, number) ?? honest
    const { answers, seats, decision } = await fillSeats(this, number, task, roster, draw, rules)
    const base = {
      schema: 'pyti.close/1',
      job: jobId(task.job),
      day: this.day,
      task: taskIndex,
      draw,
      rules,
      seats,
    } as const
    const { repeats, trial } = task
    if (repeats !== undefined && decision.kind === 'accept') {
      const accepted = this.#answers.get(repeats)
      const end = trial ? { outcome: 'trial' as const } : { outcome: 'known' as const, accepted }
      return this.#end(number, task, { ...base, ...end, changes: [] }, answers)
    }
    if (decision.kind !== 'accept' && decision.kind !== 'flaky') {
      const end: CloseDocument = { ...base, outcome: 'unresolved', reason: 'it ended so', changes: [] }
      return this.#end(number, task, end, answers)
    }
    const right = seats.find(seat => decision.agreeing.includes(seat.volunteer) && seat.answer !== undefined)
    const isKnown = decision.kind === 'accept' && this.random(1_000) < this.options.known
    this.#answers.set(base.job, right?.across ?? '')
    // Others run it again before or after its report is out.
    const isHeld = this.random(2) === 0
    if (isKnown && isHeld) await this.#repeat(number, task, seats)
    if (task.sample) {
      const accepted = decision.kind === 'accept' && right?.answer
      const close: CloseDocument = {
        ...base,
        outcome: 'sample',
        ...(accepted && { accepted }),
        changes: [],
      }
      await this.#end(number, task, close, answers)
      await this.#lookAgain(number, task)
      return
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
    const accepted = decision.kind === 'accept' && right?.answer
    const outcome = accepted ? 'accepted' : 'flaky'
    const close: CloseDocument = { ...base, outcome, ...(accepted && { accepted }), report, changes: [] }
    await this.#end(number, task, close, answers, { index, envelope, statement })
    if (isKnown && !isHeld) await this.#repeat(number, task, seats)
    await this.#lookAgain(number, task)
  }

  /** Drawn only where it is asked for, so that the other histories stay what they are. */
  #happens(perMille: number): boolean {
    return perMille > 0 && this.random(1_000) < perMille
  }

  /** Referees run a job again whose report is audited or in which somebody is suspected. */
  async #lookAgain(number: number, task: TaskDocument): Promise<void> {
    const trial = (name: string) =>
      this.announce(number, this.#again(task, { trial: true, without: [] }, name))
    const job = jobId(task.job)
    if (this.book.report(job) && this.#happens(this.options.audits)) await trial('audit')
    for (let run = 0; run < 100 && this.book.suspicion(job); run += 1) await trial(`trial ${run}`)
  }

  #repeat(number: number, task: TaskDocument, seats: CloseDocument['seats']): Promise<void> {
    const honest = [...new Set(seats.map(seat => seat.operator))]
    const without = this.tampering.without?.(honest, number) ?? honest
    return this.announce(number, this.#again(task, { trial: false, without }, 'known'))
  }

  /** The same file once more, for one volunteer. */
  #again({ job }: TaskDocument, known: { trial: boolean; without: string[] }, name: string): TaskDocument {
    const repeats = jobId(job)
    const salt = sha256(`${name} of ${repeats}`).slice(0, 32)
    const about = { schema: 'pyti.task/1', jobClass: 'K', salt, repeats, platform } as const
    const task: TaskDocument = { ...about, job: { ...job, nonce: salt }, ...known }
    return this.tampering.again?.(task) ?? task
  }

  async #end(
    number: number,
    task: TaskDocument,
    unsettled: CloseDocument,
    answers: Answered[],
    report?: Done['report'],
  ): Promise<void> {
    const honest = { ...unsettled, changes: settleClosed(this.book, closedOf(unsettled, task), this.day) }
    this.happened.add(honest.outcome)
    for (const change of honest.changes)
      this.happened.add(change.type === 'banned' ? `banned: ${change.why}` : change.type)
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

interface Waiting {
  readonly number: number
  readonly task: TaskDocument
  readonly index: number
}
