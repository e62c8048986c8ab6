/** Flags that each level adds (x86-64 psABI), by the names Linux has for them. */
const levels: readonly [name: string, flags: readonly string[]][] = [
  ['x86-64-v1', ['lm', 'fpu', 'cmov', 'cx8', 'fxsr', 'mmx', 'syscall', 'sse', 'sse2']],
  ['x86-64-v2', ['cx16', 'lahf_lm', 'popcnt', 'pni', 'ssse3', 'sse4_1', 'sse4_2']],
  ['x86-64-v3', ['avx', 'avx2', 'bmi1', 'bmi2', 'f16c', 'fma', 'abm', 'movbe', 'xsave']],
  ['x86-64-v4', ['avx512f', 'avx512bw', 'avx512cd', 'avx512dq', 'avx512vl']],
]

/**
 * What package code may see of the processor where the VM does not hide it: the highest x86-64 level that all CPUs of the machine
 * have, from the text of /proc/cpuinfo. `unknown` for other processors.
 */
export function cpuLevelOf(cpuinfo: string): string {
  const cpus = [...cpuinfo.matchAll(/^flags\s*:(.*)$/gm)].map(match => new Set((match[1] ?? '').split(/\s+/)))
  let found = 'unknown'
  if (cpus.length === 0) return found
  for (const [name, flags] of levels) {
    if (!cpus.every(cpu => flags.every(flag => cpu.has(flag)))) return found
    found = name
  }
  return found
}
