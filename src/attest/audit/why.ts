/** Answers out of a log to why things are as they are: of a volunteer, a job, or a report. */
import type { Member } from '../../consensus/book.ts'
import { checksOn, weightOf } from '../../consensus/credibility.ts'
import { rankOf } from '../../consensus/draw.ts'
import type { RunResult } from '../../consensus/run-result.ts'
import { messageOf, PytiError } from '../../errors.ts'
import type { CloseDocument, TaskDocument } from '../documents.ts'
import type { ReportStatement } from '../report-statement.ts'
import { type Audit, auditLog } from './audit.ts'
import { type Chronicle, createChronicle, type Suspected, type VouchedFor } from './chronicle.ts'
import { decisionOf } from './decisions.ts'
import type { Skipped } from './seats.ts'
import type { LogSource } from './source.ts'

export interface VolunteerAnswer {
  readonly about: 'volunteer'
  readonly volunteer: string
  readonly operator: string
  /** Whole days since the Unix epoch, as `day`, which is that of the last roster or end of a job. */
  readonly since: number
  readonly day: number
  readonly vouched: Member['vouched']
  /** When that was said later than when it came. */
  readonly vouchedLater: VouchedFor[]
  /** Leaf of the policy that named it as a referee no more. */
  readonly dismissed: number | undefined
  readonly established: boolean
  /** Thousandths. */
  readonly checks: number
  readonly weight: number
  readonly votes: number
  readonly strikes: { job: string; leaf: number }[]
  readonly banned: { why: string; job: string; leaf: number } | undefined
  readonly suspected: Suspected[]
  readonly alike: readonly string[]
  readonly seats: { job: string; role: string; end: string; result: string | undefined }[]
  readonly passed: string[]
}

/** Whether a referee ran the job of a report again. */
export interface Audited {
  /** Undefined while none did. */
  readonly result: RunResult | undefined
  /** Runs of referees that came to nothing, by the job that was made for each. */
  readonly failed: readonly { job: string; leaf: number; reason: string }[]
}

export interface JobAnswer {
  readonly about: 'job'
  readonly job: string
  readonly file: string | undefined
  readonly leaves: { task: number; close: number }
  readonly jobClass: { announced: string | undefined; final: string; why: string }
  readonly rules: CloseDocument['rules']
  readonly draw: (NonNullable<CloseDocument['draw']> & { skipped: string[] }) | undefined
  readonly seats: (CloseDocument['seats'][number] & { rank: string | undefined })[]
  /** Volunteers by answer, most of them first. */
  readonly groups: { answer: string; accepted: boolean; volunteers: string[] }[]
  readonly decision: string
  readonly outcome: string
  readonly reason: string | undefined
  readonly report: string | undefined
  readonly withdrawn: string | undefined
  readonly changes: CloseDocument['changes']
  /** The same in words, without how single answers turned out. */
  readonly consequences: string[]
  readonly audited: Audited
  /** Whether its dissenters may be a ring, and what referees found since. */
  readonly suspected: Suspected | undefined
}

export interface ReportAnswer {
  readonly about: 'report'
  readonly report: string
  readonly leaf: number
  readonly file: string
  readonly sha256: string
  readonly sequence: number
  readonly verdict: string
  readonly state: 'live' | 'superseded' | 'withdrawn'
  /** The report that superseded it, or the job that took away those it rested on. */
  readonly because: string | undefined
  readonly job: string
  readonly audited: Audited
  readonly restsOn: {
    volunteer: string
    operator: string
    role: string
    weight: number
    bannedSince: boolean
  }[]
  readonly excluded: { volunteer: string; role: string; reason: string }[]
}

export type Answer = VolunteerAnswer | JobAnswer | ReportAnswer

interface Ended {
  readonly index: number
  readonly close: CloseDocument
  readonly task: TaskDocument | undefined
  readonly skipped: Skipped[]
  readonly consequences: string[]
}
interface Reported {
  readonly index: number
  readonly id: string
  readonly statement: ReportStatement
}

/**
 * Answers of one log to one question: a peer id; the id of a job; or of a report its id, or the name or SHA-256 of the file it is
 * about. Signatures of volunteers are left to `pyti audit`.
 * @throws PytiError `unknown-subject` when the log knows nothing of it, and what `auditLog` throws
 */
export async function askWhy(
  source: LogSource,
  question: string,
  options: { key?: string | undefined; tail?: number | undefined } = {},
): Promise<{ audit: Audit; answers: Answer[] }> {
  const jobs: Ended[] = []
  const seats: Ended[] = []
  const reports: Reported[] = []
  const withdrawn = new Map<string, string>()
  const superseded = new Map<string, string>()
  const found = new Map<string, RunResult>()
  const failed = new Map<string, Audited['failed'][number][]>()
  const auditedOf = (job: string): Audited => ({ result: found.get(job), failed: failed.get(job) ?? [] })
  const chronicle = createChronicle()
  const touches = ({ seats: taken, draw, changes }: CloseDocument) =>
    taken.some(seat => seat.volunteer === question) ||
    draw?.passed.includes(question) === true ||
    changes.some(change => 'volunteer' in change && change.volunteer === question)
  const audit = await auditLog(source, {
    ...options,
    envelopes: false,
    listener: {
      policy: ({ index, dismissed }) => chronicle.dismiss(index, dismissed),
      roster: ({ index, roster }) => void chronicle.tell(index, roster.changes),
      close(told) {
        const ended = { ...told, consequences: chronicle.tell(told.index, told.close.changes) }
        if (ended.close.job === question) jobs.push(ended)
        if (touches(ended.close)) seats.push(ended)
        const { close, task, index } = told
        for (const change of close.changes)
          if (change.type === 'audited') found.set(change.job, change.result)
        if (!task?.trial || task.repeats === undefined || close.outcome !== 'unresolved') return
        const run = { job: close.job, leaf: index, reason: close.reason ?? 'no reason is given' }
        failed.set(task.repeats, [...(failed.get(task.repeats) ?? []), run])
      },
      report(told) {
        const { supersedes, job } = told.statement.predicate
        const { filename, sha256 } = job.definition.subject
        if (supersedes !== undefined) superseded.set(supersedes, told.id)
        if ([told.id, filename, sha256].includes(question)) reports.push(told)
      },
      withdrawal: ({ report, because }) => withdrawn.set(report, because),
    },
  })
  const member = audit.state.book.member(question)
  const answers: Answer[] = [
    ...(member ? [volunteerAnswer(member, seats, audit, chronicle)] : []),
    ...jobs.map(job => jobAnswer(job, chronicle, withdrawn, auditedOf)),
    ...reports.map(report => reportAnswer(report, audit, withdrawn, superseded, auditedOf)),
  ]
  if (answers.length > 0) return { audit, answers }
  throw new PytiError('unknown-subject', `the log knows nothing of ${question}`, {
    hint: 'ask for a peer id, the id of a job that has ended, or the id, file name or SHA-256 of a report',
  })
}

function volunteerAnswer(
  member: Member,
  ended: readonly Ended[],
  { state }: Audit,
  chronicle: Chronicle,
): VolunteerAnswer {
  const { volunteer, operator, since, vouched, votes, alike, standing } = member
  const resultIn = ({ changes }: CloseDocument) => {
    const found = changes.find(change => change.type === 'answered' && change.volunteer === volunteer)
    return found?.type === 'answered' ? found.result : undefined
  }
  const ban = ended.flatMap(({ close, index }) =>
    close.changes.flatMap(change =>
      change.type === 'banned' && change.volunteer === volunteer
        ? [{ why: change.why, job: close.job, leaf: index }]
        : [],
    ),
  )
  return {
    about: 'volunteer',
    volunteer,
    operator,
    since,
    day: state.day,
    vouched,
    dismissed: chronicle.dismissed(volunteer),
    vouchedLater: chronicle.vouched().filter(one => one.volunteer === volunteer),
    established: state.book.isEstablished(member, state.day),
    checks: checksOn(standing, state.day),
    weight: weightOf(checksOn(standing, state.day)),
    votes,
    strikes: ended
      .filter(({ close }) => resultIn(close) === 'refuted')
      .map(({ close, index }) => ({ job: close.job, leaf: index })),
    banned: ban[0],
    suspected: chronicle.suspected().filter(one => one.volunteers.includes(volunteer)),
    alike,
    seats: ended.flatMap(({ close }) =>
      close.seats
        .filter(seat => seat.volunteer === volunteer)
        .map(({ role, end, answer }) => ({
          job: close.job,
          role,
          end,
          result: answer === undefined ? undefined : resultIn(close),
        })),
    ),
    passed: ended.filter(({ close }) => close.draw?.passed.includes(volunteer)).map(({ close }) => close.job),
  }
}

function jobAnswer(
  { index, close, task, skipped, consequences }: Ended,
  chronicle: Chronicle,
  withdrawn: ReadonlyMap<string, string>,
  auditedOf: (job: string) => Audited,
): JobAnswer {
  const { draw, rules, seats, outcome, reason, report, accepted, changes } = close
  const groups = Map.groupBy(
    seats.filter(seat => seat.answer !== undefined),
    seat => seat.answer ?? '',
  )
  return {
    about: 'job',
    job: close.job,
    file: task?.job.subject.filename,
    leaves: { task: close.task, close: index },
    jobClass: { announced: task?.jobClass, final: rules.jobClass, why: whyClass(task, rules.jobClass) },
    rules,
    draw: draw && {
      ...draw,
      skipped: skipped.filter(one => !one.passed).map(one => one.volunteer),
    },
    seats: seats.map(seat => ({ ...seat, rank: draw && rankOf(draw.seed, seat.volunteer) })),
    groups: [...groups]
      .map(([answer, group]) => ({
        answer,
        accepted: answer === accepted,
        volunteers: group.map(seat => seat.volunteer),
      }))
      .sort((a, b) => b.volunteers.length - a.volunteers.length),
    decision: sayDecision(close),
    outcome,
    reason,
    report,
    withdrawn: report === undefined ? undefined : withdrawn.get(report),
    changes,
    consequences,
    audited: auditedOf(close.job),
    suspected: chronicle.suspected().find(one => one.job === close.job),
  }
}

function sayDecision(close: CloseDocument): string {
  try {
    const decision = decisionOf(close)
    return 'reason' in decision ? `${decision.kind}: ${decision.reason}` : decision.kind
  } catch (error) {
    return messageOf(error)
  }
}

function whyClass(task: TaskDocument | undefined, final: string): string {
  if (task && task.jobClass !== final) return `raw data accuses, which raised it from ${task.jobClass}`
  const reasons: Record<string, string> = {
    open: 'nobody vouches for founders, so volunteers are not weighed',
    R: 'the file had a report already',
    N: 'the first report on the file',
    H: 'very many install this project',
    X: 'raw data accuses',
    K: task?.trial
      ? `a referee runs job ${task.repeats} again, to see whether its report holds or whether a suspected group is a ring`
      : `it repeats job ${task?.repeats ?? 'unknown'}, whose answer was known, without the operators that ran it`,
  }
  return reasons[final] ?? 'unknown'
}

function reportAnswer(
  { index, id, statement }: Reported,
  { state }: Audit,
  withdrawn: ReadonlyMap<string, string>,
  superseded: ReadonlyMap<string, string>,
  auditedOf: (job: string) => Audited,
): ReportAnswer {
  const { job, sequence, inputAttestations, excluded, evaluation } = statement.predicate
  const because = withdrawn.get(id) ?? superseded.get(id)
  return {
    about: 'report',
    report: id,
    leaf: index,
    file: job.definition.subject.filename,
    sha256: job.definition.subject.sha256,
    sequence,
    verdict: evaluation.verdict,
    state: withdrawn.has(id) ? 'withdrawn' : superseded.has(id) ? 'superseded' : 'live',
    because,
    job: job.id,
    audited: auditedOf(job.id),
    restsOn: inputAttestations.map(({ annotations: { volunteer, operator, role, weight } }) => ({
      volunteer,
      operator,
      role,
      weight,
      bannedSince: state.book.member(volunteer)?.banned !== undefined,
    })),
    excluded: excluded.map(({ volunteer, role, reason }) => ({ volunteer, role, reason })),
  }
}
