import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'

/**
 * Numbers of the CPUs this process may run on: in a container or under a batch system they need not begin with 0
 * (`Cpus_allowed_list`, proc_pid_status(5)).
 */
export function allowedCpus(read = () => readFileSync('/proc/self/status', 'utf8')): number[] {
  try {
    const list = /^Cpus_allowed_list:\s*(\d+(?:[,-]\d+)*)$/m.exec(read())?.[1]
    const cpus = list?.split(',').flatMap(part => {
      const [first = 0, last = first] = part.split('-').map(Number)
      return Array.from({ length: last - first + 1 }, (_, at) => first + at)
    })
    if (cpus) return cpus
  } catch {
    // Not Linux, or /proc is hidden.
  }
  return Array.from({ length: availableParallelism() }, (_, cpu) => cpu)
}
