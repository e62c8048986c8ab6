/** System calls of x86-64 Linux that the UML kernel and its launcher shell need (asm/unistd_64.h). */
const allowed: Record<string, number> = {
  ptrace: 101,
  wait4: 61,
  mmap: 9,
  munmap: 11,
  rt_sigreturn: 15,
  kill: 62,
  timer_settime: 223,
  read: 0,
  epoll_wait: 232,
  write: 1,
  clone: 56,
  rt_sigprocmask: 14,
  getpid: 39,
  fcntl: 72,
  rt_sigsuspend: 130,
  timer_gettime: 224,
  openat: 257,
  newfstatat: 262,
  ioctl: 16,
  rt_sigaction: 13,
  close: 3,
  getrandom: 318,
  epoll_ctl: 233,
  pread64: 17,
  pwrite64: 18,
  lseek: 8,
  mprotect: 10,
  brk: 12,
  socketpair: 53,
  unlink: 87,
  prlimit64: 302,
  access: 21,
  uname: 63,
  mkdir: 83,
  getdents64: 217,
  madvise: 28,
  socket: 41,
  bind: 49,
  execve: 59,
  fsync: 74,
  rmdir: 84,
  setsid: 112,
  sigaltstack: 131,
  statfs: 137,
  modify_ldt: 154,
  arch_prctl: 158,
  epoll_create: 213,
  set_tid_address: 218,
  timer_create: 222,
  set_robust_list: 273,
  rseq: 334,
  exit: 60,
  exit_group: 231,
  fallocate: 285,
  fdatasync: 75,
  tgkill: 234,
  gettid: 186,
  clock_gettime: 228,
  clock_nanosleep: 230,
  nanosleep: 35,
  timer_delete: 226,
  ftruncate: 77,
  getppid: 110,
  poll: 7,
  sched_yield: 24,
  fstat: 5,
  futex: 202,
  getuid: 102,
  getgid: 104,
  geteuid: 107,
  getegid: 108,
}

const archX8664 = 0xc000003e
const x32Bit = 0x40000000
const afUnix = 1
/** CLONE_NEWTIME | NEWNS | NEWCGROUP | NEWUTS | NEWIPC | NEWUSER | NEWPID | NEWNET */
const newNamespaces =
  0x00000080 | 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000
/** Pushing characters into a terminal. */
const tiocsti = 0x5412
/** Driving the console. */
const tioclinux = 0x541c

// Offsets in struct seccomp_data.
const nrOffset = 0
const archOffset = 4
const argOffset = (index: number) => 16 + 8 * index

const load = 0x20
const jumpEqual = 0x15
const jumpGreaterEqual = 0x35
const jumpSet = 0x45
const ret = 0x06
const killProcess = 0x80000000
const allow = 0x7fff0000

type Instruction = { code: number; jt: number; jf: number; k: number }

/**
 * The seccomp filter around the UML kernel process as an array of `struct sock_filter` (seccomp(2)), for bubblewrap's
 * `--seccomp FD`. Default is to kill: the guest's own system calls never get here (ptrace stops them first), so only a
 * kernel that has been taken over can meet the filter.
 */
export function umlSeccompFilter(): Uint8Array {
  const statement = (code: number, k: number): Instruction => ({ code, jt: 0, jf: 0, k })
  const branch = (code: number, k: number, jt: number, jf: number): Instruction => ({ code, jt, jf, k })
  const program: Instruction[] = [
    statement(load, archOffset),
    branch(jumpEqual, archX8664, 1, 0),
    statement(ret, killProcess),
    statement(load, nrOffset),
    branch(jumpGreaterEqual, x32Bit, 0, 1),
    statement(ret, killProcess),
  ]
  const only = (argument: number, ...test: Instruction[]) => [
    statement(load, argOffset(argument)),
    ...test,
    statement(ret, killProcess),
    statement(ret, allow),
  ]
  const guarded: Record<string, Instruction[]> = {
    socket: only(0, branch(jumpEqual, afUnix, 1, 0)),
    socketpair: only(0, branch(jumpEqual, afUnix, 1, 0)),
    clone: only(0, branch(jumpSet, newNamespaces, 0, 1)),
    ioctl: only(1, branch(jumpEqual, tiocsti, 1, 0), branch(jumpEqual, tioclinux, 0, 1)),
  }
  for (const [name, number] of Object.entries(allowed)) {
    const body = guarded[name] ?? [statement(ret, allow)]
    program.push(branch(jumpEqual, number, 0, body.length), ...body)
  }
  program.push(statement(ret, killProcess))

  const bytes = Buffer.alloc(program.length * 8)
  program.forEach(({ code, jt, jf, k }, index) => {
    bytes.writeUInt16LE(code, index * 8)
    bytes.writeUInt8(jt, index * 8 + 2)
    bytes.writeUInt8(jf, index * 8 + 3)
    bytes.writeUInt32LE(k >>> 0, index * 8 + 4)
  })
  return bytes
}
