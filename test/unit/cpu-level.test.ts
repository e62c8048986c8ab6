import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cpuLevelOf } from '../../src/sandbox/cpu-level.ts'

const v1 = 'fpu vme cx8 cmov mmx fxsr sse sse2 syscall nx lm'
const v2 = `${v1} pni ssse3 cx16 sse4_1 sse4_2 popcnt lahf_lm`
const v3 = `${v2} fma movbe xsave avx f16c abm bmi1 avx2 bmi2`
const v4 = `${v3} avx512f avx512dq avx512cd avx512bw avx512vl`
const cpuinfo = (...cpus: string[]) =>
  cpus
    .map((flags, at) => `processor\t: ${at}\nvendor_id\t: X\nflags\t\t: ${flags}\nvmx flags\t: ept\n`)
    .join('\n')

test('the highest level all of whose flags are there', () => {
  for (const [flags, level] of [
    [v1, 'x86-64-v1'],
    [v2, 'x86-64-v2'],
    [v3, 'x86-64-v3'],
    [v4, 'x86-64-v4'],
    // A level without the one below it is none.
    [v4.replace(' avx2', ''), 'x86-64-v2'],
    [v3.replace(' pni', ''), 'x86-64-v1'],
    [v1.replace(' lm', ''), 'unknown'],
    ['', 'unknown'],
  ] as const)
    assert.equal(cpuLevelOf(cpuinfo(flags)), level)
})

test('the slowest of several CPUs counts', () => {
  assert.equal(cpuLevelOf(cpuinfo(v4, v2, v3)), 'x86-64-v2')
})

test('other processors, and no text at all, are unknown', () => {
  for (const text of ['', 'processor\t: 0\nFeatures\t: fp asimd evtstrm aes\n', `model name\t: ${v3}\n`])
    assert.equal(cpuLevelOf(text), 'unknown')
})
