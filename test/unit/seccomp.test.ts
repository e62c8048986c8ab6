import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { compileFilter } from '../../src/sandbox/seccomp/filter.ts'
import { type SystemCall, systemCalls } from '../../src/sandbox/seccomp/syscalls-x86-64.ts'
import { qemuSeccompFilter, umlSeccompFilter } from '../../src/sandbox/seccomp.ts'

const x8664 = 0xc000003e
const uml = Buffer.from(umlSeccompFilter())
const qemu = Buffer.from(qemuSeccompFilter())
type Answer = 'allow' | 'enosys' | 'kill'

const answers = new Map<number, Answer>([
  [0x7fff0000, 'allow'],
  [0x00050026, 'enosys'],
  [0x80000000, 'kill'],
])

/** Runs the filter as the kernel would (seccomp(2)), on the few instructions it uses. */
function verdict(program: Buffer, call: { arch?: number; nr: number; args?: number[] }): Answer {
  const data = Buffer.alloc(64)
  data.writeUInt32LE(call.nr, 0)
  data.writeUInt32LE(call.arch ?? x8664, 4)
  for (const [index, value] of (call.args ?? []).entries()) data.writeUInt32LE(value >>> 0, 16 + 8 * index)
  let accumulator = 0
  for (let at = 0; at * 8 < program.length; at++) {
    const [code, jt, jf, k] = [
      program.readUInt16LE(at * 8),
      program.readUInt8(at * 8 + 2),
      program.readUInt8(at * 8 + 3),
      program.readUInt32LE(at * 8 + 4),
    ]
    if (code === 0x20) accumulator = data.readUInt32LE(k)
    else if (code === 0x15) at += accumulator === k ? jt : jf
    else if (code === 0x35) at += accumulator >= k ? jt : jf
    else if (code === 0x45) at += (accumulator & k) !== 0 ? jt : jf
    else if (code === 0x06) return answers.get(k) ?? assert.fail(`unknown verdict ${k.toString(16)}`)
    else assert.fail(`unknown instruction ${code}`)
  }
  return assert.fail('the filter has no end')
}

const dangerous: SystemCall[] = [
  ...(['mount', 'umount2', 'pivot_root', 'chroot', 'open_tree', 'move_mount', 'fsopen', 'fsmount'] as const),
  ...(['bpf', 'unshare', 'setns', 'keyctl', 'add_key', 'request_key', 'perf_event_open'] as const),
  ...(['userfaultfd', 'io_uring_enter', 'io_uring_register', 'process_vm_readv', 'pidfd_getfd'] as const),
  ...(['process_vm_writev', 'init_module', 'finit_module', 'delete_module', 'kexec_load'] as const),
  ...(['kexec_file_load', 'open_by_handle_at', 'name_to_handle_at', 'reboot', 'execveat', 'kcmp'] as const),
]

for (const [name, program, needed] of [
  ['UML', uml, ['ptrace', 'execve', 'openat', 'pwrite64', 'fsync', 'kill']],
  ['QEMU', qemu, ['execve', 'openat', 'preadv', 'pwritev', 'ppoll', 'fdatasync', 'seccomp', 'connect']],
] as const)
  describe(`seccomp filter around ${name}`, () => {
    const answer = (call: SystemCall, ...args: number[]) => verdict(program, { nr: systemCalls[call], args })

    it('allows what it needs', () => {
      for (const call of ['read', 'write', 'exit_group', ...needed] as const)
        assert.equal(answer(call), 'allow', call)
    })
    it('kills what only an attacker needs', () => {
      for (const call of dangerous) assert.equal(answer(call), 'kill', call)
    })
    it('sends clone3 back to clone: its flags are out of sight', () =>
      assert.equal(answer('clone3'), 'enosys'))
    it('allows sockets of the AF_UNIX family only', () => {
      for (const family of [0, 2, 10, 16, 17, 38, 40])
        assert.equal(answer('socket', family), 'kill', `family ${family}`)
      assert.equal(answer('socket', 1), 'allow')
      assert.equal(answer('socketpair', 1), 'allow')
      assert.equal(answer('socketpair', 2), 'kill')
    })
    it('kills clone with any new namespace', () => {
      const thread = 0x50f00
      assert.equal(answer('clone', thread), 'allow')
      for (const flag of [0x80, 0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000])
        assert.equal(answer('clone', thread | flag), 'kill', flag.toString(16))
    })
    it('kills ioctls that type into a terminal', () => {
      assert.equal(answer('ioctl', 0, 0x5412), 'kill')
      assert.equal(answer('ioctl', 0, 0x541c), 'kill')
      assert.equal(answer('ioctl', 0, 0x5401), 'allow')
    })
    it('kills other architectures and x32', () => {
      for (const arch of [0x40000003, 0xc00000b7, 0])
        assert.equal(verdict(program, { nr: systemCalls.read, arch }), 'kill')
      for (const nr of [0x40000000, 0x40000000 | 39, 0xffffffff])
        assert.equal(verdict(program, { nr }), 'kill')
    })
    it('is shorter than the kernel takes (BPF_MAXINSNS)', () => assert.ok(program.length / 8 <= 4096))
  })

describe('where the two filters differ', () => {
  const unknown = 400
  it('an unknown call kills UML, and has no system for QEMU', () => {
    assert.equal(verdict(uml, { nr: unknown }), 'kill')
    assert.equal(verdict(qemu, { nr: unknown }), 'enosys')
  })
  it('QEMU starts threads, UML processes', () => {
    const clone = { nr: systemCalls.clone, args: [17] }
    assert.equal(verdict(uml, clone), 'allow')
    assert.equal(verdict(qemu, clone), 'kill')
    for (const call of ['fork', 'vfork', 'ptrace'] as const)
      assert.equal(verdict(qemu, { nr: systemCalls[call] }), 'kill', call)
  })
  it('QEMU may ask for its personality, not change it', () => {
    const personality = (arg: number) => ({ nr: systemCalls.personality, args: [arg] })
    assert.equal(verdict(qemu, personality(0xffffffff)), 'allow')
    assert.equal(verdict(qemu, personality(0x40000)), 'kill')
    assert.equal(verdict(uml, personality(0xffffffff)), 'kill')
  })
  it('QEMU does without io_uring', () =>
    assert.equal(verdict(qemu, { nr: systemCalls.io_uring_setup }), 'enosys'))
})

describe('a compiled policy', () => {
  it('wants every bit of allBits', () => {
    const program = Buffer.from(
      compileFilter({
        allow: [],
        enosys: [],
        kill: [],
        otherwise: 'kill',
        guarded: { read: { argument: 2, allBits: 0x80000001 } },
      }),
    )
    const read = (flags: number) => verdict(program, { nr: 0, args: [0, 0, flags] })
    assert.equal(read(0x80000001), 'allow')
    assert.equal(read(0xffffffff), 'allow')
    for (const flags of [0, 1, 0x80000000, 0x7fffffff]) assert.equal(read(flags), 'kill')
  })
})
