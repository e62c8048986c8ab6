import { type ArgumentTest, compileFilter } from './seccomp/filter.ts'
import { type SystemCall, systemCalls } from './seccomp/syscalls-x86-64.ts'

/** Names in prose order. @throws TypeError for one that has no number */
function named(text: string): SystemCall[] {
  return text
    .trim()
    .split(/\s+/)
    .map(name => {
      if (!isSystemCall(name)) throw new TypeError(`no number for system call ${name}`)
      return name
    })
}

function isSystemCall(name: string): name is SystemCall {
  return Object.hasOwn(systemCalls, name)
}

const afUnix = 1
const cloneThread = 0x00010000
/** CLONE_NEWTIME | NEWNS | NEWCGROUP | NEWUTS | NEWIPC | NEWUSER | NEWPID | NEWNET */
const newNamespaces =
  0x00000080 | 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000
/** Pushing characters into a terminal. */
const tiocsti = 0x5412
/** Driving the console. */
const tioclinux = 0x541c

const onlyUnixSockets: ArgumentTest = { argument: 0, oneOf: [afUnix] }
const noTerminalInput: ArgumentTest = { argument: 1, noneOf: [tiocsti, tioclinux] }

/** System calls the UML kernel and its launcher shell were seen to use (sandbox.md section 5). */
const umlCalls = named(`
  ptrace wait4 mmap munmap rt_sigreturn kill timer_settime read epoll_wait write rt_sigprocmask getpid
  fcntl rt_sigsuspend timer_gettime openat newfstatat rt_sigaction close getrandom epoll_ctl pread64
  pwrite64 lseek mprotect brk unlink prlimit64 access uname mkdir getdents64 madvise bind execve fsync
  rmdir setsid sigaltstack statfs modify_ldt arch_prctl epoll_create set_tid_address timer_create
  set_robust_list rseq exit exit_group fallocate fdatasync tgkill gettid clock_gettime clock_nanosleep
  nanosleep restart_syscall timer_delete ftruncate getppid poll sched_yield fstat futex getuid getgid geteuid getegid
`)

/**
 * The filter around the UML kernel process. Default is to kill. The guest's own system calls do not get here: ptrace stops
 * them first. What meets the filter is a kernel that has been taken over or led astray, and, for the moment until the
 * jail is gone, guest processes whose kernel it has killed.
 */
export function umlSeccompFilter(): Uint8Array {
  return compileFilter({
    allow: umlCalls,
    guarded: {
      socket: onlyUnixSockets,
      socketpair: onlyUnixSockets,
      clone: { argument: 0, noBits: newNamespaces },
      ioctl: noTerminalInput,
    },
    // Its flags are in memory, out of a filter's reach; a libc that gets ENOSYS takes clone.
    enosys: ['clone3'],
    kill: [],
    otherwise: 'kill',
  })
}

/** System calls QEMU 7.2, the launcher shell and their loader were seen to use, with bubblewrap's init, and close kin other versions may. */
const qemuCalls = named(`
  read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 lseek open openat close stat
  fstat lstat newfstatat statx statfs fstatfs access faccessat2 readlink getcwd fchdir getdents64 fcntl dup
  dup2 dup3 pipe pipe2 fsync fdatasync fallocate ftruncate mmap mprotect munmap mremap madvise brk
  membarrier futex rseq set_robust_list set_tid_address arch_prctl prctl seccomp execve exit exit_group
  rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigtimedwait rt_sigsuspend sigaltstack tgkill
  getpid gettid getppid getuid getgid geteuid getegid uname sysinfo getrandom prlimit64 getrlimit
  sched_yield sched_getaffinity wait4 poll ppoll epoll_create epoll_create1 epoll_ctl epoll_wait
  epoll_pwait eventfd eventfd2 signalfd signalfd4 timerfd_create timerfd_settime timerfd_gettime
  timer_create timer_settime timer_gettime timer_delete clock_gettime clock_getres clock_nanosleep
  nanosleep restart_syscall sendto recvfrom sendmsg recvmsg shutdown connect getsockname getpeername getsockopt setsockopt
`)

/** What no part of QEMU has a use for and an attacker has. Anything else unknown gets ENOSYS, io_uring_setup among it:
 * QEMU asks for it at every start and does without. */
const qemuNever = named(`
  ptrace process_vm_readv process_vm_writev process_madvise kcmp pidfd_getfd bpf keyctl add_key request_key
  perf_event_open userfaultfd io_uring_enter io_uring_register mount umount2 pivot_root chroot open_tree
  move_mount fsopen fsconfig fsmount fspick mount_setattr unshare setns kexec_load kexec_file_load
  init_module finit_module delete_module name_to_handle_at open_by_handle_at fanotify_init swapon swapoff
  reboot acct quotactl iopl ioperm syslog clock_settime sethostname setdomainname migrate_pages move_pages
  modify_ldt execveat fork vfork
`)

/**
 * The filter around QEMU. An unknown call gets ENOSYS, so that another libc or QEMU build can fall back; calls that are
 * only good for an attack kill. QEMU may start threads but no process.
 */
export function qemuSeccompFilter(): Uint8Array {
  return compileFilter({
    allow: qemuCalls,
    guarded: {
      socket: onlyUnixSockets,
      socketpair: onlyUnixSockets,
      clone: { argument: 0, noBits: newNamespaces, allBits: cloneThread },
      ioctl: noTerminalInput,
      personality: { argument: 0, oneOf: [0xffffffff] },
    },
    enosys: ['clone3', 'io_uring_setup'],
    kill: qemuNever,
    otherwise: 'enosys',
  })
}
