import { PytiError } from '../errors.ts'
import type { Probe } from '../sandbox/backends.ts'
import type { Driver } from '../sandbox/vm.ts'
import type { Backend } from '../wire/job.ts'

/**
 * Every backend that boots here, in order of preference.
 * @param drivers in order of preference
 * @param options.only leaves out all others
 * @throws PytiError `vm-unavailable` with the reason of each when none boots
 */
export async function offeredDrivers(
  drivers: readonly Driver[],
  options: {
    probe: (driver: Driver) => Promise<Probe>
    only?: readonly Backend[] | undefined
    onFailure?: (probe: Probe) => void
  },
): Promise<Driver[]> {
  const { probe, only } = options
  const offered: Driver[] = []
  const reasons: string[] = []
  for (const driver of drivers) {
    if (only && !only.includes(driver.backend)) continue
    const result = await probe(driver)
    if (result.works) offered.push(driver)
    else {
      reasons.push(`${driver.backend}: ${result.detail}`)
      options.onFailure?.(result)
    }
  }
  if (offered.length > 0) return offered
  throw new PytiError('vm-unavailable', `no VM backend works on this machine (${reasons.join('; ')})`, {
    hint: 'run `pyti doctor` for what is missing and how to install it',
  })
}
