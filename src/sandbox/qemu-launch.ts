import { stat } from 'node:fs/promises'
import type { Backend } from '../wire/job.ts'
import { type JailOptions, startJail } from './jail.ts'
import { jailPaths } from './qemu-arguments.ts'
import { qemuFiles } from './qemu-files.ts'
import { type Accelerator, machines } from './qemu-platform.ts'
import { qemuSeccompFilter } from './seccomp.ts'
import { guestMiB, type Vm, type VmOptions } from './vm.ts'

const MiB = 1024 * 1024
/** Address space (not memory) of QEMU itself: thread stacks and allocator arenas are mapped large and used little. */
const addressSpaceMiB = 4096
/** Memory of QEMU itself, its translation buffer (a gigabyte by default) included. */
const hostOverheadMiB = 1536
/** QEMU's pool for disk access grows to 64 threads. */
const hostThreads = 128

export interface Launch {
  backend: Backend
  accelerator: Accelerator
  command: string[]
  vm: VmOptions
  /** Sockets of the host and their paths in the jail. */
  sockets?: [string, string][]
  /** Open file with a saved state. */
  stateFd?: number
}

/** Starts QEMU in its jail with the files of one VM. @throws PytiError `vm-unavailable` */
export async function launchQemu(launch: Launch): Promise<Vm> {
  const jailed = await startJail(await qemuJail(launch))
  return { backend: launch.backend, pid: jailed.child.pid ?? 0, ...jailed }
}

/** The jail around one VM's QEMU. */
export async function qemuJail(launch: Omit<Launch, 'backend'>): Promise<JailOptions> {
  const { accelerator, vm } = launch
  const { device } = accelerator
  return {
    readOnly: [
      ...(await qemuFiles(machines.x64.binary)),
      [vm.image.path('vmlinuz'), jailPaths.kernel],
      [vm.image.path('base'), jailPaths.base],
      [vm.image.path('initramfs'), jailPaths.initrd],
      [vm.jobDisk, jailPaths.job],
    ],
    writable: [[vm.outputDisk, jailPaths.output], ...(launch.sockets ?? [])],
    devices: device ? [device] : [],
    shell: {
      program: vm.image.path('shell'),
      loader: vm.image.path('loader'),
      libc: vm.image.path('libc'),
    },
    tmpBytes: 16 * MiB,
    memoryBytes: (guestMiB(vm) + addressSpaceMiB) * MiB,
    groupBytes: (guestMiB(vm) + hostOverheadMiB) * MiB,
    processes: hostThreads,
    cpu: vm.cpu,
    uid: vm.uid,
    gid: device ? (await stat(device)).gid || undefined : undefined,
    command: launch.command,
    seccomp: qemuSeccompFilter(),
    openFile: launch.stateFd,
  }
}
