import type { Duplex } from 'node:stream'
import type { Hello } from '../wire/guest.ts'
import type { Backend } from '../wire/job.ts'
import type { Image } from './image/store.ts'

/** Lends a CPU to work as soon as there is one. */
export type OnCpu = <T>(work: (cpu: number) => Promise<T>) => Promise<T>

/** How a VM's life ended, as the host saw it. */
export type Exit =
  /** The process ended by itself with status 0. */
  | { kind: 'clean' }
  /** It ended by itself otherwise: a panic, a missing library, a refused mount. */
  | { kind: 'abnormal'; detail: string }
  /** A ceiling on time was met; the VM was killed for it. */
  | { kind: 'timeout' }
  /** The host's kernel took it for lack of memory. */
  | { kind: 'oom' }
  /** seccomp stopped a forbidden system call. */
  | { kind: 'sandbox-violation' }
  | { kind: 'killed' }

/** What VMs must have in common to stand in for each other. */
export interface VmShape {
  image: Image
  /** Memory for processes; the private layer comes on top of it. */
  memoryMiB: number
  diskMiB: number
}

export type GuestMemory = Pick<VmShape, 'memoryMiB' | 'diskMiB'>

/** The guest's kernel, its agent with the loaded tools, page tables and caches. */
const systemMiB = 256

/** RAM of the guest: the private layer is held in it. */
export function guestMiB({ memoryMiB, diskMiB }: GuestMemory): number {
  return memoryMiB + diskMiB + systemMiB
}

export interface VmOptions extends VmShape {
  /** Private folder of this VM, removed by the caller after its end. */
  folder: string
  /** Raw file the job is written into, before the start or after it (see `job-disk.ts`). */
  jobDisk: string
  /** Raw file the guest may write large results into (see `output-disk.ts`). */
  outputDisk: string
  /** Host CPU to pin to: UML loses 2x when it wanders between CPUs (sandbox.md section 2). */
  cpu: number
  /** User and group on the host; absent when the caller itself is unprivileged. */
  uid?: number
  /** Folder of templates; a driver that has one for this shape restores it instead of booting. */
  templates?: string
}

/** One running VM. Used once. */
export interface Vm {
  backend: Backend
  /** Host process id of the jail. */
  pid: number
  channel: Duplex
  exited: Promise<Exit>
  /** What the guest said before its template was saved; a VM that boots says it on the channel. */
  hello?: Hello
  /** Last lines the guest's console printed. */
  console(): string
  /** Whether the host refused the guest memory that was promised: then faults of its processes are not their own. */
  wasDenied?(): boolean
  /** Ends it at once; resolves when no process of it is left. */
  kill(): Promise<Exit>
}

export interface Driver {
  backend: Backend
  /** How much slower than native this backend may be: wall-clock ceilings are multiplied by it. */
  slowness: number
  /** What is missing on this host before a boot is even tried. */
  missing(): Promise<string | undefined>
  /**
   * Makes, once per shape, what later starts are restored from. Absent where a backend cannot save a VM.
   * @throws PytiError `vm-unavailable` | as `GuestSession`
   */
  prepare?(
    shape: VmShape,
    options: {
      templates: string
      runDir: string
      /** Asked for a CPU only when a VM is about to be booted. */
      onCpu?: OnCpu
      signal?: AbortSignal
    },
  ): Promise<void>
  start(options: VmOptions): Promise<Vm>
}
