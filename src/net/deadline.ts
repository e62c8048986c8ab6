import type { Clock } from '../clock.ts'
import { PytiError } from '../errors.ts'

/**
 * Runs `work` with a signal that fires after `ms` or with the caller's own signal, and settles then even when `work`
 * ignores it. The rejection is always the reason of the signal, never what `work` made of it.
 * @throws PytiError `timeout`
 */
export async function withDeadline<T>(
  clock: Clock,
  limit: { ms: number; what: string; signal?: AbortSignal | undefined },
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  limit.signal?.throwIfAborted()
  const controller = new AbortController()
  const timer = new AbortController()
  const expired = Promise.withResolvers<never>()
  controller.signal.addEventListener('abort', () => expired.reject(controller.signal.reason), { once: true })
  const follow = () => controller.abort(limit.signal?.reason)
  limit.signal?.addEventListener('abort', follow, { once: true })
  clock.sleep(limit.ms, timer.signal).then(
    () => controller.abort(new PytiError('timeout', `${limit.what} took longer than ${limit.ms} ms`)),
    () => {},
  )
  try {
    return await Promise.race([work(controller.signal), expired.promise])
  } catch (error) {
    throw controller.signal.aborted ? controller.signal.reason : error
  } finally {
    timer.abort()
    limit.signal?.removeEventListener('abort', follow)
  }
}
