import { cpus, release } from 'node:os'
import { messageOf } from '../errors.ts'
import { digestOf } from '../wire/canonical.ts'
import type { Backend } from '../wire/job.ts'
import { limits } from '../wire/limits.ts'
import { allowedCpus } from './allowed-cpus.ts'
import { jobArguments, machineArguments, templateArguments } from './qemu-arguments.ts'
import { exists, qemuBuild, qemuPath } from './qemu-files.ts'
import { type Launch, launchQemu } from './qemu-launch.ts'
import { type Accelerator, acceleratorsOf, machines, type QemuHost } from './qemu-platform.ts'
import { answersPing } from './qemu-restore.ts'
import { buildTemplate, templateSockets } from './qemu-template.ts'
import { openTemplate, removeTemplate } from './qemu-template-store.ts'
import type { Driver, Vm, VmOptions, VmShape } from './vm.ts'

/** Processor of today's guest image. */
const guest = 'x64'
const host: QemuHost = { platform: 'linux', arch: 'x64' }
const { binary } = machines[guest]
/** A restored guest answers within a quarter of a second; on a machine that is busy it may take longer. */
const restoreMs = 15_000
/** After so many useless templates of a shape no more are made by this process. */
const maxUseless = 2

function qemuDriver(backend: Backend, accelerator: Accelerator): Driver {
  const useless = new Map<string, number>()
  const machine = (shape: VmShape) => machineArguments(host, guest, accelerator, shape)
  const launch = (vm: VmOptions, added: string[], files: Pick<Launch, 'sockets' | 'stateFd'> = {}) =>
    launchQemu({
      backend,
      accelerator,
      command: [qemuPath(binary), ...machine(vm), ...added],
      vm,
      ...files,
    })

  /** Everything a saved state depends on: whatever differs makes it another template. */
  const templateKey = async (shape: VmShape) =>
    digestOf({
      qemu: await qemuBuild(binary),
      machine: machine(shape),
      image: shape.image.id,
      disks: [limits.jobDiskBytes, limits.guestOutputBytes],
      // The guest measured the host's clock rate; with `kvm` it also uses the host's instructions.
      cpu: cpus()[0]?.model ?? '',
      kernel: backend === 'kvm' ? release() : '',
    })

  /** A clone of a template; or why there is none, or nothing when there is no template. */
  const restore = async (options: VmOptions, dir: string): Promise<Vm | string | undefined> => {
    const key = await templateKey(options)
    const template = await openTemplate(dir, key)
    if (!template) return undefined
    try {
      const vm = await launch(options, jobArguments(host, true), { stateFd: template.state.fd })
      if (await answersPing(vm, restoreMs)) return { ...vm, hello: template.hello }
      const exit = await vm.kill()
      if (exit.kind !== 'oom') {
        useless.set(key, (useless.get(key) ?? 0) + 1)
        await removeTemplate(dir, key)
      }
      return `a clone of template ${key.slice(0, 12)} did not answer (${exit.kind}): ${vm.console().slice(-200)}`
    } finally {
      await template.state.close()
    }
  }

  const driver: Driver = {
    backend,
    slowness: accelerator.slowness,
    async missing() {
      if (process.platform !== 'linux' || process.arch !== 'x64') return notEnabled(process)
      if (!(await exists(qemuPath(binary)))) return 'QEMU is not installed (apt-get install qemu-system-x86)'
      if (accelerator.device && !(await exists(accelerator.device)))
        return `${accelerator.device} does not exist on this machine`
      return undefined
    },
    async prepare(shape, { templates, runDir, signal, onCpu = work => work(allowedCpus()[0] ?? 0) }) {
      const key = await templateKey(shape)
      if (!accelerator.saves || (useless.get(key) ?? 0) >= maxUseless) return
      await buildTemplate({
        dir: templates,
        key,
        shape,
        driver,
        start: (options, sockets) =>
          launch(options, templateArguments(host, templateSockets.monitor), { sockets }),
        runDir,
        onCpu,
        signal,
      })
    },
    async start(options) {
      const { templates } = options
      // A template only saves time: whatever is wrong with it, the VM boots without.
      const restored =
        templates && accelerator.saves ? await restore(options, templates).catch(messageOf) : undefined
      if (typeof restored === 'object') return restored
      const vm = await launch(options, jobArguments(host, false))
      return restored === undefined ? vm : { ...vm, console: () => `pyti: ${restored}\n${vm.console()}` }
    },
  }
  return driver
}

/** What a host gets told whose way of running QEMU nobody has tried. */
export function notEnabled({ platform, arch }: QemuHost): string {
  const ways = acceleratorsOf({ platform, arch }, guest).map(({ name }) => name)
  return `not enabled: QEMU on ${platform} (${arch}; ${ways.join(', ')}) is untested, only Linux on x86-64 is`
}

function accelerated(backend: 'kvm' | 'tcg'): Driver {
  const accelerator = acceleratorsOf(host, guest).find(({ name }) => name === backend)
  if (!accelerator) throw new TypeError(`no accelerator ${backend}`)
  return qemuDriver(backend, accelerator)
}

export const tcgDriver = accelerated('tcg')
export const kvmDriver = accelerated('kvm')
