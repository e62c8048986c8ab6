import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { PytiError } from '../errors.ts'
import { diskTrouble } from '../host-disk.ts'
import { makeOwnedFolder } from '../owned-folder.ts'
import { awaitCaller, type OneCaller, saveState } from './qemu-save.ts'
import { lockTemplate } from './qemu-template-lock.ts'
import { adoptTemplate, hasTemplate } from './qemu-template-store.ts'
import { startVm } from './ready-vm.ts'
import type { Driver, OnCpu, Vm, VmOptions, VmShape } from './vm.ts'

/** Native milliseconds, scaled by the backend. */
const warmMs = 60_000
const saveMs = 60_000
/** Longest anybody else may take to build the same template; then it is done without. */
const otherBuilderMs = 300_000

/** Paths in the jail of the sockets a template's QEMU connects to. */
export const templateSockets = { monitor: '/k/monitor', state: '/k/state' }

export interface TemplateBuild {
  dir: string
  key: string
  shape: VmShape
  driver: Driver
  /** Starts a VM that differs from those of jobs in nothing its saved state knows of. */
  start: (options: VmOptions, binds: [string, string][]) => Promise<Vm>
  runDir: string
  onCpu: OnCpu
  signal?: AbortSignal | undefined
}

/**
 * Boots one VM, lets its guest load its tools, saves it while it runs and ends it. One process of a machine builds, others
 * wait for it and hold no CPU. What is killed in the middle leaves nothing that counts as a template.
 * @throws PytiError as `GuestSession`; also `vm-unavailable`, `qmp-failed`, `host-out-of-disk`
 */
export async function buildTemplate(build: TemplateBuild): Promise<void> {
  const { dir, key, signal } = build
  if (await hasTemplate(dir, key)) return
  const unlock = await lockTemplate(join(dir, key), otherBuilderMs, signal)
  if (!unlock) return
  try {
    if (!(await hasTemplate(dir, key))) await build.onCpu(cpu => bootAndSave(build, cpu))
  } catch (error) {
    signal?.throwIfAborted()
    throw diskTrouble(error) ?? error
  } finally {
    await unlock()
  }
}

async function bootAndSave(build: TemplateBuild, cpu: number): Promise<void> {
  const { dir, key, shape, driver, runDir, signal } = build
  await mkdir(dir, { recursive: true, mode: 0o755 })
  const work = await makeOwnedFolder(dir, 'build')
  const sockets: OneCaller[] = []
  const start = async (options: VmOptions) => {
    const monitor = await awaitCaller(join(options.folder, 'monitor'))
    const state = await awaitCaller(join(options.folder, 'state'))
    sockets.push(monitor, state)
    return build.start(options, [
      [monitor.path, templateSockets.monitor],
      [state.path, templateSockets.state],
    ])
  }
  try {
    const ready = await startVm({ ...driver, start }, shape, { runDir, cpu, ...(signal && { signal }) })
    try {
      await ready.session.warm(warmMs * driver.slowness, signal)
      const [monitor, state] = sockets
      if (!monitor || !state) throw new PytiError('vm-unavailable', 'the template VM has no monitor')
      const deadline = AbortSignal.timeout(saveMs * driver.slowness)
      const saved = await saveState(
        { monitor, state },
        templateSockets.state,
        join(work, 'state'),
        signal ? AbortSignal.any([signal, deadline]) : deadline,
      )
      await adoptTemplate(dir, key, join(work, 'state'), {
        schema: 'pyti.template/1',
        image: shape.image.id,
        hello: ready.hello,
        state: saved,
      })
    } finally {
      await ready.end()
    }
  } finally {
    for (const socket of sockets) socket.close()
    await rm(work, { recursive: true, force: true })
  }
}
