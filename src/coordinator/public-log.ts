import type { Signer } from '../attest/dsse.ts'
import { leafHash } from '../attest/log/merkle.ts'
import { formatVkey, signNote } from '../attest/log/note.ts'
import { formatReceipt } from '../attest/log/receipt.ts'
import type { Clock } from '../clock.ts'
import { messageOf, PytiError } from '../errors.ts'
import type { Logger } from '../logger.ts'
import { CommandError } from '../net/command-error.ts'
import { peerIdFromPublicKey } from '../peer-id.ts'
import type { Store } from '../store/store.ts'
import type { TileFiles } from '../store/tile-files.ts'
import { toBase64, toHex } from '../wire/bytes.ts'
import { canonicalBytes } from '../wire/canonical.ts'
import type { CommandReply } from '../wire/commands.ts'
import type { CoordinatorConfig } from './config.ts'
import type { Ledger } from './ledger.ts'
import { documentFrom } from './log-documents.ts'
import type { Records } from './records.ts'
import { createSequencer, type Sequencer, type SequencerOptions } from './sequencer.ts'

/** The log as the rest of the coordinator uses it: promises, proofs, and files that anybody may read. */
export interface PublicLog {
  /** Name of the log, and its key as a C2SP vkey. */
  readonly origin: string
  readonly key: string
  readonly ledger: Ledger
  readonly sequencer: Sequencer
  load(): Promise<void>
  /** Brings the published log up to what is committed; resolves when it is. */
  settle(): Promise<void>
  /** The promise to hold an attestation that is committed: a signed note. */
  receipt(attestation: string): Promise<string>
  head(size: number): Promise<CommandReply<'log-head'>>
  /** `.tlog-proof` of an attestation. @throws CommandError `NOT_FOUND` */
  proof(attestation: string): Promise<string>
  /** Of several, all under one checkpoint. */
  proofs(attestations: readonly string[]): Promise<string[]>
}

/** What the log with this key is called: its name is part of all it signs. */
export function logNameOf(publicKey: Uint8Array): string {
  return `pyti.example/log/${peerIdFromPublicKey(publicKey)}`
}

export interface PublicLogOptions {
  store: Store
  ledger: Ledger
  records: Records
  files: TileFiles
  /** The log's own key, which signs nothing else. */
  signer: Signer
  origin: string
  clock: Clock
  log: Logger
  config: Pick<CoordinatorConfig, 'mergeMs'>
  cosign?: SequencerOptions['cosign']
  onFailure(error: unknown): void
}

export function createPublicLog(options: PublicLogOptions): PublicLog {
  const { store, ledger, files, origin, clock, config } = options
  const signer = {
    name: origin,
    publicKey: options.signer.publicKey,
    sign: (bytes: Uint8Array) => options.signer.sign(bytes),
  }
  const { cosign, onFailure } = options
  const sequencer = createSequencer({ store, ledger, files, signer, onFailure, ...(cosign && { cosign }) })

  const indexOf = async (attestation: string): Promise<number> => {
    const index = await ledger.find(attestation)
    if (index === undefined) throw new CommandError('NOT_FOUND', `the log does not hold ${attestation}`)
    return index
  }

  const proof = async (attestation: string): Promise<string> => {
    const index = await indexOf(attestation)
    if (index >= sequencer.size()) throw new CommandError('NOT_FOUND', 'no checkpoint covers it yet')
    return sequencer.proofFile(index)
  }

  return {
    origin,
    key: formatVkey(origin, 1, signer.publicKey),
    ledger,
    sequencer,
    load: () => sequencer.load(),
    async settle() {
      await sequencer.request()
      await showDocuments(options)
    },
    async receipt(attestation) {
      const index = await indexOf(attestation)
      const seconds = Math.floor(clock.now() / 1_000)
      for await (const entry of ledger.entries(index, index + 1))
        return signNote(
          formatReceipt({
            origin,
            attestation,
            leafHash: toHex(leafHash(entry)),
            issued: seconds,
            mergeBy: seconds + Math.ceil(config.mergeMs / 1_000),
          }),
          signer,
        )
      throw new PytiError('store-damaged', `leaf ${index} of the log is not there`)
    },
    async head(size) {
      if (sequencer.checkpoint() === undefined) throw new CommandError('NOT_FOUND', 'the log is still empty')
      if (size > sequencer.size())
        throw new CommandError('CONFLICT', `the log has ${sequencer.size()} leaves and never had ${size}`)
      const { checkpoint, hashes } = await sequencer.consistency(size)
      return { checkpoint, proof: hashes.map(toBase64) }
    },
    proof,
    async proofs(attestations) {
      for (;;) {
        const head = sequencer.checkpoint()
        const texts: string[] = []
        for (const attestation of attestations) texts.push(await proof(attestation))
        // A checkpoint may have been published in between.
        if (sequencer.checkpoint() === head) return texts
      }
    },
  }
}

/** Puts documents and attestations that may be seen by now into the folder that anybody may read. */
async function showDocuments({ ledger, records, files, log }: PublicLogOptions): Promise<void> {
  const shown: string[] = []
  for await (const [id] of records.outbox.entries({ limit: 1_000 })) {
    const attested = await records.attestations.get(id)
    const content = attested ? attested.envelope : await documentFrom(records, id)
    await files.writeDocument(id, canonicalBytes(content))
    shown.push(id)
  }
  if (shown.length === 0) return
  await ledger
    .commit(
      shown.map(id => records.outbox.remove(id)),
      [],
    )
    .catch(error => log.warn('documents will be shown again', { error: messageOf(error) }))
}
