import { spawn } from 'node:child_process'
import { kill } from 'node:process'
import { PytiError } from '../errors.ts'

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
}

export interface Ended {
  exitCode: number | null
  stdout: string
  stderr: string
}

/**
 * Runs a program to its end; its whole process group is killed at the time limit, the output limit or the signal.
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
    const fail = (error: unknown) => {
      failure ??= error
      if (child.pid !== undefined) killGroup(child.pid)
    }
    const timer = setTimeout(
      () => fail(new PytiError('program-timeout', `${file} took longer than ${options.timeoutMs} ms`)),
      options.timeoutMs,
    )
    const onAbort = () => fail(signal?.reason)
    signal?.addEventListener('abort', onAbort, { once: true })
    const settle = () => {
      clearTimeout(timer)
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

function killGroup(pid: number): void {
  try {
    kill(-pid, 'SIGKILL')
  } catch {
    // The group is gone already.
  }
}
