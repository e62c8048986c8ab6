import assert from 'node:assert/strict'
import { it } from 'node:test'
import { readDocument } from '../../src/attest/documents.ts'
import { parseEntry } from '../../src/attest/log/entry.ts'
import { formatVkey } from '../../src/attest/log/note.ts'
import { openRoots, type RootState } from '../../src/attest/root.ts'
import type { RootDocument } from '../../src/attest/root-document.ts'
import { firstRoot, nextRoot } from '../../src/attest/root-draft.ts'
import { createRootState } from '../../src/attest/root-state.ts'
import { createLedger } from '../../src/coordinator/ledger.ts'
import { documentFrom } from '../../src/coordinator/log-documents.ts'
import { demandOwnKeys } from '../../src/coordinator/own-keys.ts'
import { openRecords } from '../../src/coordinator/records.ts'
import { createMemoryStore } from '../../src/store/memory.ts'
import type { Store } from '../../src/store/store.ts'
import { canonicalBytes } from '../../src/wire/canonical.ts'
import { openHouse, reportSigner } from '../helpers/coordinator-house.ts'
import { told } from '../helpers/expect.ts'
import { testIdentity } from '../helpers/raw-data.ts'
import { rootFile, rootPeople, rootsMadeAt, rootWitnessKey } from '../helpers/roots.ts'

const logIdentity = testIdentity('log')
const expires = '2028-11-20T12:00:00Z'
const origin = `pyti.example/log/${logIdentity.peerId}`
const logKey = formatVkey(origin, 1, logIdentity.publicKey)
const firstWith = (witnesses: string[]) =>
  firstRoot({
    expires,
    rootKeys: rootPeople.slice(0, 3).map(({ peerId }) => peerId),
    threshold: 2,
    reportKey: reportSigner.peerId,
    logKey,
    witnesses,
    witnessThreshold: witnesses.length,
  })
const first = firstWith([])
const second = nextRoot(first, { expires })
const signers = rootPeople.slice(0, 2)
const stateOf = async (...documents: RootDocument[]): Promise<RootState> =>
  openRoots(await rootFile(...documents.map(document => [document, signers] as const)), rootsMadeAt)

/** Starts a coordinator on the store, stops it again. */
async function run(store: Store, root: RootState | undefined): Promise<void> {
  const house = await openHouse({ store, ...(root && { deps: { root } }) })
  await house.close()
}

async function keyLeaves(store: Store): Promise<RootDocument[]> {
  const ledger = createLedger({ store })
  await ledger.load()
  const found: RootDocument[] = []
  for await (const bytes of ledger.entries(0, ledger.size())) {
    const { kind, id } = parseEntry(bytes)
    if (kind !== 'key') continue
    const document = readDocument(canonicalBytes(await documentFrom(openRecords(store), id)))
    assert.equal(document.schema, 'pyti.root/1')
    if (document.schema === 'pyti.root/1') found.push(document)
  }
  return found
}

it('logs a root when it is new, and once', async () => {
  const store = createMemoryStore()
  await run(store, undefined)
  assert.deepEqual(await keyLeaves(store), [])
  await run(store, await stateOf(first))
  await run(store, await stateOf(first))
  assert.deepEqual(await keyLeaves(store), [first])
  await run(store, await stateOf(first, second))
  await run(store, undefined)
  assert.deepEqual(await keyLeaves(store), [first, second])
  await assert.rejects(run(store, await stateOf(first)), told('root-rollback', /version 1.*version 2/))
})

it('refuses a root that asks for more witnesses than sign for sure', () => {
  const witnesses = ['a.example', 'b.example', 'c.example'].map(name =>
    formatVkey(name, 4, testIdentity(name).publicKey),
  )
  const root = createRootState(firstWith(witnesses.slice(0, 2)), [])
  const own = { reportKey: reportSigner.peerId, logKey, origin, witnesses, size: 0 }
  demandOwnKeys(root, { ...own, witnessThreshold: undefined })
  // The two that sign may be the third and one of the others.
  assert.throws(
    () => demandOwnKeys(root, { ...own, witnessThreshold: 2 }),
    told('wrong-keys', /1 of its witnesses sign for sure, 2 must/),
  )
})

it('refuses a root that names other keys or other witnesses', async () => {
  const other = testIdentity('other').peerId
  const newLog = formatVkey('new.example/log', 1, testIdentity('new log').publicKey)
  for (const [what, document] of [
    [/report key/, nextRoot(first, { expires, reportKey: other, at: 0 })],
    [/log key/, nextRoot(first, { expires, logKey: newLog, at: 0 })],
    [/0 of its witnesses/, nextRoot(first, { expires, witnesses: [rootWitnessKey] })],
  ] as const)
    await assert.rejects(
      run(createMemoryStore(), await stateOf({ ...document, version: 1 })),
      told('wrong-keys', what),
    )
})
