import { PytiError } from '../errors.ts'
import { toHex } from '../wire/bytes.ts'
import { sha256 } from '../wire/canonical.ts'
import { openCheckpoint } from './log/checkpoint.ts'
import type { Vkey } from './log/note.ts'

/**
 * The value of a cosigned checkpoint that draws are made from: SHA-256 over the lines of the witnesses, which the log cannot
 * foresee; over its root where nobody witnesses it. Lines are sorted, so that their order chooses nothing.
 * @returns lower-case hex
 * @throws PytiError `bad-checkpoint` | `not-witnessed` when the signature of a witness is missing
 */
export async function beaconValue(note: string, logKey: Vkey, witnesses: readonly Vkey[]): Promise<string> {
  const { checkpoint, witnesses: seenBy } = await openCheckpoint(note, logKey, witnesses)
  if (seenBy.length < witnesses.length)
    throw new PytiError(
      'not-witnessed',
      `${seenBy.length} of ${witnesses.length} witnesses signed the checkpoint`,
      {
        hint: 'start the witnesses, or take those that are gone out of the policy',
      },
    )
  if (witnesses.length === 0) return sha256(`pyti-beacon/v1\n${toHex(checkpoint.root)}\n`)
  return sha256(
    `pyti-beacon/v1\n${seenBy
      .map(({ line }) => line)
      .sort()
      .join('')}`,
  )
}
