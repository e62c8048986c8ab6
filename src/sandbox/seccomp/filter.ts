import { auditArch, foreignInterfaceBit, type SystemCall, systemCalls } from './syscalls-x86-64.ts'

export type Verdict = 'allow' | 'enosys' | 'kill'

/** A test of one argument's low 32 bits: every argument tested here is an `int` for the kernel. */
export interface ArgumentTest {
  argument: number
  /** One of them must be equal, where given. */
  oneOf?: number[]
  /** None of them may be equal. */
  noneOf?: number[]
  /** All of these bits must be set. */
  allBits?: number
  /** None of these bits may be set. */
  noBits?: number
}

export interface Policy {
  allow: SystemCall[]
  /** Allowed when the test holds, else the process is killed. */
  guarded: Partial<Record<SystemCall, ArgumentTest>>
  enosys: SystemCall[]
  kill: SystemCall[]
  otherwise: Verdict
}

// Offsets in struct seccomp_data.
const nrOffset = 0
const archOffset = 4
const argumentOffset = (index: number) => 16 + 8 * index

const load = 0x20
const jumpEqual = 0x15
const jumpGreaterEqual = 0x35
const jumpSet = 0x45
const ret = 0x06

const verdicts: Record<Verdict, number> = {
  allow: 0x7fff0000,
  // SECCOMP_RET_ERRNO with ENOSYS: what a kernel without the call answers, so that a libc tries another.
  enosys: 0x00050000 | 38,
  kill: 0x80000000,
}

type Instruction = { code: number; jt: number; jf: number; k: number }
const statement = (code: number, k: number): Instruction => ({ code, jt: 0, jf: 0, k })
const branch = (code: number, k: number, jt: number, jf: number): Instruction => ({ code, jt, jf, k })
const end = (verdict: Verdict) => statement(ret, verdicts[verdict])

/** The policy as an array of `struct sock_filter` (seccomp(2)), for bubblewrap's `--seccomp FD`. */
export function compileFilter(policy: Policy): Uint8Array {
  const program: Instruction[] = [
    statement(load, archOffset),
    branch(jumpEqual, auditArch, 1, 0),
    end('kill'),
    statement(load, nrOffset),
    branch(jumpGreaterEqual, foreignInterfaceBit, 0, 1),
    end('kill'),
  ]
  const when = (name: SystemCall, body: Instruction[]) =>
    program.push(branch(jumpEqual, systemCalls[name], 0, body.length), ...body)
  for (const name of policy.allow) when(name, [end('allow')])
  for (const [name, test] of Object.entries(policy.guarded)) when(name as SystemCall, guard(test))
  for (const name of policy.enosys) when(name, [end('enosys')])
  for (const name of policy.kill) when(name, [end('kill')])
  program.push(end(policy.otherwise))

  const bytes = Buffer.alloc(program.length * 8)
  program.forEach(({ code, jt, jf, k }, index) => {
    bytes.writeUInt16LE(code, index * 8)
    bytes.writeUInt8(jt, index * 8 + 2)
    bytes.writeUInt8(jf, index * 8 + 3)
    bytes.writeUInt32LE(k >>> 0, index * 8 + 4)
  })
  return bytes
}

/** Each refusal stands right behind its test, so that jumps stay within their 8 bits. */
function guard(test: ArgumentTest): Instruction[] {
  const body = [statement(load, argumentOffset(test.argument))]
  for (const value of test.noneOf ?? []) body.push(branch(jumpEqual, value, 0, 1), end('kill'))
  if (test.noBits !== undefined) body.push(branch(jumpSet, test.noBits, 0, 1), end('kill'))
  for (let bit = 1; bit <= 0x80000000; bit *= 2)
    if (((test.allBits ?? 0) & bit) !== 0) body.push(branch(jumpSet, bit, 1, 0), end('kill'))
  if (test.oneOf === undefined) return [...body, end('allow')]
  for (const value of test.oneOf) body.push(branch(jumpEqual, value, 0, 1), end('allow'))
  return [...body, end('kill')]
}
