import type { JailOptions } from './jail.ts'

/** Descriptors of the process that becomes the jail; the command itself keeps 1, 2, 3 and, where given, 5. */
export const jailDescriptors = { gate: 0, channel: 3, seccomp: 4, openFile: 5, info: 6 }

/**
 * Share of a CPU that somebody else wants too: a quarter. Less (nice 19, SCHED_IDLE: 1.5 and 0.3 percent) keeps a job on
 * a busy machine from ever ending in time, and its volunteer would report a hang that is none.
 */
const niceness = 5

/**
 * Lets the command start only when the host has put this process where it belongs, and not at all when the host is gone
 * before that. Whoever dies later takes it along (`--pdeathsig`, and bubblewrap's own `--die-with-parent`). Where the
 * kernel groups processes by session, `nice` alone means nothing between sessions (sched(7)).
 */
const gate = [
  'read -r go || exit 1',
  `{ echo ${niceness} >/proc/self/autogroup; } 2>/dev/null`,
  'exec "$@" </dev/null',
].join('; ')

/** Both limits hold only when set inside the user namespace: outside, the user's whole desktop would be counted. */
const launcher = (processes: number) => `ulimit -p ${processes}; ulimit -c 0; exec "$@"`

/** Where the shell of the launcher and what it is linked with are in the jail, whatever else is bound there. */
const launch = { shell: '/k/launch/sh', loader: '/k/launch/ld.so', libc: '/k/launch/lib/libc.so.6' }

/** The command line of a jail (sandbox.md section 5). Paths are arguments, never part of a shell's text. */
export function jailCommand(options: JailOptions): [file: string, ...args: string[]] {
  const binds = (option: string, pairs: [string, string][]) => pairs.flatMap(pair => [option, ...pair])
  return [
    'setpriv',
    ...['--pdeathsig', 'KILL'],
    ...['sh', '-c', gate, 'gate'],
    ...['nice', '-n', String(niceness), 'ionice', '-c', '2', '-n', '7'],
    ...['taskset', '-c', String(options.cpu)],
    ...['prlimit', '--core=0', '--nofile=1024'],
    ...(options.memoryBytes === undefined ? [] : [`--as=${options.memoryBytes}`]),
    ...['bwrap', '--unshare-all', '--die-with-parent'],
    ...['--uid', '65534', '--gid', '65534', '--cap-drop', 'ALL', '--hostname', 'jail'],
    ...['--clearenv', '--setenv', 'HOME', '/tmp', '--setenv', 'TMPDIR', '/tmp'],
    ...['--setenv', 'PATH', '/usr/bin:/bin'],
    ...binds('--ro-bind', [
      [options.shell.program, launch.shell],
      [options.shell.loader, launch.loader],
      [options.shell.libc, launch.libc],
      ...options.readOnly,
    ]),
    ...binds('--bind', options.writable ?? []),
    ...(options.devices ?? []).flatMap(device => ['--dev-bind', device, device]),
    ...['--size', String(options.tmpBytes), '--tmpfs', '/tmp'],
    ...['--dev-bind', '/dev/null', '/dev/null'],
    ...['--remount-ro', '/', '--chdir', '/tmp'],
    ...['--info-fd', String(jailDescriptors.info), '--seccomp', String(jailDescriptors.seccomp)],
    ...[launch.loader, '--library-path', '/k/launch/lib', launch.shell],
    ...['-c', launcher(options.processes), 'launcher', ...options.command],
  ]
}
