import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { onEveryBackend } from '../helpers/hostile-backends.ts'
import { assertPoweredOff, runPackage, wheelOf } from '../helpers/hostile-package.ts'

/** Enough that a fault of one in a hundred is nearly always met. */
const howMany = { uml: 200, tcg: 50, kvm: 200 }
const atOnce = 2

onEveryBackend('many VMs, one after another', (arena, test) => {
  const count = howMany[arena.backend]
  test(`${count} VMs, ${atOnce} at a time: no fault, and nothing left`, async context => {
    const before = await hostProcesses()
    const wheel = wheelOf('evil', { 'evil.py': '' })
    let started = 0
    let unclean = 0
    const began = performance.now()
    const worker = async () => {
      while (started < count) {
        started++
        const { exit } = await runPackage(arena, wheel, { tasks: [] })
        assertPoweredOff(exit)
        if (exit.kind !== 'clean') unclean++
      }
    }
    await Promise.all(Array.from({ length: atOnce }, worker))
    const seconds = (performance.now() - began) / 1000
    context.diagnostic(
      `${arena.backend}: ${started} VMs in ${seconds.toFixed(1)} s, ${unclean} of them aborted after their power-off`,
    )
    const after = await hostProcesses()
    // Each VM's own are looked for one by one; this is for what nobody thought of.
    assert.ok(after < before + count / 4, `${before} processes on the host before, ${after} after`)
  }, 900_000)
})

async function hostProcesses(): Promise<number> {
  return (await readdir('/proc')).filter(name => /^\d+$/.test(name)).length
}
