import { freemem } from 'node:os'
import { isCode, messageOf, PytiError } from '../errors.ts'
import type { Logger } from '../logger.ts'
import { type CpuSlot, onIdleCpu, takeCpu } from './cpu-slot.ts'
import { moveToCpu } from './process-tree.ts'
import { type ReadyVm, startVm } from './ready-vm.ts'
import type { Driver, Vm, VmShape } from './vm.ts'

const MiB = 1024 * 1024
/** Warming may load Python's largest programs on a slow backend. */
const warmMs = 60_000
const pingMs = 5_000

export interface PoolOptions {
  driver: Driver
  /** VMs to keep ready. With none only templates are made ahead. */
  size: number
  cpus: readonly number[]
  runDir: string
  /** Folder of templates. */
  templates: string
  log: Logger
  onVm?: (event: { state: 'started' | 'cleaned'; pid: number }) => void
}

/** A VM and the CPU it may use. */
export interface TakenVm {
  ready: ReadyVm
  /** Whether it waited in the pool. */
  warm: boolean
  /** Gives the CPU back once the VM has ended, and lets the pool start the next one. */
  release(): Promise<void>
}

/**
 * Keeps VMs of the shape used last booted, with their tools loaded, so that a job meets one that waits. Each is used once.
 * Starting one takes a CPU's slot when no job wants it, so that no job is slowed down.
 */
export class VmPool {
  readonly #options: PoolOptions
  readonly #waiting: ReadyVm[] = []
  readonly #closed = new AbortController()
  readonly #filling = new Set<Promise<void>>()

  constructor(options: PoolOptions) {
    this.#options = options
  }

  /**
   * A waiting VM, or a fresh one when there is none of this shape. `onCpu` is called when it is this job's turn.
   * @throws PytiError as `startVm`
   */
  async take(
    shape: VmShape,
    { signal, onCpu }: { signal?: AbortSignal; onCpu?: () => void } = {},
  ): Promise<TakenVm> {
    const slot = await takeCpu(this.#options.cpus, signal)
    try {
      onCpu?.()
      const waiting = await this.#takeWaiting(shape, slot)
      const ready = waiting ?? (await this.#start(shape, slot.cpu, signal))
      const release = async () => {
        this.#options.onVm?.({ state: 'cleaned', pid: ready.vm.pid })
        await slot.release()
        this.fill(shape)
      }
      return { ready, warm: waiting !== undefined, release }
    } catch (error) {
      await slot.release()
      throw error
    }
  }

  /** Starts one VM of a shape in the background unless enough wait. */
  fill(shape: VmShape): void {
    const { size, log } = this.#options
    const enough = this.#waiting.length + this.#filling.size >= Math.max(1, size)
    if (this.#closed.signal.aborted || enough) return
    const filling = this.#fillOne(shape)
      .catch(error => {
        if (!this.#closed.signal.aborted) log.warn('no VM could be kept ready', { reason: messageOf(error) })
      })
      .finally(() => this.#filling.delete(filling))
    this.#filling.add(filling)
  }

  /** Ends all waiting VMs. */
  async close(): Promise<void> {
    this.#closed.abort(new PytiError('shutdown', 'the pool is closed'))
    await Promise.all([...this.#filling])
    await Promise.all(this.#waiting.splice(0).map(ready => this.#end(ready)))
  }

  async #takeWaiting(shape: VmShape, slot: CpuSlot): Promise<ReadyVm | undefined> {
    for (;;) {
      const ready = this.#waiting.shift()
      if (!ready) return undefined
      if (isSameShape(ready.shape, shape)) {
        await moveToCpu(ready.vm.pid, slot.cpu)
        if (await answers(ready)) return ready
        this.#options.log.warn('a waiting VM had ended', { console: ready.vm.console().slice(-300) })
      }
      await this.#end(ready)
    }
  }

  async #fillOne(shape: VmShape): Promise<void> {
    const { driver, cpus, runDir, size, templates } = this.#options
    const { signal } = this.#closed
    if (size === 0 && !driver.prepare) return
    // A VM that waits takes its memory from somebody: only where there is plenty.
    if (freemem() < 2 * (shape.memoryMiB + shape.diskMiB) * MiB) return
    const onCpu = <T>(work: (cpu: number) => Promise<T>) => onIdleCpu(cpus, work, signal)
    // It may have to wait for another process, and no CPU may be kept from a job meanwhile.
    await driver.prepare?.(shape, { templates, runDir, onCpu, signal })
    if (size === 0) return
    await onCpu(async cpu => {
      const ready = await this.#start(shape, cpu, signal)
      try {
        await ready.session.warm(warmMs * driver.slowness, signal)
        this.#waiting.push(ready)
      } catch (error) {
        await this.#end(ready)
        throw error
      }
    })
  }

  #start(shape: VmShape, cpu: number, signal: AbortSignal | undefined): Promise<ReadyVm> {
    const { driver, runDir, templates } = this.#options
    return startVm(driver, shape, {
      runDir,
      cpu,
      templates,
      onStart: (vm: Vm) => this.#options.onVm?.({ state: 'started', pid: vm.pid }),
      ...(signal && { signal }),
    })
  }

  async #end(ready: ReadyVm): Promise<void> {
    await ready.end()
    this.#options.onVm?.({ state: 'cleaned', pid: ready.vm.pid })
  }
}

async function answers(ready: ReadyVm): Promise<boolean> {
  try {
    await ready.session.ping(pingMs)
    return true
  } catch (error) {
    if (error instanceof PytiError && !isCode(error, 'shutdown')) return false
    throw error
  }
}

function isSameShape(a: VmShape, b: VmShape): boolean {
  return a.image.id === b.image.id && a.memoryMiB === b.memoryMiB && a.diskMiB === b.diskMiB
}
