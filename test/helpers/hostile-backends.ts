import { chmod, mkdir, mkdtemp, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { before, describe, it, type TestContext } from 'node:test'
import { allowedCpus } from '../../src/sandbox/allowed-cpus.ts'
import { drivers, probeBackendCached } from '../../src/sandbox/backends.ts'
import { takeCpu } from '../../src/sandbox/cpu-slot.ts'
import type { Image } from '../../src/sandbox/image/store.ts'
import { type ReadyVm, startVm } from '../../src/sandbox/ready-vm.ts'
import type { Driver, VmShape } from '../../src/sandbox/vm.ts'
import { hostileImage } from './hostile-image.ts'
import { Trail } from './hostile-traces.ts'
import { paths, testDriver } from './local-network.ts'

/** Small enough that a bomb is soon full on a slow backend; one shape for all, so that one template serves all. */
const size = { memoryMiB: 256, diskMiB: 96 }
const templates = join(paths.cache, 'templates')
const cpus = allowedCpus()

let honest: Promise<Image> | undefined

/** A VM of the suite: it has a CPU of its own, and what it leaves behind is looked for. */
export interface ArenaVm {
  ready: ReadyVm
  trail: Trail
  /** Ends it, gives the CPU back, and fails when anything of it is left a second later. */
  end(): Promise<void>
}

export class Arena {
  readonly driver: Driver
  readonly slowness: number
  #images: { honest: Image; hostile: Image } | undefined

  constructor(driver: Driver) {
    this.driver = driver
    this.slowness = driver.slowness
  }

  get backend() {
    return this.driver.backend
  }

  /** @returns why this backend cannot be tested here */
  async open(): Promise<string | undefined> {
    // Backends open beside each other, the image is made once.
    honest ??= testDriver().then(({ image }) => image)
    const image = await honest
    const probe = await probeBackendCached(this.driver, {
      image,
      runDir: paths.run,
      cacheDir: paths.probes,
    })
    if (!probe.works) return probe.detail
    this.#images = { honest: image, hostile: await hostileImage(image) }
    return undefined
  }

  shape(guest: 'honest' | 'hostile'): VmShape {
    if (!this.#images) throw new Error('the arena is not open')
    return { image: this.#images[guest], ...size }
  }

  /** A VM with the product's agent, or with one that has been taken over. */
  async start(guest: 'honest' | 'hostile', parent = paths.run): Promise<ArenaVm> {
    const slot = await takeCpu(cpus)
    const trail = new Trail(await makeRunDir(parent))
    const close = async () => {
      await slot.release()
      await trail.expectNothingLeft()
      await rmdir(trail.runDir)
    }
    try {
      const shape = this.shape(guest)
      await this.driver.prepare?.(shape, { templates, runDir: paths.run })
      const options = { runDir: trail.runDir, cpu: slot.cpu, templates, onStart: trail.onStart }
      const ready = await startVm(this.driver, shape, options)
      await trail.sample()
      const end = async () => {
        await ready.end()
        await close()
      }
      return { ready, trail, end }
    } catch (error) {
      await close()
      throw error
    }
  }
}

/** Reached by the VM's user and swept should this process be killed (see `sweepStaleFolders`). */
async function makeRunDir(parent: string): Promise<string> {
  await mkdir(parent, { recursive: true, mode: 0o711 })
  const path = await mkdtemp(join(parent, `network-${process.pid}-`))
  await chmod(path, 0o711)
  return path
}

type Case = (name: string, run: (context: TestContext) => Promise<void>, timeoutMs?: number) => void

/**
 * Defines the same cases for every backend; the backends run beside each other, each on a CPU of its own.
 * @param emulation `long`: what takes an emulated machine minutes; on `tcg` only in `npm run test:long`
 */
export function onEveryBackend(
  title: string,
  define: (arena: Arena, test: Case) => void,
  emulation: 'always' | 'long' = 'always',
): void {
  describe(title, { concurrency: drivers.length }, () => {
    for (const driver of drivers)
      describe(driver.backend, { concurrency: 1 }, () => {
        const arena = new Arena(driver)
        let missing: string | undefined
        before(async () => {
          missing = await arena.open()
        })
        define(arena, (name, run, timeoutMs = 300_000) =>
          it(name, { timeout: timeoutMs }, async context => {
            if (missing) return context.skip(missing)
            if (driver.backend === 'tcg' && emulation === 'long' && !process.env.PYTI_LONG)
              return context.skip('takes minutes on an emulated machine: npm run test:long')
            await run(context)
          }),
        )
      })
  })
}
