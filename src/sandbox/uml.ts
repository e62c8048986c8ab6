import { open, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { runCommand } from '../exec.ts'
import { startJail } from './jail.ts'
import { umlSeccompFilter } from './seccomp.ts'
import type { Driver } from './vm.ts'

const MiB = 1024 * 1024
/** Kernel, page tables and caches on top of what the job may use. */
const kernelMiB = 192
/** Every guest process is a host process; the jail's own limit stops a fork bomb that got past the guest's. */
const hostProcesses = 300

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
  async start({ image, folder, jobDisk, outputDisk, memoryMiB, diskMiB, cpu, uid }) {
    const filter = join(folder, 'seccomp.bpf')
    await writeFile(filter, umlSeccompFilter())
    const seccomp = await open(filter, 'r')
    const memory = memoryMiB + diskMiB + kernelMiB
    try {
      const jailed = await startJail({
        readOnly: [
          [image.path('uml'), '/k/linux'],
          [image.path('libc'), '/lib/x86_64-linux-gnu/libc.so.6'],
          [image.path('loader'), '/lib64/ld-linux-x86-64.so.2'],
          [image.path('shell'), '/k/sh'],
          [image.path('base'), '/k/base'],
          [image.path('initramfs'), '/k/initrd'],
          [jobDisk, '/k/job'],
        ],
        writable: [[outputDisk, '/k/output']],
        tmpBytes: (memory + 64) * MiB,
        cpu,
        uid,
        seccompFd: seccomp.fd,
        command: [
          '/k/sh',
          '-c',
          `ulimit -p ${hostProcesses}; ulimit -c 0; exec "$@"`,
          'x',
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
      })
      return { backend: 'uml' as const, pid: jailed.child.pid ?? 0, ...jailed }
    } finally {
      await seccomp.close()
    }
  },
}
