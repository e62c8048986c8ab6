import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { lockTemplate } from '../../src/sandbox/qemu-template-lock.ts'

const name = (of: string) => `test-${process.pid}-${of}`
const lockFile = join(import.meta.dirname, '../../src/sandbox/qemu-template-lock.ts')

describe('lock of a template', () => {
  it('one at a time; the next one gets it when it is given back', async () => {
    const first = await lockTemplate(name('turns'), 0)
    assert.ok(first)
    assert.equal(await lockTemplate(name('turns'), 0), undefined)
    const second = lockTemplate(name('turns'), 60_000)
    await first()
    const unlock = await second
    assert.ok(unlock)
    await unlock()
  })

  it('other templates are not concerned', async () => {
    const one = await lockTemplate(name('one'), 0)
    const two = await lockTemplate(name('two'), 0)
    assert.ok(one && two)
    await one()
    await two()
  })

  it('waiting ends with the signal', async () => {
    const first = await lockTemplate(name('signal'), 0)
    const stop = new AbortController()
    const second = lockTemplate(name('signal'), 60_000, stop.signal)
    stop.abort(new Error('enough'))
    await assert.rejects(second, error => error instanceof Error && /enough|aborted/.test(error.message))
    await first?.()
  })

  it('a killed process gives it back', async () => {
    const program = `
      import { lockTemplate } from '${lockFile}'
      const unlock = await lockTemplate('${name('killed')}', 0)
      console.log(unlock ? 'locked' : 'not locked')
      setInterval(() => {}, 1000)`
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [said] = await once(child.stdout, 'data')
    assert.equal(String(said).trim(), 'locked')
    assert.equal(await lockTemplate(name('killed'), 0), undefined)
    child.kill('SIGKILL')
    await once(child, 'exit')
    const unlock = await lockTemplate(name('killed'), 10_000)
    assert.ok(unlock)
    await unlock()
  })
})
