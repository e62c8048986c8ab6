import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Duplex } from 'node:stream'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { silentLogger } from '../../src/logger.ts'
import type { Image } from '../../src/sandbox/image/store.ts'
import { VmPool } from '../../src/sandbox/pool.ts'
import type { Driver, Exit, VmShape } from '../../src/sandbox/vm.ts'
import { frameTypes as types } from '../../src/wire/guest.ts'

/** No process has it: moving it to a CPU moves nobody. */
const noPid = 2 ** 22 + 1
/** A CPU of nobody else's tests: its name is all that is taken. */
const cpu = 9_001

function frame(type: number, value?: object): Buffer {
  const body = Buffer.from(value ? JSON.stringify(value) : '')
  const head = Buffer.alloc(5)
  head.writeUInt32BE(1 + body.length, 0)
  head.writeUInt8(type, 4)
  return Buffer.concat([head, body])
}

/** VMs that say HELLO and acknowledge everything. */
function fakeDriver() {
  const started: VmShape[] = []
  const alive = new Set<Duplex>()
  const heard: number[] = []
  const driver: Driver = {
    backend: 'uml',
    slowness: 1,
    missing: async () => undefined,
    async start(options) {
      started.push(options)
      const ended = Promise.withResolvers<Exit>()
      const channel = new Duplex({
        read() {},
        write(chunk: Buffer, _encoding, done) {
          heard.push(chunk[4] ?? 0)
          channel.push(frame(types.ack))
          done()
        },
        destroy(error, done) {
          alive.delete(channel)
          done(error)
        },
      })
      alive.add(channel)
      channel.push(frame(types.hello, { version: 1, kernel: '6', python: '3.13.5' }))
      const kill = () => {
        channel.destroy()
        ended.resolve({ kind: 'killed' })
        return ended.promise
      }
      return { backend: 'uml', pid: noPid, channel, exited: ended.promise, console: () => '', kill }
    },
  }
  return { driver, started, alive, heard }
}

describe('pool of waiting VMs', () => {
  let runDir: string
  beforeEach(async () => {
    runDir = await mkdtemp(join(tmpdir(), 'pyti-pool-'))
  })
  afterEach(() => rm(runDir, { recursive: true, force: true }))

  const shapeOf = (id: string): VmShape => ({ image: { id } as Image, memoryMiB: 1, diskMiB: 1 })
  const poolOf = (driver: Driver, size: number) =>
    new VmPool({ driver, size, cpus: [cpu], runDir, templates: runDir, log: silentLogger })
  /** Until the VM that is being started waits, another cannot have the only CPU. */
  const untilFilled = async (pool: VmPool, heard: number[]) => {
    while (!heard.includes(types.warm)) await new Promise(resolve => setImmediate(resolve))
    return pool
  }

  it('gives the waiting VM of the shape, once, and starts the next', async () => {
    const { driver, started, alive, heard } = fakeDriver()
    const pool = poolOf(driver, 1)
    const first = await pool.take(shapeOf('a'))
    assert.equal(first.warm, false)
    await first.ready.end()
    await first.release()
    await untilFilled(pool, heard)
    const second = await pool.take(shapeOf('a'))
    assert.equal(second.warm, true)
    assert.notEqual(second.ready, first.ready)
    await second.ready.end()
    await second.release()
    await pool.close()
    assert.equal(alive.size, 0)
    assert.ok(started.length >= 2)
    assert.deepEqual(await readdir(runDir), [])
  })

  it('a VM of another shape is ended, not given', async () => {
    const { driver, alive, heard } = fakeDriver()
    const pool = poolOf(driver, 1)
    pool.fill(shapeOf('a'))
    await untilFilled(pool, heard)
    const taken = await pool.take(shapeOf('b'))
    assert.deepEqual([taken.warm, taken.ready.shape.image.id, alive.size], [false, 'b', 1])
    await taken.ready.end()
    await taken.release()
    await pool.close()
    assert.equal(alive.size, 0)
  })

  it('a waiting VM that died is replaced by a fresh one', async () => {
    const { driver, alive, heard } = fakeDriver()
    const pool = poolOf(driver, 1)
    pool.fill(shapeOf('a'))
    await untilFilled(pool, heard)
    for (const channel of alive) channel.destroy()
    const taken = await pool.take(shapeOf('a'))
    assert.equal(taken.warm, false)
    await taken.ready.end()
    await taken.release()
    await pool.close()
  })

  it('of size 0 starts nothing by itself', async () => {
    const { driver, started } = fakeDriver()
    const pool = poolOf(driver, 0)
    const taken = await pool.take(shapeOf('a'))
    await taken.ready.end()
    await taken.release()
    await pool.close()
    assert.equal(started.length, 1)
  })

  it('while another process makes the template no CPU is held, and a job runs', async () => {
    const { driver } = fakeDriver()
    const other = Promise.withResolvers<void>()
    const asked = Promise.withResolvers<void>()
    const built: number[] = []
    const prepare: Driver['prepare'] = async (_shape, { onCpu }) => {
      asked.resolve()
      await other.promise
      await onCpu?.(async cpu => built.push(cpu))
    }
    const pool = poolOf({ ...driver, prepare }, 0)
    pool.fill(shapeOf('a'))
    await asked.promise
    const taken = await pool.take(shapeOf('a'))
    other.resolve()
    assert.deepEqual(built, [])
    await taken.ready.end()
    await taken.release()
    while (built.length === 0) await new Promise(resolve => setImmediate(resolve))
    await pool.close()
    assert.deepEqual(built, [cpu])
  })

  it('closing in the middle of a start leaves nothing', async () => {
    const { driver, alive } = fakeDriver()
    const pool = poolOf(driver, 1)
    pool.fill(shapeOf('a'))
    await pool.close()
    assert.equal(alive.size, 0)
    assert.deepEqual(await readdir(runDir), [])
    pool.fill(shapeOf('a'))
    await pool.close()
    assert.equal(alive.size, 0)
  })

  it('a driver that cannot start gives its CPU back', async () => {
    const { driver } = fakeDriver()
    const broken = poolOf({ ...driver, start: () => Promise.reject(new Error('no')) }, 1)
    await assert.rejects(broken.take(shapeOf('a')), /no/)
    const pool = poolOf(driver, 0)
    const taken = await pool.take(shapeOf('a'))
    await taken.ready.end()
    await taken.release()
    assert.deepEqual(await readdir(runDir), [])
  })
})
