import { z } from 'zod'
import { formatVkey, type NoteSigner, type Vkey } from '../attest/log/note.ts'
import { respond, type WitnessResponse, type WitnessState } from '../attest/log/witness.ts'
import type { Clock } from '../clock.ts'
import { PytiError } from '../errors.ts'
import { createRepository, sortable } from '../store/repository.ts'
import type { Store } from '../store/store.ts'
import { fromBase64, toBase64, toHex } from '../wire/bytes.ts'
import { sha256 } from '../wire/canonical.ts'

/** Cosigns what continues all it has seen of a log, and nothing else, whatever happens to its process. */
export interface Witness {
  /** Its own key, as a C2SP vkey. */
  readonly key: string
  /** Answers `add-checkpoint` (C2SP tlog-witness). Throws what the store throws: then nothing was cosigned. */
  addCheckpoint(body: string): Promise<{ status: WitnessResponse['status']; body: string }>
  /** Every checkpoint it cosigned, the smallest first: what shows that a log picked among them. */
  history(origin: string): AsyncIterable<Cosigned>
}

export interface WitnessOptions {
  store: Store
  /** A key for cosignatures only; its name is kept, as the key must never go by another. */
  signer: NoteSigner
  /** Key of the log of that name, if it is one to witness. */
  logOf(origin: string): Vkey | undefined
  clock: Pick<Clock, 'now'>
  onCosigned?: (told: { origin: string; size: number; time: number }) => void
}

const Cosigned = z.strictObject({
  size: z.int().min(0),
  root: z.base64(),
  /** As the log signed it. */
  note: z.string(),
  /** Seconds since 1970. */
  time: z.int().min(0),
  line: z.string(),
})
export type Cosigned = z.infer<typeof Cosigned>

/**
 * Opens the witness on its store, which no other process may have open.
 * @throws PytiError `witness-renamed` | `store-damaged`
 */
export async function openWitness(options: WitnessOptions): Promise<Witness> {
  const { store, signer, logOf, clock, onCosigned } = options
  const names = createRepository(store, 'witness/name/', z.string())
  const heads = createRepository(store, 'witness/head/', Cosigned)
  const past = createRepository(store, 'witness/past/', Cosigned)
  const turns = new Map<string, Promise<unknown>>()

  const keyId = toHex(signer.publicKey)
  const name = await names.get(keyId)
  if (name === undefined) await store.batch([names.put(keyId, signer.name)])
  else if (name !== signer.name)
    throw new PytiError(
      'witness-renamed',
      `this witness is ${name}: its key can never sign as ${signer.name}`,
      {
        hint: `start it with --name ${name}, or with another data folder`,
      },
    )

  const answer = async (log: Vkey, body: string) => {
    const id = sha256(log.name)
    const head = await heads.get(id)
    const time = Math.floor(clock.now() / 1_000)
    const { status, body: said, next } = await respond(head && stateOf(head), body, { log, signer, time })
    if (next === undefined) return { status, body: said }
    // One cosignature for one checkpoint: with a choice of several, a log could pick the draw that follows from it.
    if (head?.size === next.size) return { status, body: head.line }
    const { size, root, note } = next
    const cosigned = { size, root: toBase64(root), note, time, line: said }
    await store.batch([heads.put(id, cosigned), past.put(`${id}/${sortable(size)}`, cosigned)])
    onCosigned?.({ origin: log.name, size, time })
    return { status, body: said }
  }

  return {
    key: formatVkey(signer.name, 4, signer.publicKey),
    async addCheckpoint(body) {
      const origin = originOf(body)
      if (origin === undefined) return { status: 400, body: 'the request does not have the form of one\n' }
      const log = logOf(origin)
      if (log === undefined) return { status: 404, body: 'this witness does not know that log\n' }
      // Nothing comes between what is compared and what is stored.
      const done = (turns.get(log.name) ?? Promise.resolve()).then(() => answer(log, body))
      turns.set(
        log.name,
        done.catch(() => undefined),
      )
      return done
    },
    async *history(origin) {
      for await (const [, cosigned] of past.entries({ under: `${sha256(origin)}/` })) yield cosigned
    },
  }
}

/** First line of the checkpoint in a request; the rest is checked against the log of that name. */
function originOf(body: string): string | undefined {
  return /^old [^\n]*\n(?:[^\n]+\n)*\n([^\n]+)\n/.exec(body.slice(0, 10_000))?.[1]
}

function stateOf({ size, root, note }: Cosigned): WitnessState {
  const bytes = fromBase64(root)
  if (bytes) return { size, root: bytes, note }
  throw new PytiError('store-damaged', 'the stored root of a log is not base64', {
    hint: 'a witness that lost its memory must start anew, with another key',
  })
}
