import { formatCheckpoint, openCheckpoint } from '../attest/log/checkpoint.ts'
import { consistencyProof, rootAt, verifyConsistency } from '../attest/log/merkle.ts'
import { formatVkey, type NoteSigner, parseVkey, signNote } from '../attest/log/note.ts'
import { isCode, messageOf, PytiError } from '../errors.ts'
import type { Store } from '../store/store.ts'
import type { TileFiles } from '../store/tile-files.ts'
import type { Ledger } from './ledger.ts'
import { forked, isContradiction, rolledBack } from './log-faults.ts'
import { createLogProofs, type Head, type LogProofs } from './log-proofs.ts'
import { openSignedHeads } from './signed-heads.ts'
import { createTileHashes } from './tile-hashes.ts'
import { removePartialTiles, writeTiles } from './tile-writer.ts'

/** Brings tiles and checkpoint up to the leaves in the store, and makes proofs from them. */
export interface Sequencer extends LogProofs {
  /**
   * After the ledger's `load`: takes up where an earlier process ended, whatever it had done by then.
   * @throws PytiError `log-forked` | `log-rolled-back` | `log-damaged` | `tile-changed`
   */
  load(): Promise<void>
  /**
   * Resolves when everything committed before the call is under a published checkpoint.
   * @throws PytiError `cosigning-failed`, after which it may be asked again; anything else ends the log's work for good
   */
  request(): Promise<void>
  /**
   * Somebody showed a checkpoint of this log. One that contradicts what is here stops the log, after a restart too.
   * @throws PytiError `bad-checkpoint` (not signed by this log) | `log-forked` | `log-rolled-back`
   */
  seen(note: string): Promise<void>
  /** The published checkpoint; undefined before the first one. */
  checkpoint(): string | undefined
  /** Leaves under the published checkpoint. */
  size(): number
}

export interface SequencerOptions {
  store: Store
  ledger: Ledger
  files: TileFiles
  /** The log's key; its name is the log's origin. */
  signer: NoteSigner
  /**
   * Adds signatures of witnesses to a signed checkpoint; limits its own time. `proveFrom` gives the consistency proof from the
   * size a witness is at.
   */
  cosign?(note: string, proveFrom: (oldSize: number) => Promise<Uint8Array[]>): Promise<string>
  /** Called once, when the log must not go on. */
  onFailure?(error: PytiError): void
}

export function createSequencer(options: SequencerOptions): Sequencer {
  const { store, ledger, files, signer, cosign = async note => note, onFailure } = options
  const vkey = parseVkey(formatVkey(signer.name, 1, signer.publicKey))
  const heads = openSignedHeads(store, ledger)
  const hashes = createTileHashes(files)
  let signed: Head | undefined
  let published: Head | undefined
  let loaded = false
  let failure: PytiError | undefined
  let running: Promise<void> | undefined
  let next: Promise<void> | undefined

  const open = async (note: string): Promise<Head> => {
    const { checkpoint } = await openCheckpoint(note, vkey)
    return { ...checkpoint, note }
  }
  const openOwn = (note: string, which: string): Promise<Head> =>
    open(note).catch(cause => {
      throw new PytiError('log-damaged', `the ${which} checkpoint is not one of ${signer.name} and its key`, {
        hint: 'use the key and the log folder that belong to the store, or put back a copy of them',
        cause,
      })
    })
  const halt = (error: unknown): PytiError => {
    if (failure) return failure
    failure = error instanceof PytiError ? error : logFailed(error)
    onFailure?.(failure)
    return failure
  }
  const demandSound = () => {
    if (!loaded) throw new PytiError('log-not-loaded', 'the log was not loaded yet')
    if (failure) throw failure
  }

  /** From the tiles as they are on disk now. @throws PytiError `log-forked` unless `size` leaves continue what was signed */
  const checkedRoot = async (size: number): Promise<Uint8Array> => {
    const read = createTileHashes(files).at(size)
    const newRoot = await rootAt(size, read)
    if (!signed) return newRoot
    const { size: oldSize, root: oldRoot } = signed
    const proof = await consistencyProof(oldSize, size, read)
    try {
      verifyConsistency({ oldSize, oldRoot, newSize: size, newRoot, proof })
    } catch (cause) {
      throw forked(`${size} leaves do not continue the ${oldSize} that were signed`, cause)
    }
    return newRoot
  }

  const compare = async (head: Head) => {
    const size = signed?.size ?? -1
    if (head.size > size) throw rolledBack(`a checkpoint of ${head.size} leaves was signed`, size)
    const root = await rootAt(head.size, hashes.at(Math.max(size, 0)))
    if (!sameHash(root, head.root)) throw forked(`another tree of ${head.size} leaves was signed`)
  }

  const sign = async (size: number) => {
    const written = await writeTiles(files, ledger, signed?.size ?? 0, size)
    await files.sync()
    const root = await checkedRoot(size)
    if (!sameHash(root, written)) throw forked(`the tiles on disk are not those of ${size} leaves`)
    const head = { origin: signer.name, size, root }
    const { note } = await open(await signNote(formatCheckpoint(head), signer))
    demandSound()
    await heads.replace(signed?.note, { note, published: published?.size ?? 0 })
    signed = { ...head, note }
  }

  const askWitnesses = async (head: Head): Promise<string> => {
    const proofs = createLogProofs(hashes, () => head)
    try {
      return await cosign(head.note, async oldSize => (await proofs.consistency(oldSize)).hashes)
    } catch (cause) {
      throw new PytiError('cosigning-failed', `the checkpoint could not be cosigned: ${messageOf(cause)}`, {
        hint: 'ask again; the signed checkpoint is kept',
        cause,
      })
    }
  }

  const publish = async (head: Head) => {
    const note = await askWitnesses(head)
    const cosigned = await open(note)
    if (cosigned.size !== head.size || !sameHash(cosigned.root, head.root))
      throw forked('what came back from the witnesses is another checkpoint')
    demandSound()
    await files.writeCheckpoint(note)
    const before = published?.size ?? 0
    published = cosigned
    await removePartialTiles(files, before, head.size)
  }

  const pass = async () => {
    demandSound()
    try {
      const size = ledger.size()
      if (!signed || signed.size < size) await sign(size)
      if (signed && published?.size !== signed.size) await publish(signed)
    } catch (error) {
      throw isCode(error, 'cosigning-failed') ? error : halt(error)
    }
  }

  const request = (): Promise<void> => {
    if (!running) {
      running = pass().finally(() => {
        running = undefined
      })
      return running
    }
    next ??= running
      .catch(() => undefined)
      .then(() => {
        next = undefined
        return request()
      })
    return next
  }

  const seen = async (note: string) => {
    const head = await open(note)
    demandSound()
    try {
      await compare(head)
    } catch (error) {
      if (!isContradiction(error)) throw error
      const told = halt(error)
      await heads.keepContradiction(note)
      throw told
    }
  }

  const load = async () => {
    const stored = await heads.read()
    signed = stored && (await openOwn(stored.note, 'last signed'))
    const file = await files.readCheckpoint()
    published = file === undefined ? undefined : await openOwn(file, 'published')
    if (signed && ledger.size() < signed.size)
      throw rolledBack(`a checkpoint of ${signed.size} leaves was signed`, ledger.size())
    if (signed) {
      await restoreTiles(signed)
      await checkedRoot(signed.size)
    }
    if (published) await compare(published)
    const contradiction = await heads.contradiction()
    if (contradiction !== undefined) await compare(await open(contradiction))
    if (stored && published) await removePartialTiles(files, stored.published, published.size)
  }

  /** The folder may be gone as a whole: everything in it but the cosignatures is in the store. */
  const restoreTiles = async (head: Head) => {
    try {
      await rootAt(head.size, createTileHashes(files).at(head.size))
    } catch (error) {
      if (!isCode(error, 'tile-missing')) throw error
      await writeTiles(files, ledger, 0, head.size)
      await files.sync()
    }
  }

  return {
    async load() {
      try {
        await load()
        loaded = true
      } catch (error) {
        failure = error instanceof PytiError ? error : logFailed(error)
        throw failure
      }
    },
    request,
    seen,
    checkpoint: () => published?.note,
    size: () => published?.size ?? 0,
    ...createLogProofs(hashes, () => published),
  }
}

function sameHash(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0
}

function logFailed(cause: unknown): PytiError {
  return new PytiError('log-failed', `the log folder could not be written: ${messageOf(cause)}`, {
    hint: 'check the disk, then restart the coordinator',
    cause,
  })
}
