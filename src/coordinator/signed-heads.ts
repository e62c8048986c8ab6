import { z } from 'zod'
import { createRepository } from '../store/repository.ts'
import type { Store } from '../store/store.ts'
import type { Ledger } from './ledger.ts'
import { forked } from './log-faults.ts'

const SignedHead = z.strictObject({
  /** Checkpoint as the log signed it, without witnesses. */
  note: z.string(),
  /** Leaves under the checkpoint that was published then: partial tiles before it are gone. */
  published: z.int().min(0),
})
export type SignedHead = z.infer<typeof SignedHead>

/** The last signed checkpoint in the store: it is there before anybody else sees it. */
export interface SignedHeads {
  read(): Promise<SignedHead | undefined>
  /**
   * Compare and swap: durable when the promise resolves.
   * @param before note that must be there now
   * @throws PytiError `log-forked` when another one is there | `store-failed`
   */
  replace(before: string | undefined, after: SignedHead): Promise<void>
  /** Keeps a checkpoint that contradicts this log, so that a restart does not forget it. */
  keepContradiction(note: string): Promise<void>
  contradiction(): Promise<string | undefined>
}

export function openSignedHeads(store: Store, ledger: Ledger): SignedHeads {
  const signed = createRepository(store, 'log/signed/', SignedHead)
  const contradictions = createRepository(store, 'log/contradiction/', z.string())
  return {
    read: () => signed.get('last'),
    async replace(before, after) {
      const check = async () => {
        const found = await signed.get('last')
        if (found?.note !== before) throw forked('another program signed a checkpoint meanwhile')
      }
      await ledger.commit([signed.put('last', after)], [], { check })
    },
    async keepContradiction(note) {
      await ledger.commit([contradictions.put('first', note)], [])
    },
    contradiction: () => contradictions.get('first'),
  }
}
