import { env } from 'node:process'
import { messageOf } from '../../src/errors.ts'
import { type Ended, run } from '../../src/exec.ts'
import { findPython } from '../../src/pypi/pip.ts'

/** Runs a program of this machine in its own environment, with `env` on top. */
export function runHost(
  file: string,
  args: string[],
  options: { cwd?: string; env?: Record<string, string>; input?: string; timeoutMs?: number } = {},
): Promise<Ended> {
  const { cwd, input } = options
  return run({
    file,
    args,
    env: { ...env, ...options.env },
    ...(cwd === undefined ? {} : { cwd }),
    ...(input === undefined ? {} : { input }),
    timeoutMs: options.timeoutMs ?? 60_000,
    outputBytes: 8 * 1024 * 1024,
  })
}

/** False, or why tests that need a program are skipped. */
export async function lacks(file: string, args: string[], wanted: RegExp): Promise<string | false> {
  try {
    const { stdout, stderr } = await runHost(file, args)
    return wanted.test(stdout + stderr) ? false : `${file} is not what is wanted: ${stdout}${stderr}`
  } catch (error) {
    return messageOf(error)
  }
}

export const lacksOpenssl = () => lacks('openssl', ['version'], /^OpenSSL (?:[3-9]|\d\d)\./)

/** Path of the system's Python, or why there is none. */
export async function hostPython(): Promise<{ path: string; reason: string | false }> {
  try {
    return { path: await findPython(env), reason: false }
  } catch (error) {
    return { path: '', reason: messageOf(error) }
  }
}
