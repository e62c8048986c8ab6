import { type Entry, formatEntry } from '../attest/log/entry.ts'
import { leafHash } from '../attest/log/merkle.ts'
import { cosignatureTime, parseNote, type Vkey } from '../attest/log/note.ts'
import { openProof, parseProof } from '../attest/log/proof-file.ts'
import { openReceipt } from '../attest/log/receipt.ts'
import { isCode, messageOf, PytiError } from '../errors.ts'
import type { Logger } from '../logger.ts'
import { CommandError } from '../net/command-error.ts'
import { toHex, utf8 } from '../wire/bytes.ts'
import { writeBrokenReceipt } from './log-faults.ts'
import type { Evidence, LogMemory, Promised } from './log-memory.ts'

/** Promises of a log to hold what this volunteer handed in, until each is proven or broken. */
export interface Receipts {
  /** Takes what the log promised for a leaf. Never throws for a bad receipt: the leaf is asked for all the same. */
  take(entry: Entry, note: string): Promise<void>
  /** Asks for the proof of every leaf that has none yet. Throws what `ask` and `compare` do; the rest is asked for the next time. */
  settle(signal: AbortSignal): Promise<void>
}

export interface ReceiptsOptions {
  key: Vkey
  /** The same as text. */
  logKey: string
  memory: LogMemory
  evidence: Evidence
  log: Logger
  /** Milliseconds since 1970. */
  now(): number
  ask(attestation: string, signal: AbortSignal): Promise<{ proof: string }>
  /** Throws unless the checkpoint belongs to the history that was seen. */
  compare(checkpoint: string, signal: AbortSignal): Promise<void>
  /** Newest checkpoint of the log. */
  checkpoint(): string | undefined
  onBroken(told: { code: string; message: string; file?: string }): void
}

/** A log that takes longer to keep a promise makes none. Seconds. */
const longestMerge = 24 * 3_600
/** Clocks differ, and a checkpoint takes its time. Seconds. */
const slack = 600

export function createReceipts(options: ReceiptsOptions): Receipts {
  const { key, memory, evidence, log } = options
  const seconds = () => Math.floor(options.now() / 1_000)

  const mergeByOf = async (entry: Entry, note: string): Promise<number> => {
    const receipt = await openReceipt(note, key)
    if (receipt.attestation !== entry.id) throw badReceipt('it is about another attestation')
    if (receipt.leafHash !== toHex(leafHash(formatEntry(entry)))) throw badReceipt('it is about another leaf')
    if (receipt.mergeBy > seconds() + longestMerge + slack)
      throw badReceipt(`it promises nothing before ${new Date(receipt.mergeBy * 1_000).toISOString()}`)
    return receipt.mergeBy
  }

  const overdue = async (attestation: string, promised: Promised) => {
    const { receipt, mergeBy } = promised
    const checkpoint = options.checkpoint()
    if (receipt !== undefined && checkpoint !== undefined && witnessedAt(checkpoint) > mergeBy) {
      const file = await writeBrokenReceipt(evidence, options.logKey, { attestation, receipt, checkpoint })
      await memory.broken(attestation, promised)
      const message = `the log did not keep its promise to hold ${attestation}: evidence is in ${file}`
      log.error(message, { hint: 'send the file to other volunteers and to whoever runs the coordinator' })
      options.onBroken({ code: 'receipt-broken', message, file })
    } else if (!promised.warned) {
      await memory.promise(attestation, { ...promised, warned: true })
      const message = `the log is late with ${attestation}, and nothing here proves that to others`
      log.warn(message, { mergeBy: new Date(mergeBy * 1_000).toISOString() })
      options.onBroken({ code: 'receipt-late', message })
    }
  }

  /** @returns whether the log could be asked */
  const settleOne = async (attestation: string, promised: Promised, signal: AbortSignal) => {
    let proof: string | undefined
    try {
      proof = (await options.ask(attestation, signal)).proof
      await openProof(proof, utf8(promised.entry), key)
    } catch (error) {
      if (proof === undefined && !isRefusal(error)) throw error
      if (proof !== undefined)
        log.warn('what the log gave as proof proves nothing', { attestation, error: messageOf(error) })
      if (seconds() > promised.mergeBy + slack) await overdue(attestation, promised)
      return
    }
    // A proof under a checkpoint that nobody else is shown would prove nothing either.
    await options.compare(parseProof(proof).checkpoint, signal)
    await memory.honoured(attestation, proof)
  }

  return {
    async take(entry, note) {
      const text = new TextDecoder().decode(formatEntry(entry))
      const late = { entry: text, mergeBy: seconds() + longestMerge, warned: false }
      try {
        await memory.promise(entry.id, { ...late, receipt: note, mergeBy: await mergeByOf(entry, note) })
      } catch (error) {
        if (!isCode(error, 'bad-receipt')) throw error
        log.error('the coordinator gave no acceptable receipt', {
          attestation: entry.id,
          error: messageOf(error),
        })
        await memory.promise(entry.id, late)
      }
    },
    async settle(signal) {
      for await (const [attestation, promised] of memory.promised())
        await settleOne(attestation, promised, signal)
    },
  }
}

/** An answer, as opposed to one that may come later. */
function isRefusal(error: unknown): boolean {
  return error instanceof CommandError && !['BUSY', 'RATE_LIMITED'].includes(error.code)
}

/** Latest time in the cosignatures, in seconds since 1970. Who the witnesses are is for whoever reads the evidence. */
function witnessedAt(checkpoint: string): number {
  return Math.max(
    0,
    ...parseNote(checkpoint).signatures.map(({ signature }) => cosignatureTime(signature) ?? 0),
  )
}

function badReceipt(why: string): PytiError {
  return new PytiError('bad-receipt', `not an acceptable receipt: ${why}`)
}
