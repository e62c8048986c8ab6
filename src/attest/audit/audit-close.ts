import { rulesOf } from '../../consensus/classes.ts'
import { settleClosed } from '../../consensus/consequences.ts'
import { messageOf } from '../../errors.ts'
import { canonicalJson, digestOf, sha256 } from '../../wire/canonical.ts'
import type { CloseDocument, PolicyDocument, TaskDocument } from '../documents.ts'
import { auditDraw } from './audit-draw.ts'
import { auditAnswers } from './audit-raw.ts'
import { reportFaults } from './audit-reports.ts'
import { type AuditState, type Claim, type Closed, documentOf, type Leaf, loseBook } from './audit-state.ts'
import { closedOf, decisionFaults } from './decisions.ts'

/** The end of a job: everything that was decided about it, recomputed. */
export async function auditClose(state: AuditState, leaf: Leaf): Promise<void> {
  const { index } = leaf
  const { list, tasks, closed, reports } = state
  const close = await documentOf(state, leaf, 'pyti.close/1')
  if (!close) return loseBook(state, `the end of a job in leaf ${index} is missing`)
  if (closed.has(close.job)) list.fault('decisions', index, `job ${close.job} ended before`)
  const announced = tasks.get(close.task)
  tasks.delete(close.task)
  const task = announced && (await documentOf(state, announced, 'pyti.task/1'))
  if (task && announced) auditClass(state, index, close, task, announced.policy)
  const wrong = task ? decisionFaults(close, task) : []
  for (const detail of wrong) list.fault('decisions', index, detail)
  if (task && wrong.length === 0) list.held('decisions')
  auditKnown(state, index, close, task)

  const report = close.report === undefined ? undefined : reports.get(close.report)
  if (close.report !== undefined) {
    reports.delete(close.report)
    const faults = report ? reportFaults(report, close, state) : ['its report was not logged before it']
    for (const detail of faults) list.fault('reports', report?.index ?? index, detail)
  }
  const skipped = await auditDraw(state, { index, entry: leaf.entry, close }, announced, task)
  if (task) await auditAnswers(state, index, close, task, report)
  settleBook(state, index, close, task)
  for (const change of close.changes)
    if (change.type === 'withdrawn' && !isWithoutReport(closed.get(change.job)))
      state.due.set(change.job, { because: close.job, index })
  state.figures.close(close, skipped)
  state.listener.close?.({ index, close, task, skipped })
}

/** What was accepted of a sample was never out. */
function isWithoutReport(closed: Closed | undefined): boolean {
  return closed !== undefined && closed.report === undefined
}

/** Replays what the end of a job means for who answered. */
function settleBook(
  state: AuditState,
  index: number,
  close: CloseDocument,
  task: TaskDocument | undefined,
): void {
  state.day = close.day
  if (!state.bookKnown) return
  if (!task) {
    loseBook(state, `the task of the job that ended in leaf ${index} is missing`)
    return
  }
  const changes = settleClosed(state.book, closedOf(close, task), close.day)
  if (canonicalJson(changes) === canonicalJson(close.changes)) {
    state.list.held('book')
    return
  }
  const at = close.changes.findIndex(
    (change, n) => canonicalJson(change) !== canonicalJson(changes[n] ?? null),
  )
  const first =
    at < 0 ? `it leaves out ${sayOf(changes[close.changes.length])}` : `it says ${sayOf(close.changes[at])}`
  state.list.fault('book', index, `its consequences are not what follows: ${first}`)
  loseBook(state, `the consequences in leaf ${index} do not follow from the book`)
}

function sayOf(change: unknown): string {
  return change === undefined ? 'nothing' : canonicalJson(change)
}

/** A job that repeats another one asks for the same, has its answer and leaves out who ran it, whichever of the two ended first. */
function auditKnown(
  { list, known, closed }: AuditState,
  index: number,
  close: CloseDocument,
  task: TaskDocument | undefined,
): void {
  const { job, outcome, report, accepted, seats } = close
  const isAccepted = outcome === 'accepted' || outcome === 'sample'
  const across = isAccepted ? seats.find(seat => seat.answer === accepted)?.across : undefined
  const asks = task && digestOf({ ...task.job, nonce: '' })
  const platform = close.draw?.platform
  const original = { across, asks, platform, operators: namesOf(seats.map(seat => seat.operator)) }
  closed.set(job, { index, report, ...original })
  const judge = (claim: Claim, repeats: string, one: typeof original) => {
    const { index: at, answer, without } = claim
    if (claim.asks !== one.asks && claim.asks !== undefined && one.asks !== undefined)
      list.fault('decisions', at, `it does not ask for what job ${repeats} asked for`)
    if (claim.platform !== one.platform)
      list.fault('draws', at, `it is for another platform than job ${repeats} was`)
    if (answer === undefined) return
    if (answer !== one.across)
      list.fault('decisions', at, `the answer it calls known is not that of job ${repeats}`)
    if (without !== one.operators)
      list.fault('seats', at, `those it leaves out are not the operators that had a seat in job ${repeats}`)
  }
  for (const claim of known.get(job) ?? []) judge(claim, job, original)
  known.delete(job)
  const { repeats, without = [] } = task ?? {}
  if (repeats === undefined) return
  const claim = {
    index,
    asks,
    platform: task?.platform,
    answer: outcome === 'known' ? accepted : undefined,
    without: namesOf(without),
  }
  const repeated = closed.get(repeats)
  if (repeated) judge(claim, repeats, repeated)
  else known.set(repeats, [...(known.get(repeats) ?? []), claim])
}

function namesOf(operators: readonly string[]): string {
  return sha256([...new Set(operators)].sort().join('\n'))
}

/** Class and open rules follow from the policy, and what was reported already. */
function auditClass(
  { list, last }: AuditState,
  index: number,
  { rules, task: at }: CloseDocument,
  { jobClass, job, repeats, sample }: TaskDocument,
  policy: PolicyDocument | undefined,
): void {
  if (!policy) return void list.fault('policy', at, 'the job was announced before any policy')
  const weighed = policy.founders.length > 0
  if ((jobClass === 'open') === weighed)
    list.fault('policy', at, `class ${jobClass} where volunteers are ${weighed ? '' : 'not '}weighed`)
  if ((jobClass === 'K') !== (repeats !== undefined))
    list.fault(
      'policy',
      at,
      `class ${jobClass} ${repeats === undefined ? 'without' : 'with'} a job that it repeats`,
    )
  if (sample && job.origin !== 'coordinator')
    list.fault('policy', at, 'a file of the index is said to be a bundled sample')
  if (jobClass === 'R' && !last.has(job.subject.sha256))
    list.fault('policy', at, 'class R for a file that has no report yet')
  if (jobClass !== 'open') return
  try {
    const open = rulesOf('open', { extra: 0, spotReferees: 0, referees: 0 }, policy.quorum)
    if (canonicalJson(open) !== canonicalJson(rules))
      list.fault('policy', index, 'the rules are not those of the policy')
  } catch (error) {
    list.fault('policy', index, messageOf(error))
  }
}
