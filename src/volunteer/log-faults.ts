import { bareNote } from '../attest/audit/open-log.ts'
import { confirmFault, encodeFault, type FaultOf } from '../attest/faults.ts'
import { parseVkey } from '../attest/log/note.ts'
import { isCode } from '../errors.ts'
import { fromBase64, toBase64, toHex } from '../wire/bytes.ts'
import { canonicalJson } from '../wire/canonical.ts'
import { claimedRoot } from './claimed-root.ts'
import type { Evidence, Head } from './log-memory.ts'

/** What is wrong with a log, before anybody was told. */
export interface LogFault {
  readonly kind: 'fork' | 'rollback'
  readonly message: string
  /** The one shown earlier or elsewhere; what the log shows now, if it shows anything. */
  readonly heads: readonly [Head, Head?]
  /** What the log gave as proof from the first to the second, in base64. */
  readonly proof?: readonly string[]
}

/** Of what proves nothing by itself: bytes for somebody who can find out more. Proofs have the form of `attest/faults.ts`. */
const schema = 'pyti.evidence/1'

/**
 * Writes `log-fork-N.json` or `log-rollback-N.json`, with both checkpoints. `proven` tells that `pyti verify` confirms the file: two
 * roots of one size, or a proof by the log itself that its newer tree begins in another way.
 * @param log vkey
 */
export async function writeFault(
  evidence: Evidence,
  log: string,
  fault: LogFault,
): Promise<{ file: string; proven: boolean }> {
  const { kind, heads, proof } = fault
  const proven = await proofOf(log, fault)
  const notes = heads.flatMap(head => head?.note || [])
  const record = canonicalJson({ schema, kind, log, notes, ...(proof && { proof: [...proof] }) })
  const text = proven ? new TextDecoder().decode(encodeFault(proven)) : `${record}\n`
  for (let number = 1; ; number += 1) {
    const file = await evidence.write(`log-${kind}-${number}.json`, text)
    if (file !== undefined) return { file, proven: proven !== undefined }
  }
}

/**
 * Writes a receipt that was not honoured, beside a checkpoint that was witnessed after its time, into `receipt-ID.json`. Whoever has
 * the leaves below that checkpoint can see that the promised one is not there.
 * @param log vkey
 * @returns path of the file
 */
export async function writeBrokenReceipt(
  evidence: Evidence,
  log: string,
  { attestation, receipt, checkpoint }: { attestation: string; receipt: string; checkpoint: string },
): Promise<string> {
  const name = `receipt-${attestation}.json`
  const text = canonicalJson({ schema, kind: 'receipt', log, receipt, checkpoint })
  return (await evidence.write(name, `${text}\n`)) ?? name
}

/** The fault in a form that anybody can check offline, if what was shown suffices for one. */
async function proofOf(
  log: string,
  { kind, heads: [one, other], proof = [] }: LogFault,
): Promise<FaultOf<'fork'> | undefined> {
  if (kind !== 'fork' || other === undefined) return undefined
  const key = parseVkey(log)
  const [before, now] = [bareNote(one.note, [key]), bareNote(other.note, [key])]
  const about = { schema: 'pyti.fault/1', kind: 'fork', log } as const
  const confirmed = async (fault: FaultOf<'fork'>) => {
    try {
      await confirmFault(fault)
      return fault
    } catch (error) {
      if (isCode(error, 'not-a-fault')) return undefined
      throw error
    }
  }
  if (one.size === other.size)
    return confirmed({ ...about, heads: before < now ? [before, now] : [now, before] })
  const hashes = proof.map(text => fromBase64(text))
  if (!hashes.every(hash => hash?.length === 32)) return undefined
  const root = claimedRoot(
    one.size,
    other.size,
    hashes.flatMap(hash => hash ?? []),
  )
  if (root === undefined || toHex(root) === toHex(one.root)) return undefined
  return confirmed({ ...about, heads: [before, now], prefix: { root: toBase64(root), proof: [...proof] } })
}
