/**
 * Faults of a coordinator as files that prove them: small JSON that `pyti verify` confirms offline, and that nobody can make
 * against one that keeps the rules. A fault is proved against a key; whose key it is, the reader has to know.
 */
import { messageOf, PytiError } from '../errors.ts'
import { concatBytes, utf8 } from '../wire/bytes.ts'
import { canonicalJson } from '../wire/canonical.ts'
import { confirmDroppedDissent } from './audit/fault-dissent.ts'
import { confirmSteeredDraw } from './audit/fault-draw.ts'
import { confirmFork } from './audit/fault-fork.ts'
import { type Confirmed, Fault, type FaultOf } from './audit/fault-form.ts'
import { confirmBrokenReceipt } from './audit/fault-receipt.ts'
import { confirmDoubleSequence, confirmWrongEvaluation } from './audit/fault-reports.ts'
import { parseExactly } from './parse.ts'

export type { Confirmed, FaultOf }
export { Fault }

const faultBytes = 96 * 1024 * 1024
const newline = 0x0a

/** RFC 8785 JSON and a newline: one fault has one form. */
export function encodeFault(fault: Fault): Uint8Array {
  return concatBytes(utf8(canonicalJson(fault)), Uint8Array.of(newline))
}

/** @throws PytiError `bad-fault` */
export function decodeFault(bytes: Uint8Array): Fault {
  if (bytes.length > faultBytes || bytes.at(-1) !== newline)
    throw new PytiError('bad-fault', 'the file is not one of a fault: it is too large or cut short')
  return parseExactly(Fault, bytes.subarray(0, -1), 'bad-fault', 'the fault')
}

/** Whether a file says that it is one of a fault: no report bundle does. */
export function isFault(bytes: Uint8Array): boolean {
  return (
    bytes.length <= faultBytes && new TextDecoder('latin1').decode(bytes).includes('"schema":"pyti.fault/1"')
  )
}

/**
 * Checks a fault from its file alone.
 * @throws PytiError `not-a-fault` when it proves nothing, whatever the reason
 */
export async function confirmFault(fault: Fault): Promise<Confirmed> {
  try {
    return await confirm(fault)
  } catch (cause) {
    if (cause instanceof PytiError && cause.code === 'not-a-fault') throw cause
    throw new PytiError('not-a-fault', `this proves nothing: ${messageOf(cause)}`, { cause })
  }
}

function confirm(fault: Fault): Promise<Confirmed> {
  switch (fault.kind) {
    case 'fork':
      return confirmFork(fault)
    case 'dropped-dissent':
      return confirmDroppedDissent(fault)
    case 'steered-draw':
      return confirmSteeredDraw(fault)
    case 'receipt':
      return confirmBrokenReceipt(fault)
    case 'wrong-evaluation':
      return confirmWrongEvaluation(fault)
    case 'double-sequence':
      return confirmDoubleSequence(fault)
  }
}
