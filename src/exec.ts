import { spawn } from 'node:child_process'
import { kill } from 'node:process'
import { createInterface } from 'node:readline'
import { PytiError } from './errors.ts'
import { diskTroubleIn } from './host-disk.ts'

export interface RunOptions {
  file: string
  args: string[]
  /** The whole environment: nothing is inherited. */
  env: Record<string, string | undefined>
  cwd?: string
  input?: string
  timeoutMs: number
  /** Ceiling on each of stdout and stderr. */
  outputBytes: number
  signal?: AbortSignal
  /** Each line of standard error as it comes, for progress. */
  onLine?: (line: string) => void
}

export interface Ended {
  exitCode: number | null
  stdout: string
  stderr: string
}

const graceMs = 5_000

/**
 * Runs a trusted host tool to its end, never through a shell. At the time limit, the output limit or the signal its whole
 * process group is asked to end, so that tools like mmdebstrap clean up behind themselves, and killed 5 s later.
 * @throws PytiError `program-missing` | `program-timeout` | `program-output`, or the signal's reason
 */
export function run(options: RunOptions): Promise<Ended> {
  const { file, signal } = options
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const child = spawn(file, options.args, {
      env: options.env,
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    })
    let failure: unknown
    let lastResort: NodeJS.Timeout | undefined
    const fail = (error: unknown) => {
      const { pid } = child
      if (failure !== undefined || pid === undefined) return
      failure = error
      signalGroup(pid, 'SIGTERM')
      lastResort = setTimeout(() => signalGroup(pid, 'SIGKILL'), graceMs)
    }
    const timer = setTimeout(
      () => fail(new PytiError('program-timeout', `${file} took longer than ${options.timeoutMs} ms`)),
      options.timeoutMs,
    )
    const onAbort = () => fail(signal?.reason)
    signal?.addEventListener('abort', onAbort, { once: true })
    const settle = () => {
      clearTimeout(timer)
      clearTimeout(lastResort)
      signal?.removeEventListener('abort', onAbort)
    }
    const collect = (stream: NodeJS.ReadableStream) => {
      const chunks: Buffer[] = []
      let size = 0
      stream.on('data', (chunk: Buffer) => {
        size += chunk.length
        if (size <= options.outputBytes) chunks.push(chunk)
        else fail(new PytiError('program-output', `${file} printed more than ${options.outputBytes} bytes`))
      })
      return () => Buffer.concat(chunks).toString('utf8')
    }
    const stdout = collect(child.stdout)
    const stderr = collect(child.stderr)
    if (options.onLine) createInterface({ input: child.stderr }).on('line', options.onLine)
    child.on('error', cause => {
      settle()
      reject(new PytiError('program-missing', `cannot run ${file}`, { cause }))
    })
    child.on('close', exitCode => {
      settle()
      if (failure !== undefined) return reject(failure)
      resolve({ exitCode, stdout: stdout(), stderr: stderr() })
    })
    // The program may end without reading its input.
    child.stdin.on('error', () => {})
    child.stdin.end(options.input ?? '')
  })
}

const toolPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
const MiB = 1024 * 1024

/**
 * `run` for tools whose failure is an error.
 * @returns standard output
 * @throws PytiError `command-failed` | `host-out-of-disk` | `host-disk-unusable`, and as `run`
 */
export async function runCommand(
  argv: readonly [string, ...string[]],
  options: Partial<Omit<RunOptions, 'file' | 'args'>> = {},
): Promise<string> {
  const [file, ...args] = argv
  const { exitCode, stdout, stderr } = await run({
    env: { PATH: toolPath, LANG: 'C.UTF-8' },
    timeoutMs: 3_600_000,
    outputBytes: 64 * MiB,
    ...options,
    file,
    args,
  })
  if (exitCode === 0) return stdout
  const last = stderr.trimEnd().split('\n').slice(-3).join(' | ')
  const failure = new PytiError('command-failed', `${file} ended with exit code ${exitCode}: ${last}`, {
    details: { argv, exitCode, stderr: stderr.slice(-8_000) },
  })
  throw diskTroubleIn(stderr, failure) ?? failure
}

function signalGroup(pid: number, name: 'SIGTERM' | 'SIGKILL'): void {
  try {
    kill(-pid, name)
  } catch {
    // The group is gone already.
  }
}
