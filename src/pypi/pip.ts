import { PytiError } from '../errors.ts'
import { run } from '../exec.ts'

/** What pip itself says, asked through `python3 -m pip`. Only its own code runs. */
export interface Pip {
  /** Raw `key='value'` lines of `pip config list`. */
  config(): Promise<string>
  downloadHelp(): Promise<string>
}

/** @param env passed on, as pip's settings live in it */
export function systemPip(env: Record<string, string | undefined>): Pip {
  const ask = async (...args: string[]) => {
    const ended = await run({
      file: 'python3',
      args: ['-m', 'pip', ...args],
      // pip wraps its help to the terminal's width: a wide one keeps the URL on one line.
      env: { ...env, COLUMNS: '300', PIP_DISABLE_PIP_VERSION_CHECK: '1', NO_COLOR: '1' },
      timeoutMs: 60_000,
      outputBytes: 1024 * 1024,
    })
    if (ended.exitCode !== 0) throw new Error(ended.stderr.trim().split('\n').at(-1) ?? 'pip failed')
    return ended.stdout
  }
  return { config: () => ask('config', 'list'), downloadHelp: () => ask('download', '--help') }
}

/**
 * Absolute path of the system's Python, which may hide behind a slow launcher script.
 * @throws PytiError `python-missing`
 */
export async function findPython(env: Record<string, string | undefined>): Promise<string> {
  try {
    const ended = await run({
      file: 'python3',
      args: ['-I', '-c', 'import sys; print(sys.executable)'],
      env,
      timeoutMs: 30_000,
      outputBytes: 64 * 1024,
    })
    const path = ended.stdout.trim()
    if (ended.exitCode === 0 && path.startsWith('/')) return path
  } catch (cause) {
    throw pythonMissing(cause)
  }
  throw pythonMissing()
}

export function pythonMissing(cause?: unknown): PytiError {
  return new PytiError('python-missing', 'there is no working python3', {
    hint: 'install python3: resolving needs an interpreter that describes itself; no package code is run with it',
    cause,
  })
}
