import assert from 'node:assert/strict'
import type { SimShape } from './sim-people.ts'
import type { SimResult } from './sim-world.ts'

/** Worlds that are simulated, by the name under which a seed is replayed. */
export const shapes = {
  open: { weighed: false, volunteers: 16, jobs: 4, minutes: 4 },
  owners: { weighed: false, owners: true, volunteers: 16, jobs: 6, minutes: 4 },
  weighed: { weighed: true, volunteers: 28, jobs: 4, minutes: 4 },
  ringed: { weighed: true, ring: 4, again: 0.5, volunteers: 22, jobs: 8, minutes: 6 },
  sampled: { weighed: true, sampled: true, volunteers: 28, jobs: 5, minutes: 6 },
  unmasked: { weighed: true, sampled: true, ring: 8, volunteers: 24, jobs: 6, minutes: 6 },
  witnessed: { weighed: true, witnessed: true, volunteers: 24, jobs: 4, minutes: 8 },
  'large-open': { weighed: false, volunteers: 100, jobs: 8, minutes: 5 },
  'large-weighed': { weighed: true, volunteers: 100, jobs: 8, minutes: 5 },
  'large-watched': { weighed: true, sampled: true, witnessed: true, volunteers: 100, jobs: 8, minutes: 6 },
} as const satisfies Record<string, SimShape>

/** `PYTI_SIM_SEED=n` replays one seed in every world. */
export const askedFor =
  process.env.PYTI_SIM_SEED === undefined ? undefined : Number(process.env.PYTI_SIM_SEED)

/** With `PYTI_SIM_TRACE=1`, every event as a line. */
export function showTrace(line: string): void {
  if (process.env.PYTI_SIM_TRACE) process.stdout.write(`${line}\n`)
}

/** What there is to know of a run that went wrong: shrink by seed only. */
export function report(name: string, { seed, steps, hash, faults, last }: SimResult): string {
  return [
    `world ${name}, seed ${seed}, step ${steps}, trace ${hash}`,
    ...faults.slice(0, 10).map(fault => `  ${fault}`),
    'the last events:',
    ...last.map(line => `  ${line}`),
    `replay: PYTI_SIM_SEED=${seed} PYTI_SIM_TRACE=1 node --test test/sim/simulation.test.ts`,
  ].join('\n')
}

export function sound(name: string, result: SimResult): void {
  assert.equal(result.faults.length, 0, report(name, result))
}
