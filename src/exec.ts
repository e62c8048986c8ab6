import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { PytiError } from './errors.ts'

export interface CommandResult {
  stdout: string
  /** Last lines of standard error. */
  stderrTail: string
}

const graceMs = 5_000

/**
 * Runs a trusted host tool, never a shell string.
 * @param options.onLine each line of standard error, for progress
 * @param options.maxStdoutBytes @default 64 MiB
 * @throws PytiError `command-missing` | `command-failed` | `command-timeout`
 */
export async function runCommand(
  argv: readonly [string, ...string[]],
  options: {
    cwd?: string
    env?: Record<string, string | undefined>
    signal?: AbortSignal
    timeoutMs?: number
    onLine?: (line: string) => void
    maxStdoutBytes?: number
  } = {},
): Promise<CommandResult> {
  const [command, ...args] = argv
  const deadline = AbortSignal.timeout(options.timeoutMs ?? 3_600_000)
  const signal = options.signal ? AbortSignal.any([options.signal, deadline]) : deadline
  signal.throwIfAborted()
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: options.env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  // Asked first: tools like mmdebstrap clean up behind themselves.
  const stop = () => {
    child.kill('SIGTERM')
    setTimeout(() => child.kill('SIGKILL'), graceMs).unref()
  }
  signal.addEventListener('abort', stop, { once: true })
  const out: Buffer[] = []
  let size = 0
  const cap = options.maxStdoutBytes ?? 64 * 1024 * 1024
  child.stdout.on('data', (chunk: Buffer) => {
    size += chunk.length
    if (size > cap) child.kill('SIGKILL')
    else out.push(chunk)
  })
  const tail: string[] = []
  createInterface({ input: child.stderr }).on('line', line => {
    tail.push(line)
    if (tail.length > 40) tail.shift()
    options.onLine?.(line)
  })
  const [code, killedBy] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
    child.once('error', cause => {
      reject(new PytiError('command-missing', `cannot start ${command}: ${cause.message}`, { cause }))
    })
    child.once('close', (...ended) => resolve(ended))
  }).finally(() => signal.removeEventListener('abort', stop))
  options.signal?.throwIfAborted()
  if (deadline.aborted)
    throw new PytiError('command-timeout', `${command} did not end within ${options.timeoutMs} ms`)
  const stderrTail = tail.join('\n')
  if (code !== 0)
    throw new PytiError(
      'command-failed',
      `${command} ended with ${killedBy ?? `exit code ${code}`}: ${tail.slice(-3).join(' | ')}`,
      {
        details: { argv, code, stderr: stderrTail },
      },
    )
  return { stdout: Buffer.concat(out).toString(), stderrTail }
}
