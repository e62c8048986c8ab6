import type { Logger } from '../src/logger.ts'
import { takeCpu } from '../src/sandbox/cpu-slot.ts'
import type { Image } from '../src/sandbox/image/store.ts'
import { type TakenVm, VmPool } from '../src/sandbox/pool.ts'
import { type ReadyVm, startVm } from '../src/sandbox/ready-vm.ts'
import type { Driver, VmShape } from '../src/sandbox/vm.ts'

/** What every measurement needs. */
export interface Bench {
  driver: Driver
  shape: VmShape & { image: Image }
  /** Starts of a VM. */
  runs: number
  /** Whole jobs. */
  jobs: number
  cpus: readonly number[]
  runDir: string
  /** Folder of this bench, removed at its end. */
  dir: string
  templates: string
  signal: AbortSignal
  say: (step: string) => void
}

export interface StartedVm {
  ready: ReadyVm
  /** From the call to the guest's answer, the VM's folder and disks included. */
  startMs: number
  restored: boolean
}

const warmMs = 60_000

/** Gives the machine's CPUs that no other VM is pinned to, for the length of `work`: the wait for them is not measured. */
export async function withCpus<T>(
  { cpus, signal }: Pick<Bench, 'cpus' | 'signal'>,
  count: number,
  work: (taken: number[]) => Promise<T>,
): Promise<T> {
  const slots = []
  try {
    while (slots.length < count) slots.push(await takeCpu(cpus, signal))
    return await work(slots.map(slot => slot.cpu))
  } finally {
    for (const slot of slots) await slot.release()
  }
}

/** Starts a VM from its shape's template, which is made first if need be, or `cold` by booting. */
export async function start(
  bench: Bench,
  cpu: number,
  kind: 'cold' | 'fastest' = 'fastest',
): Promise<StartedVm> {
  const { driver, shape, runDir, templates, signal, say } = bench
  const wanted = kind === 'fastest' && driver.prepare !== undefined
  if (wanted) await driver.prepare?.(shape, { templates, runDir, onCpu: work => work(cpu), signal })
  const started = performance.now()
  const ready = await startVm(driver, shape, { runDir, cpu, signal, ...(wanted && { templates }) })
  const startMs = performance.now() - started
  const restored = ready.vm.hello !== undefined
  if (wanted && !restored) say(`booted instead of restored: ${ready.vm.console().slice(0, 300)}`)
  return { ready, startMs, restored }
}

export async function warm({ driver, signal }: Bench, ready: ReadyVm): Promise<number> {
  const started = performance.now()
  try {
    await ready.session.warm(warmMs * driver.slowness, signal)
  } catch (error) {
    await ready.end()
    throw error
  }
  return performance.now() - started
}

/** A VM with its tools loaded, however this backend gets to one fastest. */
export async function startWarm(bench: Bench, cpu: number): Promise<ReadyVm> {
  const { ready } = await start(bench, cpu)
  await warm(bench, ready)
  return ready
}

/** Fills a pool with one VM, takes it and hands it to `work`, which ends it. @param work `takeMs`: asking to having */
export async function withPooled<T>(
  bench: Bench,
  work: (ready: ReadyVm, takeMs: number) => Promise<T>,
): Promise<T> {
  const { driver, shape, runDir, templates, signal } = bench
  const { promise: started, resolve, reject } = Promise.withResolvers<void>()
  const fail = (message: string, context?: unknown) =>
    reject(new Error(`${message} ${JSON.stringify(context)}`))
  const log: Logger = { debug() {}, info() {}, warn: fail, error: fail }
  const cpu = await withCpus(bench, 1, async ([free = 0]) => free)
  const onVm = ({ state }: { state: string }) => (state === 'started' ? resolve() : undefined)
  const pool = new VmPool({ driver, size: 1, cpus: [cpu], runDir, templates, log, onVm })
  let taken: TakenVm | undefined
  const stop = () => reject(signal.reason)
  signal.addEventListener('abort', stop, { once: true })
  const overdue = setTimeout(fail, 2 * warmMs * driver.slowness, 'the pool started no VM')
  try {
    pool.fill(shape)
    await started
    // The pool keeps the CPU to itself until its VM has loaded its tools.
    await withCpus({ cpus: [cpu], signal }, 1, async () => {})
    const asked = performance.now()
    taken = await pool.take(shape, { signal })
    const takeMs = performance.now() - asked
    if (!taken.warm) throw new Error('the pool had no VM waiting')
    return await work(taken.ready, takeMs)
  } finally {
    clearTimeout(overdue)
    signal.removeEventListener('abort', stop)
    await taken?.ready.end()
    await pool.close()
    await taken?.release()
  }
}
