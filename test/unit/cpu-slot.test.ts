import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { it } from 'node:test'
import { takeCpu, takeIdleCpu } from '../../src/sandbox/cpu-slot.ts'

// Numbers no machine has, so that real VMs beside this test are not held up.
const cpus = [900_001, 900_002]

it('two CPUs are given to two, the third waits for whichever comes free', async () => {
  const [one, two] = await Promise.all([takeCpu(cpus), takeCpu(cpus)])
  assert.deepEqual([one.cpu, two.cpu].sort(), cpus)
  const waiting = takeCpu(cpus)
  await two.release()
  const third = await waiting
  assert.equal(third.cpu, two.cpu)
  await Promise.all([one.release(), third.release()])
})

it('an abort ends the waiting', async () => {
  const only = await takeCpu([900_003])
  const stop = new AbortController()
  const waiting = takeCpu([900_003], stop.signal)
  stop.abort(new Error('enough'))
  await assert.rejects(waiting, /enough/)
  await only.release()
})

it('a killed process gives its CPU back', async () => {
  const module = join(import.meta.dirname, '../../src/sandbox/cpu-slot.ts')
  const code = `const { takeCpu } = await import(${JSON.stringify(module)}); await takeCpu([900004]); console.log('taken'); setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  const waiting = takeCpu([900_004])
  child.kill('SIGKILL')
  await (await waiting).release()
})

it('what can wait gets a CPU after those who waited for it, and gets it', async () => {
  const held = await takeCpu([900_005])
  const order: string[] = []
  const idle = takeIdleCpu([900_005]).then(slot => {
    order.push('idle')
    return slot
  })
  const job = takeCpu([900_005]).then(slot => {
    order.push('job')
    return slot
  })
  await held.release()
  await (await job).release()
  await (await idle).release()
  assert.deepEqual(order, ['job', 'idle'])
})
