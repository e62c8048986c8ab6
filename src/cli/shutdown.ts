import { PytiError } from '../errors.ts'

/**
 * One signal for the whole command, aborted by Ctrl-C or a termination signal. A second Ctrl-C ends at once.
 * @param options.withStdin also when standard input ends: a child of `pyti test` must not outlive it
 */
export function shutdownSignal(options: { withStdin?: boolean } = {}): AbortSignal {
  const controller = new AbortController()
  const stop = (why: string) => () => {
    if (controller.signal.aborted && why === 'interrupted') process.exit(130)
    controller.abort(new PytiError('shutdown', why))
  }
  process.on('SIGINT', stop('interrupted'))
  process.on('SIGTERM', stop('terminated'))
  process.on('SIGHUP', stop('terminal closed'))
  if (options.withStdin) {
    process.stdin.on('end', stop('parent ended'))
    process.stdin.on('error', stop('parent ended'))
    process.stdin.resume()
  }
  return controller.signal
}

/** Resolves when the signal fires. */
export function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
