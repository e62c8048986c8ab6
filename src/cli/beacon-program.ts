import type { PublicBeacon } from '../coordinator/beacon.ts'
import { PytiError } from '../errors.ts'
import { run } from '../exec.ts'

/** The program's own name is what others know the value by; it gets no arguments and has 30 s. */
export function beaconFrom(file: string): PublicBeacon {
  return {
    source: file,
    async value() {
      const { exitCode, stdout, stderr } = await run({
        file,
        args: [],
        env: process.env,
        timeoutMs: 30_000,
        outputBytes: 10_000,
      })
      if (exitCode !== 0)
        throw new PytiError('beacon-failed', `${file} ended with ${exitCode}: ${stderr.slice(0, 300)}`, {
          hint: 'seats are drawn as soon as it prints a value again',
        })
      return stdout
    },
  }
}
