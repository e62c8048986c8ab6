/**
 * The root of trust, as in TUF: who may sign reports, checkpoints and cosignatures of a coordinator. A new version is signed by
 * enough keys of the one before and of its own, so that readers follow changes of keys from any version they have.
 */
import { messageOf, PytiError } from '../errors.ts'
import { publicKeyFromPeerId } from '../peer-id.ts'
import { toHex } from '../wire/bytes.ts'
import { canonicalBytes } from '../wire/canonical.ts'
import type { Envelope } from '../wire/envelope.ts'
import { openEnvelope, type Signer, sign } from './dsse.ts'
import { fingerprint } from './keys.ts'
import { badRoot, type RootDocument } from './root-document.ts'
import { decodeRoots, type RootVersion, rootPayloadType } from './root-file.ts'
import { createRootState, type RootState } from './root-state.ts'

export type { RootState }

/** How many distinct root keys have signed, and how many must. */
export interface Tally {
  readonly signed: number
  readonly wanted: number
}

/**
 * Walks a file of roots from version 1 to the last.
 * @param now milliseconds since 1970: the last version must not have expired by then; earlier ones may
 * @throws PytiError `bad-root` | `bad-envelope` | `root-expired`
 */
export async function openRoots(bytes: Uint8Array, now: number): Promise<RootState> {
  const versions = decodeRoots(bytes)
  for (const [at, version] of versions.entries()) {
    for (const { what, signed, wanted } of talliesIn(await tally(version, versions[at - 1])))
      if (signed < wanted)
        throw badRoot(
          `version ${version.document.version} is signed by ${signed} of the ${what} root keys, ${wanted} are needed`,
        )
  }
  const document = versions.at(-1)?.document
  if (!document) throw badRoot('the file is empty')
  if (isExpired(document, now))
    throw new PytiError(
      'root-expired',
      `version ${document.version} of the root expired on ${document.expires}`,
      {
        hint: 'get the newest root file from who gave you this one',
      },
    )
  return createRootState(
    document,
    versions.map(({ id }) => id),
  )
}

/** @param now milliseconds since 1970 */
export function isExpired({ expires }: RootDocument, now: number): boolean {
  return !(now < Date.parse(expires))
}

/**
 * Counts who signed a version: distinct keys, never envelopes or key ids (attestation.md section 4, pitfall 2).
 * @throws PytiError `bad-root` for a signature that does not hold or that nobody needs
 */
export async function tally(
  { document, envelopes }: RootVersion,
  before?: RootVersion,
): Promise<{ own: Tally; before?: Tally }> {
  const roles = [document.roles.root, ...(before ? [before.document.roles.root] : [])]
  const known = new Map(
    roles.flatMap(({ keys }) => keys.map(publicKeyFromPeerId)).map(key => [toHex(key), key]),
  )
  const signers = new Set<string>()
  for (const envelope of envelopes)
    signers.add(await signerOf(envelope, document.version, [...known.values()]))
  const count = ({ keys, threshold }: RootDocument['roles']['root']): Tally => ({
    signed: new Set(keys.map(key => toHex(publicKeyFromPeerId(key))).filter(key => signers.has(key))).size,
    wanted: threshold,
  })
  return { own: count(document.roles.root), ...(before && { before: count(before.document.roles.root) }) }
}

/**
 * Adds a signature; a key signs a version once.
 * @throws PytiError `not-a-root-key` when this version needs no signature of the key
 */
export async function signRoot(
  version: RootVersion,
  before: RootVersion | undefined,
  signer: Signer,
): Promise<RootVersion> {
  const { document, envelopes } = version
  const needed = [...document.roles.root.keys, ...(before?.document.roles.root.keys ?? [])]
  const own = toHex(signer.publicKey)
  if (!needed.some(key => toHex(publicKeyFromPeerId(key)) === own))
    throw new PytiError(
      'not-a-root-key',
      `version ${document.version} needs no signature of ${fingerprint(signer.publicKey)}`,
      { hint: 'see `pyti root show` for the keys it needs' },
    )
  const keyid = fingerprint(signer.publicKey)
  if (envelopes.some(envelope => envelope.signatures[0]?.keyid === keyid)) return version
  const envelope = await sign(rootPayloadType, canonicalBytes(document), signer)
  return { ...version, envelopes: [...envelopes, envelope] }
}

async function signerOf(envelope: Envelope, version: number, keys: readonly Uint8Array[]): Promise<string> {
  // The key id only says which key to try; the signature decides.
  const key = keys.find(candidate => fingerprint(candidate) === envelope.signatures[0]?.keyid)
  if (key === undefined)
    throw badRoot(`version ${version} carries a signature of a key that it needs none of`)
  try {
    await openEnvelope(envelope, key, rootPayloadType)
  } catch (cause) {
    throw badRoot(`a signature of version ${version}: ${messageOf(cause)}`, cause)
  }
  return toHex(key)
}

function talliesIn({ own, before }: { own: Tally; before?: Tally }) {
  return [...(before ? [{ what: 'earlier', ...before }] : []), { what: 'own', ...own }]
}
