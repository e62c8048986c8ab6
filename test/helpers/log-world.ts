import assert from 'node:assert/strict'
import { openCheckpoint } from '../../src/attest/log/checkpoint.ts'
import type { Entry } from '../../src/attest/log/entry.ts'
import { rootAt } from '../../src/attest/log/merkle.ts'
import { addSignature, formatVkey, type NoteSigner, parseVkey } from '../../src/attest/log/note.ts'
import { openProof } from '../../src/attest/log/proof-file.ts'
import { openBundle, tileReader } from '../../src/attest/log/tile-reader.ts'
import { entriesPath, tileWidth } from '../../src/attest/log/tiles.ts'
import { formatRequest, respond, type WitnessState } from '../../src/attest/log/witness.ts'
import { createLedger, type Ledger } from '../../src/coordinator/ledger.ts'
import { createSequencer, type Sequencer, type SequencerOptions } from '../../src/coordinator/sequencer.ts'
import type { PytiError } from '../../src/errors.ts'
import { createMemoryStore } from '../../src/store/memory.ts'
import type { Store } from '../../src/store/store.ts'
import { openTileFiles } from '../../src/store/tile-files.ts'
import { sha256 } from '../../src/wire/canonical.ts'
import { type Crash, createCrash, createMemoryDisk, type MemoryDisk, powerStore } from './crashing-disk.ts'
import { testIdentity } from './raw-data.ts'
import { collect } from './store-contract.ts'

const signerOf = (name: string): NoteSigner => ({ name, ...testIdentity(name) })
export const logSigner = signerOf('log.example/pyti')
const witnessSigner = signerOf('witness.example')
export const logVkey = parseVkey(formatVkey(logSigner.name, 1, logSigner.publicKey))
const witnessVkey = parseVkey(formatVkey(witnessSigner.name, 4, witnessSigner.publicKey))

export const entriesOf = (count: number, name = 'entry'): Entry[] =>
  Array.from({ length: count }, (_, at) => ({ kind: 'task', id: sha256(`${name} ${at}`) }))

/** What outlives a process: store, disk, a witness elsewhere, and what others were promised or shown. */
export interface World {
  store: Store
  disk: MemoryDisk
  witness: WitnessState | undefined
  /** Entry ids by the index that was promised; nobody heard of the others. */
  promised: (string | undefined)[]
  /** Every checkpoint that anybody outside got. */
  shown: string[]
}

export const createWorld = (): World => ({
  store: createMemoryStore(),
  disk: createMemoryDisk(),
  witness: undefined,
  promised: [],
  shown: [],
})

export interface Log {
  ledger: Ledger
  sequencer: Sequencer
  failures: PytiError[]
  commit(...calls: Entry[][]): Promise<void>
}

/** A witness by the rules (C2SP tlog-witness): refuses what does not continue what it has seen. */
export function askWitness(world: World): NonNullable<SequencerOptions['cosign']> {
  return async (note, proveFrom) => {
    world.shown.push(note)
    const oldSize = world.witness?.size ?? 0
    const request = formatRequest({ oldSize, proof: await proveFrom(oldSize), note })
    const answer = await respond(world.witness, request, { log: logVkey, signer: witnessSigner, time: 1 })
    assert.equal(answer.status, 200, answer.body)
    world.witness = answer.next
    return addSignature(note, answer.body)
  }
}

/** A process that has just started on what the world holds. */
export async function openLog(
  world: World,
  crash: Crash = createCrash(),
  options: Partial<SequencerOptions> = {},
): Promise<Log> {
  const store = powerStore(world.store, crash)
  const ledger = createLedger({ store })
  await ledger.load()
  const failures: PytiError[] = []
  const sequencer = createSequencer({
    store,
    ledger,
    files: await openTileFiles('/log', world.disk),
    signer: logSigner,
    cosign: askWitness(world),
    onFailure: error => failures.push(error),
    ...options,
  })
  await sequencer.load()
  return {
    ledger,
    sequencer,
    failures,
    async commit(...calls) {
      await Promise.all(
        calls.map(async entries => {
          const index = await ledger.commit([], entries)
          for (const [offset, { id }] of entries.entries()) world.promised[index + offset] = id
        }),
      )
    },
  }
}

/** Commits entries up to that many leaves, and publishes. */
export async function growTo({ ledger, sequencer, commit }: Log, size: number): Promise<void> {
  await commit(entriesOf(size).slice(ledger.size()))
  await sequencer.request()
}

/** Looks at the log folder as a stranger would: with nothing but the keys of the log and its witness. */
export async function audit(world: World): Promise<{ size: number; entries: string[] }> {
  const readFile = async (path: string) => world.disk.read(`/log/${path}`)
  const note = Buffer.from((await readFile('checkpoint')) ?? assert.fail('no checkpoint')).toString()
  const { checkpoint, witnesses } = await openCheckpoint(note, logVkey, [witnessVkey])
  assert.equal(witnesses.length, 1)
  const { size, root } = checkpoint
  const read = tileReader(size, root, async path => (await readFile(path)) ?? assert.fail(`no ${path}`))
  const entries: string[] = []
  for (let index = 0; index * tileWidth < size; index += 1) {
    const width = Math.min(tileWidth, size - index * tileWidth)
    const bytes = (await readFile(entriesPath(index, width))) ?? assert.fail(`no bundle ${index}`)
    const opened = await openBundle({ level: 'entries', index, width }, bytes, read)
    entries.push(...opened.map(entry => Buffer.from(entry).toString()))
  }
  for (const shown of world.shown) {
    const { checkpoint: head } = await openCheckpoint(shown, logVkey)
    assert.ok(head.size <= size, `a checkpoint of ${head.size} leaves was shown`)
    assert.deepEqual(await rootAt(head.size, read), head.root)
  }
  for (const [index, id] of world.promised.entries())
    if (id !== undefined) assert.equal(entries[index]?.split('\n')[2], id)
  return { size, entries }
}

/** The stranger's view and the store's are the same. */
export async function auditWhole(world: World, { ledger, sequencer }: Log): Promise<void> {
  const { size, entries } = await audit(world)
  const leaves = await collect(ledger.entries(0, ledger.size()))
  assert.equal(size, ledger.size())
  assert.deepEqual(
    entries,
    leaves.map(bytes => Buffer.from(bytes).toString()),
  )
  const files = world.disk.files()
  for (const path of files) {
    const full = /^(.*)\.p\/\d+$/.exec(path)?.[1]
    assert.ok(full === undefined || !files.includes(full), `${path} was not removed`)
  }
  for (const index of new Set([0, size >> 1, size - 1]))
    if (index >= 0 && index < size) {
      const entry = leaves[index] ?? assert.fail()
      const proof = await openProof(await sequencer.proofFile(index), entry, logVkey, [witnessVkey])
      assert.deepEqual([proof.index, proof.checkpoint.size, proof.witnesses.length], [index, size, 1])
    }
}

export async function copyStore(store: Store): Promise<Store> {
  const copy = createMemoryStore()
  const entries = await collect(store.entries(''))
  await copy.batch(entries.map(([key, value]) => ({ type: 'put', key, value })))
  return copy
}
