import { PytiError } from '../errors.ts'
import { toHex } from '../wire/bytes.ts'
import { sha256 } from '../wire/canonical.ts'
import type { BeaconDocument } from './documents.ts'
import { openCheckpoint, type Witnesses } from './log/checkpoint.ts'
import type { Vkey } from './log/note.ts'

/**
 * The value that draws are made from: SHA-256 over the lines by which witnesses signed a checkpoint, which the log cannot
 * foresee (over its root where nobody witnesses it), and over the public value where there is one. Lines are sorted, so that
 * their order chooses nothing. Whether a public value is the right one is for its own readers to tell.
 * @returns lower-case hex
 * @throws PytiError `bad-checkpoint` | `not-witnessed` when too few witnesses have signed
 */
export async function beaconValue(
  document: Pick<BeaconDocument, 'checkpoint' | 'public'>,
  logKey: Vkey,
  { keys, threshold }: Witnesses,
): Promise<string> {
  const { checkpoint, witnesses: seenBy } = await openCheckpoint(document.checkpoint, logKey, keys)
  if (seenBy.length < threshold)
    throw new PytiError(
      'not-witnessed',
      `${seenBy.length} of ${keys.length} witnesses signed the checkpoint, ${threshold} must`,
      { hint: 'start the witnesses, or take those that are gone out of the policy' },
    )
  const lines = seenBy.map(({ line }) => line).sort()
  const own = lines.length > 0 ? lines.join('') : `${toHex(checkpoint.root)}\n`
  const { source, value } = document.public ?? {}
  return sha256(`pyti-beacon/v1\n${own}${value === undefined ? '' : `${source}\n${value}\n`}`)
}
