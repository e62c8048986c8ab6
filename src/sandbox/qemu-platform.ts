/** A processor the guest image is made for, in Node's words. */
export type Architecture = 'x64' | 'arm64'

export type AcceleratorName = 'kvm' | 'hvf' | 'whpx' | 'tcg'

export interface QemuHost {
  platform: NodeJS.Platform
  arch: NodeJS.Architecture
}

/** One way QEMU can run a guest on a host, as data. */
export interface Accelerator {
  name: AcceleratorName
  /** Wall-clock ceilings are multiplied by it. */
  slowness: number
  arguments: string[]
  /** What QEMU must be able to open. */
  device?: string
  /** Whether a running VM can be saved and restored. */
  saves: boolean
}

/** What of a machine depends on the guest's processor. */
interface Machine {
  binary: string
  type: string
  console: string
  /** CPU that translation imitates. */
  translatedCpu: string
  kernelParameters: string[]
}

export const machines: Record<Architecture, Machine> = {
  x64: {
    binary: 'qemu-system-x86_64',
    type: 'q35',
    console: 'ttyS0',
    // Debian's kernels panic at times under emulation with five-level page tables. Fast string instructions are slow here:
    // one loop of translated code per byte, an eighth of the boot's time.
    translatedCpu: 'max,la57=off,erms=off,fsrm=off',
    kernelParameters: ['no_timer_check', 'tsc=reliable'],
  },
  arm64: {
    binary: 'qemu-system-aarch64',
    type: 'virt',
    console: 'ttyAMA0',
    // Pointer authentication with the architected cipher is what makes translated arm64 slow.
    translatedCpu: 'max,pauth-impdef=on',
    kernelParameters: [],
  },
}

const hardware: Partial<Record<NodeJS.Platform, Accelerator>> = {
  linux: {
    name: 'kvm',
    slowness: 1,
    arguments: ['-accel', 'kvm', '-cpu', 'host'],
    device: '/dev/kvm',
    saves: true,
  },
  darwin: { name: 'hvf', slowness: 1, arguments: ['-accel', 'hvf', '-cpu', 'host'], saves: true },
  // WHPX registers a migration blocker (sandbox.md section 8).
  win32: {
    name: 'whpx',
    slowness: 1,
    arguments: ['-accel', 'whpx,kernel-irqchip=off', '-cpu', 'max'],
    saves: false,
  },
}

/** Hardware virtualisation runs guests of the host's own processor only; translation runs any. */
export function acceleratorsOf(host: QemuHost, guest: Architecture): Accelerator[] {
  const translated: Accelerator = {
    name: 'tcg',
    slowness: 6,
    // A gigabyte of translations otherwise.
    arguments: ['-accel', 'tcg,tb-size=256', '-cpu', machines[guest].translatedCpu],
    saves: true,
  }
  const native = hardware[host.platform]
  return native && host.arch === guest ? [native, translated] : [translated]
}
