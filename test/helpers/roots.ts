import { formatVkey } from '../../src/attest/log/note.ts'
import { signRoot } from '../../src/attest/root.ts'
import type { RootDocument } from '../../src/attest/root-document.ts'
import { firstRoot } from '../../src/attest/root-draft.ts'
import { draftOf, encodeRoots, type RootVersion } from '../../src/attest/root-file.ts'
import { coordinator, testLogKey } from './bundle.ts'
import { type TestIdentity, testIdentity } from './raw-data.ts'

export const rootPeople = ['ann', 'ben', 'cy', 'dee'].map(name => testIdentity(`root ${name}`))
export const rootWitness = testIdentity('witness')
export const rootWitnessKey = formatVkey('witness.example', 4, rootWitness.publicKey)
export const rootsMadeAt = Date.parse('2026-11-20T12:00:00Z')

/** Two of three must sign; the keys of the test bundles; no witnesses. */
export function testRoot(change: Partial<RootDocument['roles']> = {}): RootDocument {
  const document = firstRoot({
    expires: '2027-11-20T12:00:00Z',
    rootKeys: rootPeople.slice(0, 3).map(({ peerId }) => peerId),
    threshold: 2,
    reportKey: coordinator.peerId,
    logKey: testLogKey,
    witnesses: [],
    witnessThreshold: 0,
  })
  return { ...document, roles: { ...document.roles, ...change } }
}

type Step = readonly [document: RootDocument, signers: readonly TestIdentity[]]

/** The versions of a chain, each signed by the given people. */
export async function signedRoots(...steps: readonly Step[]): Promise<RootVersion[]> {
  const versions: RootVersion[] = []
  for (const [document, signers] of steps) {
    let version = draftOf(document)
    for (const signer of signers) version = await signRoot(version, versions.at(-1), signer)
    versions.push(version)
  }
  return versions
}

export async function rootFile(...steps: readonly Step[]): Promise<Uint8Array> {
  return encodeRoots(await signedRoots(...steps))
}
