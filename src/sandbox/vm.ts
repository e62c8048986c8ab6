import type { Duplex } from 'node:stream'
import type { Backend } from '../wire/raw-data.ts'
import type { Image } from './image/store.ts'

/** How a VM's life ended, as the host saw it. */
export type Exit =
  /** The process ended by itself with status 0. */
  | { kind: 'ended' }
  /** It ended by itself otherwise: a panic, a missing library, a refused mount. */
  | { kind: 'abnormal'; detail: string }
  /** seccomp stopped a forbidden system call. */
  | { kind: 'sandbox-violation' }
  /** The host's kernel took it for lack of memory. */
  | { kind: 'host-out-of-memory' }
  | { kind: 'killed' }

export interface VmOptions {
  image: Image
  /** Private folder of this VM, removed by the caller after its end. */
  folder: string
  /** Raw file with the job (see `job-disk.ts`). */
  jobDisk: string
  /** Memory for processes; the private layer comes on top of it. */
  memoryMiB: number
  diskMiB: number
  /** Host CPU to pin to: UML loses 2x when it wanders between CPUs (sandbox.md section 2). */
  cpu: number
  /** User and group on the host; absent when the caller itself is unprivileged. */
  uid?: number
}

/** One running VM. Used once. */
export interface Vm {
  backend: Backend
  /** Host process id of the jail. */
  pid: number
  channel: Duplex
  exited: Promise<Exit>
  /** Last lines the guest's console printed. */
  console(): string
  /** Ends it at once; resolves when no process of it is left. */
  kill(): Promise<Exit>
}

export interface Driver {
  backend: Backend
  /** How much slower than native this backend may be: wall-clock ceilings are multiplied by it. */
  slowness: number
  /** What is missing on this host before a boot is even tried. */
  missing(): Promise<string | undefined>
  start(options: VmOptions): Promise<Vm>
}
