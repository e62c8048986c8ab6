import { messageOf, PytiError } from '../../errors.ts'
import { openNote, type Vkey } from './note.ts'
import { decimal, isSize } from './text.ts'
import { vkeyName } from './vkey.ts'

/**
 * The promise of a log to hold an attestation by a certain time: evidence against it when it does not. Times in
 * seconds since 1970, `attestation` and `leafHash` (of the leaf's bytes) in lower-case hex.
 */
export interface Receipt {
  readonly origin: string
  readonly attestation: string
  readonly leafHash: string
  readonly issued: number
  readonly mergeBy: number
}

const header = 'pyti-receipt/v1'
const hashForm = /^[0-9a-f]{64}$/

/**
 * The body of a receipt; `signNote` with the key of the log makes it one. Six lines, so it can never be taken for a checkpoint.
 * @throws PytiError `bad-receipt`
 */
export function formatReceipt(receipt: Receipt): string {
  const { origin, attestation, leafHash, issued, mergeBy } = receipt
  if (!vkeyName.test(origin)) throw badReceipt('its origin cannot be the name of a key')
  if (!hashForm.test(attestation) || !hashForm.test(leafHash))
    throw badReceipt('it holds something that is not a lower-case hex SHA-256')
  if (!isSize(issued) || !isSize(mergeBy) || mergeBy < issued) throw badReceipt('its times are out of order')
  return `${[header, origin, attestation, leafHash, issued, mergeBy].join('\n')}\n`
}

/**
 * The receipt, once the signature of the log holds. Whether it is about the right leaf is for the caller to compare.
 * @throws PytiError `bad-receipt`
 */
export async function openReceipt(note: string, logVkey: Vkey): Promise<Receipt> {
  if (logVkey.type !== 1) throw badReceipt('the key given for the log is that of a witness')
  const { text } = await openNote(note, [logVkey]).catch(cause => {
    throw badReceipt(messageOf(cause), cause)
  })
  const [, origin = '', attestation = '', leafHash = '', issued, mergeBy] = text.split('\n')
  const receipt = {
    origin,
    attestation,
    leafHash,
    issued: decimal(issued) ?? -1,
    mergeBy: decimal(mergeBy) ?? -1,
  }
  if (formatReceipt(receipt) !== text) throw badReceipt('its text has another form')
  if (origin !== logVkey.name) throw badReceipt('its origin is not the name of the key of the log')
  return receipt
}

function badReceipt(why: string, cause?: unknown): PytiError {
  return new PytiError('bad-receipt', `not an acceptable receipt: ${why}`, { cause })
}
