import { access, realpath, stat } from 'node:fs/promises'
import { runCommand } from '../exec.ts'
import { startJail } from './jail.ts'
import type { Driver, VmOptions } from './vm.ts'

const MiB = 1024 * 1024
const qemuBinary = '/usr/bin/qemu-system-x86_64'
const kernelMiB = 192
/** Address space (not memory) of QEMU itself: thread stacks and allocator arenas are mapped large and used little. */
const hostOverheadMiB = 4096

const kernelParameters = [
  'quiet',
  'console=ttyS0',
  'panic=-1',
  'mitigations=off',
  'nokaslr',
  'no_timer_check',
  'tsc=reliable',
  'apparmor=0',
  'cryptomgr.notests',
  'ipv6.disable=1',
  'random.trust_cpu=on',
]

/** What differs between the two accelerators; all else is one driver. */
interface Accelerator {
  backend: 'kvm' | 'tcg'
  slowness: number
  arguments: string[]
  device?: string
}

/** Data QEMU reads at start: firmware, option ROMs, its loadable accelerator. Absent ones are left out. */
const dataFolders = [
  '/usr/share/qemu',
  '/usr/share/seabios',
  '/usr/lib/ipxe/qemu',
  '/usr/lib/x86_64-linux-gnu/qemu',
]

/** QEMU arguments for one VM: no network device, no monitor, nothing but two disks, one channel and a console. */
export function qemuArguments(
  accelerator: Accelerator,
  options: Pick<VmOptions, 'memoryMiB' | 'diskMiB'>,
): string[] {
  return [
    qemuBinary,
    '-nodefaults',
    '-no-user-config',
    '-display',
    'none',
    '-monitor',
    'none',
    '-nic',
    'none',
    '-no-reboot',
    '-M',
    'q35',
    ...accelerator.arguments,
    '-smp',
    '1',
    '-m',
    `${options.memoryMiB + options.diskMiB + kernelMiB}M`,
    '-kernel',
    '/k/vmlinuz',
    '-initrd',
    '/k/initrd',
    '-append',
    [...kernelParameters, `pyti.disk=${options.diskMiB}`].join(' '),
    // No file locks: UML takes them in another way, and the two would shut each other out of the same read-only image.
    '-drive',
    'if=none,id=base,file=/k/base,file.locking=off,format=raw,readonly=on',
    '-device',
    'virtio-blk-pci,drive=base',
    '-drive',
    'if=none,id=job,file=/k/job,file.locking=off,format=raw,readonly=on',
    '-device',
    'virtio-blk-pci,drive=job',
    '-device',
    'virtio-serial-pci',
    '-chardev',
    'socket,id=channel,fd=3',
    '-device',
    'virtserialport,chardev=channel,name=pyti',
    '-chardev',
    'stdio,id=console,signal=off',
    '-serial',
    'chardev:console',
    '-sandbox',
    'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny',
  ]
}

function qemuDriver(accelerator: Accelerator): Driver {
  return {
    backend: accelerator.backend,
    slowness: accelerator.slowness,
    async missing() {
      if (process.platform !== 'linux' || process.arch !== 'x64')
        return 'needs Linux on x86-64 (other hosts are untested)'
      if (!(await exists(qemuBinary))) return 'QEMU is not installed (apt-get install qemu-system-x86)'
      if (accelerator.device && !(await exists(accelerator.device)))
        return `${accelerator.device} does not exist on this machine`
      return undefined
    },
    async start(options) {
      const { image, jobDisk, memoryMiB, diskMiB, cpu, uid } = options
      const jailed = await startJail({
        readOnly: [
          ...(await qemuFiles()),
          [image.path('vmlinuz'), '/k/vmlinuz'],
          [image.path('base'), '/k/base'],
          [image.path('initramfs'), '/k/initrd'],
          [jobDisk, '/k/job'],
        ],
        devices: accelerator.device ? [accelerator.device] : [],
        tmpBytes: 16 * MiB,
        memoryBytes: (memoryMiB + diskMiB + kernelMiB + hostOverheadMiB) * MiB,
        cpu,
        uid,
        gid: accelerator.device ? (await stat(accelerator.device)).gid || undefined : undefined,
        command: qemuArguments(accelerator, { memoryMiB, diskMiB }),
      })
      return { backend: accelerator.backend, pid: jailed.child.pid ?? 0, ...jailed }
    },
  }
}

export const tcgDriver = qemuDriver({
  backend: 'tcg',
  slowness: 6,
  arguments: ['-accel', 'tcg', '-cpu', 'max,la57=off'],
})

export const kvmDriver = qemuDriver({
  backend: 'kvm',
  slowness: 1,
  arguments: ['-accel', 'kvm', '-cpu', 'host'],
  device: '/dev/kvm',
})

/** The binary, the libraries it is linked with and its data, each at its own path (QEMU finds its modules relative to itself). */
let files: Promise<[string, string][]> | undefined
function qemuFiles(): Promise<[string, string][]> {
  files ??= (async () => {
    const modules = '/usr/lib/x86_64-linux-gnu/qemu/accel-tcg-x86_64.so'
    const objects = (await exists(modules)) ? [qemuBinary, modules] : [qemuBinary]
    const libraries = new Set<string>()
    for (const object of objects) {
      const stdout = await runCommand(['ldd', object], { timeoutMs: 30_000 })
      for (const match of stdout.matchAll(/(?:=> |^\s*)(\/\S+) \(0x/gm)) if (match[1]) libraries.add(match[1])
    }
    const binds: [string, string][] = [[qemuBinary, qemuBinary]]
    for (const library of libraries)
      if (!library.startsWith('/usr/lib/x86_64-linux-gnu/qemu/'))
        binds.push([await realpath(library), library])
    for (const folder of dataFolders) if (await exists(folder)) binds.push([folder, folder])
    return binds
  })()
  return files
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
