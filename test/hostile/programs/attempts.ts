import { type Argument, type Call, scratch } from './raw-calls.ts'

/** What became of the last call: it worked, the error it gave ("A or B"), or the end of the process by SIGSYS. */
export type Outcome = string

export interface Attempt {
  name: string
  calls: Call[]
  uml: Outcome
  qemu: Outcome
  /** It works for an ordinary process of the same machine: the control run must show it. */
  outside?: boolean
}

const call = (nr: number | bigint, ...args: Argument[]): Call => ({ nr, args })
const fdcwd = -100
const openat = (path: string, flags = 0) => call(257, fdcwd, path, flags, 0o600)
const [writeOnly, readWrite, create, directory] = [1, 2, 0o100, 0o200000]
const socket = (family: number | bigint, type = 1) => call(41, family, type, 0)
const clone = (flags: number) => call(56, flags | 17, 0, 0, 0, 0)
const sockaddr = (path: string) => Buffer.from(`\x01\x00${path}`, 'latin1')
/** struct clone_args with only flags and exit_signal set. */
const cloneArguments = (flags: number) => {
  const bytes = Buffer.alloc(64)
  bytes.writeBigUInt64LE(BigInt(flags), 0)
  bytes.writeBigUInt64LE(17n, 32)
  return bytes
}
const [newUser, newNet, newPid, newMount] = [0x10000000, 0x40000000, 0x20000000, 0x20000]
const high = 0x1_0000_0000n

const both = (name: string, outcome: Outcome, calls: Call[], outside = false): Attempt => ({
  name,
  calls,
  uml: outcome,
  qemu: outcome,
  outside,
})
const split = (name: string, uml: Outcome, qemu: Outcome, calls: Call[], outside = false): Attempt => ({
  name,
  calls,
  uml,
  qemu,
  outside,
})

/** An abstract socket the test listens on. */
export const hostSocket = '\0pyti-hostile-jail-test'

export const attempts: Attempt[] = [
  // Files
  both('reads /etc/passwd', 'ENOENT', [openat('/etc/passwd')], true),
  both('climbs out with ..', 'ENOENT', [openat('/../../../../etc/passwd')], true),
  both('opens /root', 'ENOENT', [openat('/root', directory)]),
  both('opens /home', 'ENOENT', [openat('/home', directory)], true),
  both('opens /proc', 'ENOENT', [openat('/proc/self/environ')], true),
  both('opens the root of process 1', 'ENOENT', [openat('/proc/1/root', directory)]),
  both('opens /sys', 'ENOENT', [openat('/sys/kernel', directory)], true),
  both('opens /dev/kvm', 'ENOENT', [openat('/dev/kvm', readWrite)]),
  both('opens /dev/mem', 'ENOENT', [openat('/dev/mem')]),
  both('opens the terminal', 'ENOENT', [openat('/dev/tty', readWrite)]),
  both('opens /dev/zero', 'ENOENT', [openat('/dev/zero')], true),
  both('writes into /', 'EROFS', [openat('/x', create | writeOnly)]),
  both('writes into /dev', 'EROFS', [openat('/dev/x', create | writeOnly)]),
  both('writes beside its files', 'EROFS', [openat('/k/x', create | writeOnly)]),
  both('writes to the image', 'EACCES or EROFS', [openat('/k/base', writeOnly)]),
  both('writes to the job disk', 'EROFS', [openat('/k/job', writeOnly)]),
  both('writes to the shell that started it', 'EACCES or EROFS', [openat('/k/launch/sh', writeOnly)]),
  both('writes to its output disk', 'works', [openat('/k/output', readWrite)]),
  both('writes into its own /tmp', 'works', [openat('/tmp/x', create | writeOnly)], true),
  // Networks
  both('opens an IPv4 socket', 'killed', [socket(2)], true),
  both('opens an IPv4 socket, with high bits', 'killed', [socket(high | 2n)], true),
  both('opens an IPv6 socket', 'killed', [socket(10)], true),
  both('opens a netlink socket', 'killed', [socket(16, 3)], true),
  both('opens a packet socket', 'killed', [socket(17, 3)]),
  both('opens a vsock socket', 'killed', [socket(40)]),
  both('opens an AF_ALG socket', 'killed', [socket(38, 5)]),
  both('makes a pair of IPv4 sockets', 'killed', [call(53, 2, 1, 0, scratch)]),
  both('opens a Unix socket', 'works', [socket(1)], true),
  split(
    'connects to a socket of the host',
    'killed',
    'ECONNREFUSED',
    [socket(1), call(42, { resultOf: 0 }, sockaddr(hostSocket), 2 + hostSocket.length)],
    true,
  ),
  // Namespaces and privileges
  both('unshares the user namespace', 'killed', [call(272, newUser)], true),
  both('unshares network, processes and mounts', 'killed', [call(272, newNet | newPid | newMount)]),
  both('clones into a new user namespace', 'killed', [{ ...clone(newUser), childSleeps: true }], true),
  both('clones into a new network', 'killed', [{ ...clone(newUser | newNet), childSleeps: true }], true),
  both(
    'clones by clone3',
    'ENOSYS',
    [{ ...call(435, cloneArguments(newUser), 64), childSleeps: true }],
    true,
  ),
  both('enters a namespace', 'killed', [call(308, 3, 0)]),
  both('mounts', 'killed', [call(165, 'none', '/tmp', 'tmpfs', 0, 0)]),
  both('opens a file system', 'killed', [call(430, 'tmpfs', 0)]),
  both('changes its root', 'killed', [call(161, '/tmp')]),
  both('swaps its root', 'killed', [call(155, '/', '/')]),
  split('becomes root', 'killed', 'ENOSYS', [call(105, 0)]),
  both('raises its limit of processes', 'EPERM', [call(302, 0, 6, limitOf(10_000), 0)]),
  split('writes to a program it made in memory', 'killed', 'ENOSYS', [call(319, 'x', 0)], true),
  both('runs a file by descriptor', 'killed', [call(322, 3, '', 0, 0, 0x1000)]),
  split('switches randomisation off', 'killed', 'killed', [call(135, 0x40000)], true),
  split('asks for its personality', 'killed', 'works', [call(135, 0xffffffff)], true),
  // Other processes
  // bubblewrap's own process, in the same jail: it can be stopped, and nothing is won.
  split('traces process 1', 'works', 'killed', [call(101, 16, 1, 0, 0)]),
  both('reads the memory of process 1', 'killed', [call(310, 1, scratch, 0, scratch, 0, 0)]),
  both('writes the memory of process 1', 'killed', [call(311, 1, scratch, 0, scratch, 0, 0)]),
  split('takes a handle on process 1', 'killed', 'ENOSYS', [call(434, 1, 0)], true),
  both('takes a descriptor from a process', 'killed', [call(438, 3, 0, 0)]),
  split('signals a process of the host', 'ESRCH', 'ENOSYS', [call(62, process.pid, 0)], true),
  split('kills process 1', 'works', 'ENOSYS', [call(62, 1, 9)]),
  split('forks', 'works', 'killed', [{ ...clone(0), childSleeps: true }], true),
  // The host's kernel
  both('loads a BPF program', 'killed', [call(321, 0, scratch, 72)]),
  split('sets up an io_uring', 'killed', 'ENOSYS', [call(425, 8, scratch)]),
  both('enters an io_uring', 'killed', [call(426, 3, 0, 0, 0, 0, 0)]),
  both('asks for a key', 'killed', [call(249, 'user', 'x', 0, 0)]),
  both('adds a key', 'killed', [call(248, 'user', 'x', 'y', 1, -2)]),
  both('opens a performance counter', 'killed', [call(298, scratch, 0, -1, -1, 0)]),
  both('handles page faults itself', 'killed', [call(323, 1)]),
  both('loads a module', 'killed', [call(175, scratch, 8, '')]),
  both('loads a kernel', 'killed', [call(246, 0, 0, 0, 0)]),
  both('reboots', 'killed', [call(169, 0, 0, 0, 0)]),
  both('reads the kernel log', 'killed', [call(103, 3, scratch, 64)]),
  both('opens a file by handle', 'killed', [call(304, 3, scratch, 0)]),
  both('types into a terminal', 'killed', [call(16, 0, 0x5412, 'x')]),
  both('types into a terminal, with high bits', 'killed', [call(16, 0, high | 0x5412n, 'x')]),
  both('pastes into a console', 'killed', [call(16, 0, 0x541c, 'x')]),
  both('calls as a 32-bit program', 'killed', [{ nr: 20, by32BitDoor: true }]),
  both('calls by the x32 interface', 'killed', [call(0x40000000 | 39)]),
]

function limitOf(value: number): Uint8Array {
  const bytes = Buffer.alloc(16)
  bytes.writeBigUInt64LE(BigInt(value), 0)
  bytes.writeBigUInt64LE(BigInt(value), 8)
  return bytes
}

/** What a result says, as an `Outcome`. */
export function outcomeOf(result: number | undefined, nameOf: (errno: number) => string): Outcome {
  if (result === undefined) return 'no result'
  return result >= 0 ? 'works' : nameOf(-result)
}
