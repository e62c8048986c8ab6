import { type ChildProcess, spawn } from 'node:child_process'
import type { Duplex } from 'node:stream'
import { PytiError } from '../errors.ts'
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
  /** Size of the jail's /tmp, which holds UML's memory. */
  tmpBytes: number
  cpu: number
  uid?: number | undefined
  /** Group beside `uid`, for a device node that only a group may open. */
  gid?: number | undefined
  /** Runs inside the jail; its file descriptor 3 is the channel, 5 is `openFile`. */
  command: string[]
  /** Open file descriptor of a BPF program for `--seccomp`. */
  seccompFd: number
  /** An open file the command gets as descriptor 5. */
  openFile?: number | undefined
}

export interface Jailed {
  child: ChildProcess
  channel: Duplex
  exited: Promise<Exit>
  console(): string
  kill(): Promise<Exit>
}

const consoleLines = 60

/**
 * Starts a command in bubblewrap: own user, pid, network, ipc, uts and cgroup namespaces, no capability, nothing of the
 * host's files but what is listed, gone when this process goes (sandbox.md section 5). Started by root the whole jail
 * runs as the unprivileged `uid`: root mapped into a namespace is still root on the host.
 * @throws PytiError `vm-unavailable` when it cannot be started
 */
export async function startJail(options: JailOptions): Promise<Jailed> {
  const argv = [
    'nice',
    '-n',
    '10',
    'taskset',
    '-c',
    String(options.cpu),
    'prlimit',
    '--core=0',
    '--nofile=1024',
    ...(options.memoryBytes === undefined ? [] : [`--as=${options.memoryBytes}`]),
    'bwrap',
    '--unshare-all',
    '--die-with-parent',
    '--new-session',
    '--uid',
    '65534',
    '--gid',
    '65534',
    '--cap-drop',
    'ALL',
    '--clearenv',
    '--setenv',
    'HOME',
    '/tmp',
    '--setenv',
    'TMPDIR',
    '/tmp',
    '--setenv',
    'PATH',
    '/usr/bin:/bin',
    '--hostname',
    'jail',
    ...options.readOnly.flatMap(([from, to]) => ['--ro-bind', from, to]),
    ...(options.writable ?? []).flatMap(([from, to]) => ['--bind', from, to]),
    ...(options.devices ?? []).flatMap(device => ['--dev-bind', device, device]),
    '--size',
    String(options.tmpBytes),
    '--tmpfs',
    '/tmp',
    '--dev-bind',
    '/dev/null',
    '/dev/null',
    '--remount-ro',
    '/',
    '--chdir',
    '/tmp',
    '--seccomp',
    '4',
    ...options.command,
  ]
  const child = spawn(argv[0] as string, argv.slice(1), {
    stdio: [
      'ignore',
      'pipe',
      'pipe',
      'pipe',
      options.seccompFd,
      ...(options.openFile === undefined ? [] : [options.openFile]),
    ],
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
    ...(options.uid !== undefined && { uid: options.uid, gid: options.gid ?? options.uid }),
  })
  const lines: string[] = []
  const keep = (chunk: Buffer) => {
    lines.push(
      ...chunk
        .toString('latin1')
        .split('\n')
        .filter(Boolean)
        .map(line => line.slice(0, 300)),
    )
    lines.splice(0, Math.max(0, lines.length - consoleLines))
  }
  child.stdout?.on('data', keep)
  child.stderr?.on('data', keep)
  let killed = false
  const exited = new Promise<Exit>(resolve => {
    child.once('close', (code, signal) => resolve(exitOf(code, signal, killed, lines)))
  })
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve)
    child.once('error', cause => {
      reject(
        new PytiError('vm-unavailable', `cannot start the jail: ${cause.message}`, {
          hint: 'run `pyti doctor`',
          cause,
        }),
      )
    })
  })
  const channel = child.stdio[3] as unknown as Duplex
  channel.on('error', () => {}) // a VM that dies with bytes in flight; its Exit says so
  return {
    child,
    channel,
    exited,
    console: () => lines.join('\n'),
    kill() {
      killed = true
      child.kill('SIGKILL')
      channel.destroy()
      return exited
    },
  }
}

function exitOf(code: number | null, signal: NodeJS.Signals | null, killed: boolean, lines: string[]): Exit {
  if (killed) return { kind: 'killed' }
  if (code === 0) return { kind: 'clean' }
  // bubblewrap reports a child's signal as 128 + number.
  if (signal === 'SIGSYS' || code === 128 + 31) return { kind: 'sandbox-violation' }
  if (signal === 'SIGKILL' || code === 128 + 9) return { kind: 'oom' }
  return {
    kind: 'abnormal',
    detail: `${signal ?? `exit code ${code}`}: ${lines.slice(-2).join(' | ').slice(-400)}`,
  }
}
