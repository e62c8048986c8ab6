import { type Accelerator, type Architecture, machines, type QemuHost } from './qemu-platform.ts'
import { type GuestMemory, guestMiB } from './vm.ts'

const kernelParameters = [
  'quiet',
  'panic=-1',
  'mitigations=off',
  'nokaslr',
  'lsm=',
  'cryptomgr.notests',
  'ipv6.disable=1',
  'random.trust_cpu=on',
]

/** Where QEMU finds its files; inside the jail these are always the same. */
export interface QemuPaths {
  kernel: string
  initrd: string
  base: string
  job: string
  output: string
  /** Named pipe of the channel, on Windows only: elsewhere it is file descriptor 3. */
  channel?: string
}

export const jailPaths: QemuPaths = {
  kernel: '/k/vmlinuz',
  initrd: '/k/initrd',
  base: '/k/base',
  job: '/k/job',
  output: '/k/output',
}

/**
 * The machine: no network device, nothing but three disks, one channel and a console. What is saved from such a machine
 * can be restored into one with the same arguments only, so all that differs between VMs of a shape is left to others.
 */
export function machineArguments(
  host: QemuHost,
  guest: Architecture,
  accelerator: Accelerator,
  memory: GuestMemory,
  paths: QemuPaths = jailPaths,
): string[] {
  const machine = machines[guest]
  return [
    '-nodefaults',
    '-no-user-config',
    '-display',
    'none',
    '-nic',
    'none',
    '-no-reboot',
    '-M',
    machine.type,
    ...accelerator.arguments,
    '-smp',
    '1',
    '-m',
    `${guestMiB(memory)}M`,
    '-kernel',
    paths.kernel,
    '-initrd',
    paths.initrd,
    '-append',
    [
      ...kernelParameters,
      ...machine.kernelParameters,
      `console=${machine.console}`,
      `pyti.disk=${memory.diskMiB}`,
    ].join(' '),
    ...disk(host, 'base', paths.base, 'readonly=on'),
    ...disk(host, 'job', paths.job, 'readonly=on'),
    // Nothing on it outlives the VM, so nothing is ever synced.
    ...disk(host, 'output', paths.output, 'cache=unsafe'),
    '-device',
    'virtio-serial-pci',
    '-chardev',
    host.platform === 'win32'
      ? `pipe,id=channel,path=${quote(paths.channel ?? '')}`
      : 'socket,id=channel,fd=3',
    '-device',
    'virtserialport,chardev=channel,name=pyti',
    '-chardev',
    'stdio,id=console,signal=off',
    '-serial',
    'chardev:console',
  ]
}

/** How a job's VM runs the machine: no monitor, no new processes, from a saved state on descriptor 5 if there is one. */
export function jobArguments(host: QemuHost, restored: boolean): string[] {
  return [...confinement(host), '-monitor', 'none', ...(restored ? ['-incoming', 'fd:5'] : [])]
}

/** How a template's VM runs it: with a monitor that lets the host save it. Nothing of a package runs in it. */
export function templateArguments(host: QemuHost, monitorSocket: string): string[] {
  return [
    ...confinement(host),
    '-chardev',
    `socket,id=monitor,path=${quote(monitorSocket)}`,
    '-mon',
    'chardev=monitor,mode=control',
  ]
}

function confinement(host: QemuHost): string[] {
  if (host.platform !== 'linux') return []
  return ['-sandbox', 'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny']
}

function disk(host: QemuHost, id: string, path: string, mode: string): string[] {
  const file = [
    `file=${quote(path)}`,
    // UML takes file locks in another way, and the two would shut each other out of the same read-only image.
    'file.locking=off',
    // A restored VM would throw the base image out of the host's memory: that is for clusters with shared disks.
    ...(host.platform === 'linux' ? ['file.drop-cache=off'] : []),
  ]
  return [
    '-drive',
    `if=none,id=${id},${file.join(',')},format=raw,${mode}`,
    '-device',
    // QEMU's own answer to a full host disk is to stop the VM for good.
    `virtio-blk-pci,drive=${id},werror=report,rerror=report`,
  ]
}

/** A comma in an option's value is written twice (QEMU's manual, "-drive"). */
function quote(value: string): string {
  return value.replaceAll(',', ',,')
}
