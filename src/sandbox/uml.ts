import { runCommand } from '../exec.ts'
import { type JailOptions, startJail } from './jail.ts'
import { allowMappings } from './map-count.ts'
import { umlSeccompFilter } from './seccomp.ts'
import { type Driver, guestMiB, type VmOptions } from './vm.ts'

const MiB = 1024 * 1024
/** Every guest process is a host process; the jail's own limit stops a fork bomb that got past the guest's. */
const hostProcesses = 300
/** The host's page tables for those processes, and what the kernel process itself allocates. */
const hostOverheadMiB = 256

/** The kernel's words when the host refuses a mapping; the guest's process then ends as if it had broken its own memory. */
const deniedMemory = 'UML ran out of memory on the host side'

// Each of the first four saves boot time on Debian's kernel, 1.1 s in all (sandbox.md section 2).
const bootParameters = [
  'initcall_blacklist=raid6_select_algo,calibrate_xor_blocks,init_zswap',
  'pty.legacy_count=0',
  'lpj=20000000',
  'quiet',
  'con=null',
  'con0=null,fd:1',
  'ssl=null',
  'ssl0=fd:3',
  'noreboot',
  'panic=-1',
]

/** User-mode Linux: the guest's kernel is an ordinary process in the jail. Linux x86-64, no KVM needed. */
export const umlDriver: Driver = {
  backend: 'uml',
  slowness: 1,
  async missing() {
    if (process.platform !== 'linux' || process.arch !== 'x64') return 'needs Linux on x86-64'
    try {
      await runCommand(['bwrap', '--version'], { timeoutMs: 10_000 })
    } catch {
      return 'bubblewrap is not installed (apt-get install bubblewrap)'
    }
    return undefined
  },
  async start(options) {
    await allowMappings(guestMiB(options))
    const jailed = await startJail(umlJail(options))
    const wasDenied = () => jailed.console().includes(deniedMemory)
    return { backend: 'uml' as const, pid: jailed.child.pid ?? 0, ...jailed, wasDenied }
  },
}

/** The jail around one VM's kernel. */
export function umlJail(options: Omit<VmOptions, 'folder' | 'templates'>): JailOptions {
  const { image, jobDisk, outputDisk, memoryMiB, diskMiB, cpu, uid } = options
  const memory = guestMiB({ memoryMiB, diskMiB })
  const [libc, loader] = [image.path('libc'), image.path('loader')]
  return {
    readOnly: [
      [image.path('uml'), '/k/linux'],
      [libc, image.manifest.jail.libc],
      [loader, image.manifest.jail.loader],
      [image.path('base'), '/k/base'],
      [image.path('initramfs'), '/k/initrd'],
      [jobDisk, '/k/job'],
    ],
    writable: [[outputDisk, '/k/output']],
    shell: { program: image.path('shell'), loader, libc },
    tmpBytes: (memory + 64) * MiB,
    groupBytes: (memory + 64 + hostOverheadMiB) * MiB,
    processes: hostProcesses,
    cpu,
    uid,
    seccomp: umlSeccompFilter(),
    command: [
      '/k/linux',
      `mem=${memory}M`,
      'hostfs=/nowhere',
      'uml_dir=/tmp/u/',
      'initrd=/k/initrd',
      'ubd0r=/k/base',
      'ubd1r=/k/job',
      'ubd2=/k/output',
      ...bootParameters,
      `pyti.disk=${diskMiB}`,
    ],
  }
}
