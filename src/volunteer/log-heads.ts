import { openCheckpoint } from '../attest/log/checkpoint.ts'
import { emptyRoot, verifyConsistency } from '../attest/log/merkle.ts'
import type { Vkey } from '../attest/log/note.ts'
import { isCode, messageOf, PytiError } from '../errors.ts'
import { fromBase64, toHex } from '../wire/bytes.ts'
import type { CommandReply } from '../wire/commands.ts'
import type { LogFault } from './log-faults.ts'
import type { Head } from './log-memory.ts'

/** What a log shows, followed from head to head. */
export interface LogHeads {
  /** The newest one that is proven to continue all before it. */
  kept(): Head | undefined
  /** Asks the log for its head and keeps it. Throws what `accuse` makes of a log that forks or goes back. */
  advance(signal: AbortSignal): Promise<void>
  /** Makes sure that a head somebody else was shown belongs to the same history. Throws as `advance`. */
  compare(note: string, signal: AbortSignal): Promise<void>
}

export interface LogHeadsOptions {
  key: Vkey
  kept: Head | undefined
  ask(size: number, signal: AbortSignal): Promise<CommandReply<'log-head'>>
  keep(note: string): Promise<void>
  /** Writes evidence. @returns the error to throw */
  accuse(fault: LogFault): Promise<Error>
}

const nothing: Head = { note: '', size: 0, root: emptyRoot }
/** The log grows while two of its heads are compared; each turn asks once. */
const turns = 16

export function createLogHeads({ key, ask, keep, accuse, ...options }: LogHeadsOptions): LogHeads {
  let kept = options.kept

  const open = async (note: string): Promise<Head> => {
    const { checkpoint } = await openCheckpoint(note, key)
    return { note, size: checkpoint.size, root: checkpoint.root }
  }

  /** What the log shows now, proven to continue `from`; undefined as long as it is empty. */
  const follow = async (from: Head, signal: AbortSignal): Promise<Head | undefined> => {
    const reply = await ask(from.size, signal).catch(async error => {
      if (isCode(error, 'NOT_FOUND') && from.size === 0) return undefined
      if (isCode(error, 'NOT_FOUND')) throw await accuse(rollback(from, undefined))
      if (!isCode(error, 'CONFLICT')) throw error
      const now = await open((await ask(0, signal)).checkpoint)
      throw now.size < from.size ? await accuse(rollback(from, now)) : error
    })
    if (reply === undefined) return undefined
    const next = await open(reply.checkpoint)
    if (next.size < from.size) throw await accuse(rollback(from, next))
    try {
      const proof = reply.proof.map(text => fromBase64(text) ?? new Uint8Array())
      const { size: newSize, root: newRoot } = next
      verifyConsistency({ oldSize: from.size, oldRoot: from.root, newSize, newRoot, proof })
    } catch (error) {
      throw from.note === '' ? error : await accuse(fork(from, next, reply.proof, messageOf(error)))
    }
    return next
  }

  const advance = async (signal: AbortSignal) => {
    const next = await follow(kept ?? nothing, signal)
    if (next === undefined || next.note === kept?.note) return
    await keep(next.note)
    kept = next
  }

  return {
    kept: () => kept,
    advance,
    async compare(note, signal) {
      let other = await open(note)
      for (let turn = 0; turn < turns; turn += 1) {
        const mine = kept ?? nothing
        if (other.size === mine.size) {
          if (toHex(other.root) === toHex(mine.root)) return
          throw await accuse(fork(mine, other, undefined, `two trees of ${mine.size} leaves`))
        }
        if (other.size < mine.size) other = (await follow(other, signal)) ?? other
        else {
          await advance(signal)
          if ((kept?.size ?? 0) < other.size) throw await accuse(rollback(other, kept))
        }
      }
      throw new PytiError(
        'log-unsettled',
        `the log never stood still while ${turns} of its heads were compared`,
      )
    },
  }
}

function fork(before: Head, now: Head, proof: readonly string[] | undefined, why: string): LogFault {
  const message = `its log of ${now.size} leaves does not continue the ${before.size} it showed before (${why})`
  return { kind: 'fork', message, heads: [before, now], ...(proof && { proof }) }
}

function rollback(before: Head, now: Head | undefined): LogFault {
  const message = `its log showed ${before.size} leaves before and shows ${now?.size ?? 'none'} now`
  return { kind: 'rollback', message, heads: [before, now] }
}
