import { messageOf, PytiError } from '../../errors.ts'
import { toBase64, toHex } from '../../wire/bytes.ts'
import type { Fault } from '../faults.ts'
import { openCheckpoint } from '../log/checkpoint.ts'
import { consistencyProof, rootAt } from '../log/merkle.ts'
import { createRootState } from '../root-state.ts'
import type { AuditCheck, AuditFault } from './audit-checks.ts'
import { auditClose } from './audit-close.ts'
import { proveSkips } from './audit-draw.ts'
import { auditLeftOver, auditRaw } from './audit-raw.ts'
import { auditOrphans, auditReport } from './audit-reports.ts'
import { auditBeacon, auditPolicy, auditRoster } from './audit-rosters.ts'
import { type AuditState, documentOf, type Leaf, type Listener, newState } from './audit-state.ts'
import { bareNote, leavesOf, type OpenLog, openLog } from './open-log.ts'
import { faultBase } from './prove.ts'
import type { LogSource } from './source.ts'
import type { AuditStatistics } from './statistics.ts'

export interface AuditOptions {
  /** C2SP vkey of the log; when left out, the key that its name holds. */
  readonly key?: string | undefined
  /** C2SP vkeys of witnesses, and how many of them must have signed the checkpoint: all when left out. */
  readonly witnesses?: readonly string[] | undefined
  readonly minimumWitnesses?: number | undefined
  /** Checkpoints of this log that were seen before, here or elsewhere: signed notes. */
  readonly seen?: readonly string[] | undefined
  /** Documents of so many last leaves may still be on their way while the log grows. @default 0 */
  readonly tail?: number | undefined
  /** Whether the signatures of volunteers are checked, which is most of the work. @default true */
  readonly envelopes?: boolean | undefined
  readonly listener?: Listener | undefined
  /** Called now and then with how many leaves are done. */
  readonly onProgress?: ((done: number, size: number) => void) | undefined
}

export interface Audit {
  /** No check failed. */
  readonly ok: boolean
  readonly log: OpenLog
  readonly checks: AuditCheck[]
  readonly faults: readonly AuditFault[]
  readonly statistics: AuditStatistics
  /** What was replayed: for asking why. */
  readonly state: AuditState
}

/**
 * Replays a whole log. Whatever is wrong in it becomes a fault; a log that cannot even be opened or read to its end throws.
 * @throws PytiError `no-log` | `no-log-key` | `bad-note` | `bad-checkpoint`, and what the source throws
 */
export async function auditLog(source: LogSource, options: AuditOptions = {}): Promise<Audit> {
  const log = await openLog(source, options)
  const { tail = 0, envelopes = true, listener = {}, onProgress } = options
  const state = newState(source, log, { tail, envelopes, listener })
  checkHead(state, options)
  for (const note of options.seen ?? []) await checkSeen(state, note)
  if ((options.seen ?? []).length === 0)
    state.list.unknown('consistency', 'no checkpoint of this log was seen before')
  await replay(state, onProgress)
  auditOrphans(state)
  checkDue(state)
  await proveSkips(state)
  const pending = await auditLeftOver(state)
  const checks = state.list.checks()
  return {
    ok: checks.every(check => check.state !== 'failed'),
    log,
    checks,
    faults: state.list.faults,
    statistics: state.figures.all(state.tasks.size, pending),
    state,
  }
}

async function replay(state: AuditState, onProgress: AuditOptions['onProgress']): Promise<void> {
  const { list, log, source } = state
  const { size } = log.checkpoint
  try {
    for await (const leaf of leavesOf(source, log)) {
      state.figures.leaf(leaf.entry.kind)
      await auditLeaf(state, leaf)
      list.held('entries')
      if (leaf.index % 256 === 255 || leaf.index === size - 1) onProgress?.(leaf.index + 1, size)
    }
  } catch (error) {
    if (!(error instanceof PytiError)) throw error
    list.fault('entries', undefined, messageOf(error))
    for (const name of ['documents', 'completeness', 'book'] as const)
      list.unknown(name, 'the log could not be read to its end')
  }
}

async function auditLeaf(state: AuditState, leaf: Leaf): Promise<void> {
  switch (leaf.entry.kind) {
    case 'task':
      state.tasks.set(leaf.index, { ...leaf, policy: state.policy })
      break
    case 'raw':
      auditRaw(state, leaf)
      break
    case 'report':
      await auditReport(state, leaf)
      break
    case 'close':
      await auditClose(state, leaf)
      break
    case 'policy':
      await auditPolicy(state, leaf)
      break
    case 'roster':
      await auditRoster(state, leaf)
      break
    case 'beacon':
      await auditBeacon(state, leaf)
      break
    case 'withdrawal':
      await auditWithdrawal(state, leaf)
      break
    case 'key':
      await auditRoot(state, leaf)
      break
  }
}

/** From here on the root document says which key may sign reports; whether the root was signed well is for `pyti verify --root`. */
async function auditRoot(state: AuditState, leaf: Leaf): Promise<void> {
  const root = await documentOf(state, leaf, 'pyti.root/1')
  if (root) state.root = createRootState(root, [])
  else state.list.unknown('reports', `the root document in leaf ${leaf.index} is missing`)
}

async function auditWithdrawal(state: AuditState, leaf: Leaf): Promise<void> {
  const { due, closed, list, listener } = state
  const { index } = leaf
  const withdrawal = await documentOf(state, leaf, 'pyti.withdrawal/1')
  if (!withdrawal) return
  const { job, report, because } = withdrawal
  const cause = due.get(job)
  if (cause?.because !== because)
    list.fault('withdrawals', index, `job ${because} gives no cause to withdraw it`)
  else if (closed.get(job)?.report !== report)
    list.fault('withdrawals', index, `job ${job} has another report`)
  else list.held('withdrawals')
  due.delete(job)
  listener.withdrawal?.({ index, report, job, because })
}

/** A coordinator withdraws at its next round. */
const withdrawnWithin = 1_000

/** A job waits for the one that repeats it, and ends soon after it. */
const claimedWithin = 10_000

function checkDue({ due, known, list, log, tail }: AuditState): void {
  for (const [job, claims] of known)
    for (const { index } of claims)
      if (index < log.checkpoint.size - Math.max(tail, claimedWithin))
        list.fault('decisions', index, `job ${job}, which it repeats, has never ended`)
  for (const [job, { index }] of due)
    if (index < log.checkpoint.size - Math.max(tail, withdrawnWithin))
      list.fault('withdrawals', index, `the report of job ${job} should have been withdrawn long since`)
    else list.unknown('withdrawals', `the report of job ${job} is still to be withdrawn`)
}

function checkHead({ list, log }: AuditState, options: AuditOptions): void {
  const { key, witnesses = [], minimumWitnesses: wanted = witnesses.length } = options
  const { checkpoint, vkey, witnesses: seenBy } = log
  list.say('checkpoint', `${checkpoint.origin}, ${checkpoint.size} leaves, root ${toHex(checkpoint.root)}`)
  if (key === undefined)
    list.unknown('log-key', `no key was given, so this is whatever log names itself ${vkey.name}`)
  else list.say('log-key', `the log is the trusted one, ${vkey.name}`)
  if (witnesses.length === 0)
    list.unknown('witnesses', 'no witness was named, so the log may show others another history')
  else if (seenBy.length < wanted)
    list.fault(
      'witnesses',
      undefined,
      `${seenBy.length} of ${witnesses.length} witnesses signed the checkpoint, ${wanted} are wanted`,
    )
  else list.say('witnesses', `seen by ${seenBy.map(one => one.vkey.name).join(', ')}`)
}

/** The log must continue what it showed before. Where it does not, its own signatures prove that it forked. */
async function checkSeen({ list, log }: AuditState, note: string): Promise<void> {
  const { vkey, read, checkpoint: now } = log
  try {
    const { checkpoint: before } = await openCheckpoint(note, vkey)
    if (before.size > now.size) {
      list.fault('consistency', undefined, `the log had ${before.size} leaves before and has ${now.size} now`)
      return
    }
    const root = await rootAt(before.size, read)
    if (toHex(root) === toHex(before.root))
      list.say('consistency', `continues the ${before.size} leaves seen before`)
    else
      list.fault(
        'consistency',
        undefined,
        `the log showed another tree of ${before.size} leaves before: it has forked`,
        await forkOf(log, note, before.size, root),
      )
  } catch (error) {
    list.fault('consistency', undefined, messageOf(error))
  }
}

/** @param root that this log gives its first `size` leaves, other than the note says */
async function forkOf(log: OpenLog, note: string, size: number, root: Uint8Array): Promise<Fault> {
  const { checkpoint, ...base } = faultBase(log)
  const seen = bareNote(note, [log.vkey])
  if (size === log.checkpoint.size) {
    const heads: [string, string] = seen < checkpoint ? [seen, checkpoint] : [checkpoint, seen]
    return { ...base, kind: 'fork', heads }
  }
  const proof = await consistencyProof(size, log.checkpoint.size, log.read)
  return {
    ...base,
    kind: 'fork',
    heads: [seen, checkpoint],
    prefix: { root: toBase64(root), proof: proof.map(toBase64) },
  }
}
