import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { PytiError } from '../errors.ts'
import { ConsoleTail } from './console-tail.ts'
import { createHostGroup } from './host-cgroup.ts'
import { jailCommand, jailDescriptors } from './jail-command.ts'
import { NamespaceInit } from './namespace-init.ts'
import type { Exit } from './vm.ts'

export interface JailOptions {
  /** Host path -> path in the jail, read-only. */
  readOnly: [string, string][]
  /** Host path -> path in the jail of files that may be written. */
  writable?: [string, string][]
  /** Device nodes of the host the command may use. */
  devices?: string[]
  /** Address space limit for the command, where it is one process. */
  memoryBytes?: number
  /** Ceiling on all memory of the jail, its /tmp included, where control groups are delegated. */
  groupBytes: number
  /** Size of the jail's /tmp, which holds UML's memory. */
  tmpBytes: number
  /** Ceiling on processes and threads in the jail. */
  processes: number
  /** Host paths of the shell that starts the command, and of what it is linked with. */
  shell: { program: string; loader: string; libc: string }
  cpu: number
  uid?: number | undefined
  /** Group beside `uid`, for a device node that only a group may open. */
  gid?: number | undefined
  /** Runs inside the jail; its file descriptor 3 is the channel, 5 is `openFile`. */
  command: string[]
  /** BPF program that holds from the launching shell on (see `seccomp.ts`). */
  seccomp: Uint8Array
  /** An open file the command gets as descriptor 5. */
  openFile?: number | undefined
}

export interface Jailed {
  child: ChildProcess
  channel: Duplex
  /** Resolves when no process of the jail is left. */
  exited: Promise<Exit>
  console(): string
  /** Ends it at once; resolves with `exited`. */
  kill(): Promise<Exit>
}

/** What the control group allows beyond RLIMIT_NPROC: bubblewrap's own processes, and a limit that is met second. */
const spareProcesses = 100
const graceMs = 300
/** bubblewrap has made its namespaces within milliseconds; until it has, killing it could leave what it began. */
const startMs = 5_000

/**
 * Starts a command in bubblewrap: own user, pid, network, ipc, uts and cgroup namespaces, no capability, a seccomp filter,
 * nothing of the host's files but what is listed, gone when this process goes (sandbox.md section 5). Started by root the
 * whole jail runs as the unprivileged `uid`: root mapped into a namespace is still root on the host.
 * @throws PytiError `vm-unavailable` when it cannot be started
 */
export async function startJail(options: JailOptions): Promise<Jailed> {
  const group = await createHostGroup({
    memoryBytes: options.groupBytes,
    processes: options.processes + spareProcesses,
  })
  const [file, ...args] = jailCommand(options)
  const child = spawn(file, args, {
    stdio: ['pipe', 'pipe', 'pipe', 'pipe', 'pipe', options.openFile ?? 'ignore', 'pipe'],
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
    detached: true, // a session without a terminal; Ctrl-C reaches this process alone
    ...(options.uid !== undefined && { uid: options.uid, gid: options.gid ?? options.uid }),
  })
  const streams: readonly unknown[] = child.stdio
  const channel = streams[jailDescriptors.channel] as Duplex
  const info = streams[jailDescriptors.info] as Duplex
  // A jail that dies with bytes in flight; its Exit says so.
  for (const stream of streams) (stream as Duplex | null)?.on('error', () => {})
  const tail = new ConsoleTail()
  child.stdout?.on('data', (chunk: Buffer) => tail.add(chunk))
  child.stderr?.on('data', (chunk: Buffer) => tail.add(chunk))
  const printed = Promise.all([child.stdout, child.stderr].map(stream => stream && once(stream, 'close')))
  const exit = once(child, 'exit')

  try {
    await once(child, 'spawn')
  } catch (cause) {
    exit.catch(() => {})
    await group?.remove()
    throw new PytiError('vm-unavailable', `cannot start the jail: ${(cause as Error).message}`, {
      hint: 'run `pyti doctor`',
      cause,
    })
  }
  ;(streams[jailDescriptors.seccomp] as Duplex).end(options.seccomp)
  await group?.add(child.pid ?? 0).catch(() => {}) // it has ended already
  child.stdin?.end('go\n')
  const init = NamespaceInit.read(info)

  let killed = false
  const exited = (async (): Promise<Exit> => {
    const [code, signal] = (await exit) as [number | null, NodeJS.Signals | null]
    await (await init)?.gone()
    await printed
    const lackedMemory = (await group?.ranOutOfMemory()) ?? false
    await group?.remove()
    return exitOf({ code, signal, killed, lackedMemory, lines: tail.lines() })
  })()
  return {
    child,
    channel,
    exited,
    console: () => tail.text(),
    kill() {
      killed = child.exitCode === null && child.signalCode === null
      void endWithInit(child, init, exited)
      channel.destroy()
      return exited
    },
  }
}

/** bubblewrap outside sees its child end, takes it off the process table and ends itself, unless somebody stopped it. */
async function endWithInit(
  child: ChildProcess,
  init: Promise<NamespaceInit | undefined>,
  exited: Promise<Exit>,
): Promise<void> {
  let last = setTimeout(() => child.kill('SIGKILL'), startMs)
  void exited.finally(() => clearTimeout(last))
  const known = await init
  known?.kill()
  clearTimeout(last)
  if (child.exitCode === null && child.signalCode === null)
    last = setTimeout(() => child.kill('SIGKILL'), known ? graceMs : 0)
}

interface Ending {
  /** Of bubblewrap, which tells the command's: a signal as 128 + its number. */
  code: number | null
  signal: NodeJS.Signals | null
  /** We killed it while it was still there. */
  killed: boolean
  lackedMemory: boolean
  lines: string[]
}

const sigkill = 9
const sigsys = 31

/** What an ending means. Memory comes first: a jail that lacks it gets killed for what followed from that. */
export function exitOf({ code, signal, killed, lackedMemory, lines }: Ending): Exit {
  if (lackedMemory) return { kind: 'oom' }
  if (signal === 'SIGSYS' || code === 128 + sigsys) return { kind: 'sandbox-violation' }
  const wasKilled = signal === 'SIGKILL' || code === 128 + sigkill
  if (wasKilled) return { kind: killed ? 'killed' : 'oom' }
  if (code === 0) return { kind: 'clean' }
  return {
    kind: 'abnormal',
    detail: `${signal ?? `exit code ${code}`}: ${lines.slice(-2).join(' | ').slice(-400)}`,
  }
}
