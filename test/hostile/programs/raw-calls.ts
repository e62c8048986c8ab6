/** Where the program is loaded; its code, results and data follow each other in one segment that may do everything. */
const base = 0x400000
const headerBytes = 64 + 56
/** Its data may hold what the kernel writes. */
const scratchBytes = 8192

type Word = number | bigint
/** An argument that is the address of room the kernel may write into. */
export const scratch = Symbol('scratch')
/** A number, an earlier call's result, or the address of a text (ended by 0), of bytes, of the scratch room. */
export type Argument = Word | { resultOf: number } | string | Uint8Array | typeof scratch

export interface Call {
  nr: Word
  args?: Argument[]
  /** Through the door of 32-bit programs (`int 0x80`) instead of `syscall`. */
  by32BitDoor?: boolean
  /** A new process (the call must be a kind of fork) sleeps here for ever. */
  childSleeps?: boolean
}

/** `mov REG, imm64`: rdi, rsi, rdx, r10, r8, r9, the order of a system call's arguments (syscall(2)). */
const registers = [
  [0x48, 0xbf],
  [0x48, 0xbe],
  [0x48, 0xba],
  [0x49, 0xba],
  [0x49, 0xb8],
  [0x49, 0xb9],
]
/** `mov REG, [rax]` for the same registers. */
const fromMemory = [
  [0x48, 0x8b, 0x38],
  [0x48, 0x8b, 0x30],
  [0x48, 0x8b, 0x10],
  [0x4c, 0x8b, 0x10],
  [0x4c, 0x8b, 0x00],
  [0x4c, 0x8b, 0x08],
]
const systemCall = [0x0f, 0x05]
const int80 = [0xcd, 0x80]
const nanosleep = 35
const write = 1
const exitGroup = 231

/**
 * A program for x86-64 Linux that makes system calls one after the other, writes what each returned to descriptor 3 as
 * 64-bit numbers, then its scratch room, and ends. Written here byte by byte: it needs no compiler, no libc and no loader,
 * so that nothing but the call itself meets the jail.
 */
export function rawCalls(calls: Call[]): Uint8Array {
  // The code's length does not depend on addresses, so a first pass finds where the data goes.
  const { code } = assemble(calls, 0)
  const dataAt = base + headerBytes + code.length
  const placed = assemble(calls, dataAt)
  return Buffer.concat([elfHeader(placed.code.length + placed.data.length), placed.code, placed.data])
}

/** What `rawCalls` wrote: a result per call (negative: the error's number) and the scratch room. */
export function readResults(calls: Call[], output: Buffer): { results: number[]; scratch: Buffer } {
  const results = calls.flatMap((_, index) =>
    output.length >= 8 * (index + 1) ? [Number(output.readBigInt64LE(8 * index))] : [],
  )
  return { results, scratch: output.subarray(8 * calls.length) }
}

function assemble(calls: Call[], dataAt: number): { code: Buffer; data: Buffer } {
  const resultsBytes = 8 * calls.length
  const pool: Buffer[] = []
  let poolAt = dataAt + resultsBytes + scratchBytes
  const place = (bytes: Buffer) => {
    pool.push(bytes)
    poolAt += bytes.length
    return poolAt - bytes.length
  }
  const timespec = Buffer.alloc(16)
  timespec.writeBigInt64LE(1_000_000n, 0)
  const forEver = place(timespec)

  const wordOf = (argument: Exclude<Argument, { resultOf: number }>): Word => {
    if (argument === scratch) return dataAt + resultsBytes
    if (typeof argument === 'string') return place(Buffer.from(`${argument}\0`, 'latin1'))
    return argument instanceof Uint8Array ? place(Buffer.from(argument)) : argument
  }

  const code: number[] = []
  const call = ({ nr, args = [], by32BitDoor }: Call) => {
    args.forEach((argument, index) => {
      if (typeof argument === 'object' && 'resultOf' in argument)
        code.push(0x48, 0xb8, ...word(dataAt + 8 * argument.resultOf), ...(fromMemory[index] ?? []))
      else code.push(...(registers[index] ?? []), ...word(wordOf(argument)))
    })
    code.push(0x48, 0xb8, ...word(nr), ...(by32BitDoor ? int80 : systemCall))
  }
  calls.forEach((one, index) => {
    call(one)
    if (one.childSleeps) {
      const before = code.length
      code.push(0x48, 0x85, 0xc0, 0x0f, 0x85, 0, 0, 0, 0) // test rax, rax; jnz behind the sleep
      call({ nr: nanosleep, args: [forEver, 0] })
      const skipped = code.length - before - 9
      code.splice(before + 5, 4, skipped & 0xff, (skipped >> 8) & 0xff, 0, 0)
    }
    code.push(0x48, 0xa3, ...word(dataAt + 8 * index)) // movabs [address], rax
  })
  call({ nr: write, args: [3, dataAt, resultsBytes + scratchBytes] })
  call({ nr: exitGroup, args: [0] })
  return {
    code: Buffer.from(code),
    data: Buffer.concat([Buffer.alloc(resultsBytes + scratchBytes), ...pool]),
  }
}

function word(value: Word): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)))
  return bytes
}

/** ELF header and one program header (elf(5)): everything readable, writable and executable at `base`. */
function elfHeader(bodyBytes: number): Buffer {
  const header = Buffer.alloc(headerBytes)
  Buffer.from('\x7fELF\x02\x01\x01', 'latin1').copy(header)
  header.writeUInt16LE(2, 16) // ET_EXEC
  header.writeUInt16LE(62, 18) // EM_X86_64
  header.writeUInt32LE(1, 20)
  header.writeBigUInt64LE(BigInt(base + headerBytes), 24)
  header.writeBigUInt64LE(64n, 32)
  header.writeUInt16LE(64, 52)
  header.writeUInt16LE(56, 54)
  header.writeUInt16LE(1, 56)
  header.writeUInt32LE(1, 64) // PT_LOAD
  header.writeUInt32LE(7, 68)
  header.writeBigUInt64LE(0n, 72)
  header.writeBigUInt64LE(BigInt(base), 80)
  header.writeBigUInt64LE(BigInt(base), 88)
  header.writeBigUInt64LE(BigInt(headerBytes + bodyBytes), 96)
  header.writeBigUInt64LE(BigInt(headerBytes + bodyBytes), 104)
  header.writeBigUInt64LE(4096n, 112)
  return header
}
