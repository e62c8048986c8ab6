import { messageOf, PytiError } from '../../errors.ts'
import { toBase64 } from '../../wire/bytes.ts'
import { type Checkpoint, type Cosignature, openCheckpoint } from './checkpoint.ts'
import { leafHash, verifyInclusion } from './merkle.ts'
import { parseNote, type Vkey } from './note.ts'
import { decimal, hashLines, isSize } from './text.ts'

/** What a `.tlog-proof` holds: that the leaf at `index` is in the log, checkable offline. `checkpoint` is a signed note. */
export interface ProofFile {
  readonly index: number
  readonly proof: readonly Uint8Array[]
  readonly checkpoint: string
}

const header = 'c2sp.org/tlog-proof@v1'

/** @throws PytiError `bad-proof` */
export function formatProof({ index, proof, checkpoint }: ProofFile): string {
  const hashes = proof.map(toBase64)
  if (!isSize(index) || hashLines(hashes) === undefined) throw badFile('its index or hashes are out of range')
  demandNote(checkpoint)
  return `${[header, `index ${index}`, ...hashes].join('\n')}\n\n${checkpoint}`
}

/**
 * Takes a proof file apart without checking it: `openProof` checks. Extra data, which nothing authenticates, is refused.
 * @throws PytiError `bad-proof`
 */
export function parseProof(text: string): ProofFile {
  const split = text.indexOf('\n\n')
  const [first, indexLine, ...lines] = split < 0 ? [] : text.slice(0, split).split('\n')
  if (first !== header) throw badFile(`it does not begin with ${header}`)
  const index = decimal(/^index (.+)$/.exec(indexLine ?? '')?.[1])
  if (index === undefined) throw badFile('its second line is not the index of a leaf')
  const proof = hashLines(lines)
  if (proof === undefined)
    throw badFile('it holds a line that is not base64 of 32 bytes, or too many of them')
  const checkpoint = text.slice(split + 2)
  demandNote(checkpoint)
  return { index, proof, checkpoint }
}

/**
 * Checks offline that the log holds `entry`, and which of the witnesses saw that.
 * @throws PytiError `bad-proof` | `bad-checkpoint`
 */
export async function openProof(
  text: string,
  entry: Uint8Array,
  logVkey: Vkey,
  witnesses: readonly Vkey[] = [],
): Promise<{ index: number; checkpoint: Checkpoint; witnesses: Cosignature[] }> {
  const { index, proof, checkpoint: note } = parseProof(text)
  const { checkpoint, witnesses: seenBy } = await openCheckpoint(note, logVkey, witnesses)
  const { size, root } = checkpoint
  verifyInclusion({ index, size, root, proof, leafHash: leafHash(entry) })
  return { index, checkpoint, witnesses: seenBy }
}

function demandNote(checkpoint: string): void {
  try {
    parseNote(checkpoint)
  } catch (cause) {
    throw badFile(messageOf(cause), cause)
  }
}

function badFile(why: string, cause?: unknown): PytiError {
  return new PytiError('bad-proof', `not an acceptable proof file: ${why}`, { cause })
}
