import { setTimeout as wait } from 'node:timers/promises'
import { sha256 } from '../wire/canonical.ts'
import { takeName } from './machine-lock.ts'

const retryMs = 200

/**
 * Waits until no other process of this machine builds the same template.
 * @returns a function that gives it back; undefined when it was not to be had in time
 */
export async function lockTemplate(
  name: string,
  waitMs: number,
  signal?: AbortSignal,
): Promise<(() => Promise<void>) | undefined> {
  const lock = `template-${sha256(Buffer.from(name)).slice(0, 40)}`
  const deadline = performance.now() + waitMs
  for (;;) {
    signal?.throwIfAborted()
    const unlock = await takeName(lock)
    if (unlock || performance.now() > deadline) return unlock
    await wait(retryMs, undefined, { ...(signal && { signal }) })
  }
}
