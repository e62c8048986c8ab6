import { fromBase64, toHex } from '../../wire/bytes.ts'
import { witnessesOf } from '../documents.ts'
import { openCheckpoint } from '../log/checkpoint.ts'
import { createTree } from '../log/merkle.ts'
import { openReceipt } from '../log/receipt.ts'
import { sameBytes } from '../log/text.ts'
import { type Confirmed, type FaultOf, openDocument, openHead, openKey, prove } from './fault-form.ts'
import { bareNote } from './open-log.ts'

/**
 * A promise to hold a leaf by a certain time, and a whole tree without that leaf that was the newest one after that time.
 *
 * What makes this a proof: the log signed the promise and the tree, so neither can be made up; all leaf hashes are there and
 * make the root, so the leaf is nowhere in it. A log signs no time. When the tree was the newest one is the word of the
 * witnesses, as each of them cosigns nothing older than what it has seen: so as many witnesses as the log's own policy asks
 * for must have cosigned it after the deadline, and more than half of all, since then one of them has seen every newer tree. A
 * log without witnesses cannot be convicted this way; nor is one whose witnesses were unreachable for longer than the deadline,
 * as the next tree they cosign holds the leaf. A log that gave up all its witnesses at once without showing them the tree with
 * its new policy is convicted: readers should look whose names are printed.
 */
export async function confirmBrokenReceipt(fault: FaultOf<'receipt'>): Promise<Confirmed> {
  const vkey = openKey(fault.log)
  const { policy: proven } = fault
  prove(proven.document?.schema === 'pyti.policy/1', 'the policy is missing')
  const witnesses = witnessesOf(proven.document)
  const { keys, threshold } = witnesses
  prove(keys.length > 0, 'the log has no witnesses, so nobody can say when this was its newest tree')
  prove(threshold * 2 > keys.length, 'so few witnesses may never have seen a newer tree')
  const head = await openHead(fault.checkpoint, vkey, witnesses)
  openDocument(proven, head, 'pyti.policy/1')
  const receipt = await openReceipt(fault.receipt, vkey)
  prove(fault.receipt === bareNote(fault.receipt, [vkey]), 'the receipt holds more than its signature')
  const { witnesses: seenBy } = await openCheckpoint(fault.checkpoint, vkey, keys)
  const first = Math.min(...seenBy.map(({ time }) => time))
  prove(first > receipt.mergeBy, 'a witness saw the tree before the leaf was due')
  const bytes = fromBase64(fault.leaves)
  prove(bytes?.length === head.size * 32, 'these are not the hashes of all leaves')
  const tree = createTree()
  for (let at = 0; at < bytes.length; at += 32) {
    const hash = bytes.slice(at, at + 32)
    prove(toHex(hash) !== receipt.leafHash, 'the log holds the leaf')
    tree.append(hash)
  }
  prove(sameBytes(tree.root(), head.root), 'these are not the leaves of the tree')
  return {
    kind: 'receipt',
    accused: fault.log,
    detail: `the log promised to hold ${receipt.attestation} by ${receipt.mergeBy} and did not at ${first}, when ${seenBy.map(({ vkey: { name } }) => name).join(', ')} saw it (seconds since 1970)`,
  }
}
