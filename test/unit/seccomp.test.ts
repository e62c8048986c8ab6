import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { umlSeccompFilter } from '../../src/sandbox/seccomp.ts'

const x8664 = 0xc000003e
const program = Buffer.from(umlSeccompFilter())

/** Runs the filter as the kernel would (seccomp(2)), on the few instructions it uses. */
function verdict(call: { arch?: number; nr: number; args?: number[] }): 'allow' | 'kill' {
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
    else if (code === 0x06) return k === 0x7fff0000 ? 'allow' : 'kill'
    else assert.fail(`unknown instruction ${code}`)
  }
  return assert.fail('the filter has no end')
}

describe('seccomp filter around the UML kernel', () => {
  const sys = {
    read: 0,
    socket: 41,
    socketpair: 53,
    clone: 56,
    execve: 59,
    ptrace: 101,
    ioctl: 16,
    mount: 165,
    bpf: 321,
    unshare: 272,
    keyctl: 250,
    init_module: 175,
    setns: 308,
    clone3: 435,
    io_uring_setup: 425,
    openat: 257,
    pidfd_open: 434,
  }
  for (const name of ['read', 'execve', 'ptrace', 'openat'] as const)
    it(`allows ${name}`, () => assert.equal(verdict({ nr: sys[name] }), 'allow'))
  for (const name of [
    'mount',
    'bpf',
    'unshare',
    'keyctl',
    'init_module',
    'setns',
    'clone3',
    'io_uring_setup',
    'pidfd_open',
  ] as const)
    it(`kills ${name}`, () => assert.equal(verdict({ nr: sys[name] }), 'kill'))
  it('allows sockets of the AF_UNIX family only', () => {
    for (const family of [0, 2, 10, 16, 17, 40])
      assert.equal(verdict({ nr: sys.socket, args: [family] }), 'kill', `family ${family}`)
    assert.equal(verdict({ nr: sys.socket, args: [1] }), 'allow')
    assert.equal(verdict({ nr: sys.socketpair, args: [1] }), 'allow')
    assert.equal(verdict({ nr: sys.socketpair, args: [2] }), 'kill')
  })
  it('kills clone with any new namespace', () => {
    assert.equal(verdict({ nr: sys.clone, args: [0x11] }), 'allow')
    for (const flag of [0x80, 0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000])
      assert.equal(verdict({ nr: sys.clone, args: [0x11 | flag] }), 'kill', flag.toString(16))
  })
  it('kills ioctls that type into a terminal', () => {
    assert.equal(verdict({ nr: sys.ioctl, args: [0, 0x5412] }), 'kill')
    assert.equal(verdict({ nr: sys.ioctl, args: [0, 0x541c] }), 'kill')
    assert.equal(verdict({ nr: sys.ioctl, args: [0, 0x5401] }), 'allow')
  })
  it('kills other architectures and x32', () => {
    assert.equal(verdict({ nr: sys.read, arch: 0x40000003 }), 'kill')
    assert.equal(verdict({ nr: 0x40000000 }), 'kill')
  })
})
