const headerBytes = 64
const sectionBytes = 64
const noBits = 8

/**
 * A kernel module without its debug sections (Debian ships User-mode Linux's with them: 1.4 MB, without 0.3 MB). Done here
 * because `strip` of another binutils gives other bytes. Sections keep their numbers, so nothing that refers to them changes:
 * a debug section merely becomes empty. Whatever is not a 64-bit little-endian ELF file with such sections is returned as is.
 */
export function shrinkModule(module: Uint8Array): Uint8Array {
  const bytes = Buffer.from(module)
  if (bytes.length < headerBytes || bytes.readUInt32BE(0) !== 0x7f454c46 || bytes[4] !== 2 || bytes[5] !== 1)
    return module
  const table = Number(bytes.readBigUInt64LE(0x28))
  const count = bytes.readUInt16LE(0x3c)
  const sections = Array.from({ length: count }, (_, index) => {
    const header = Buffer.from(
      bytes.subarray(table + index * sectionBytes, table + (index + 1) * sectionBytes),
    )
    return {
      header,
      type: header.readUInt32LE(4),
      offset: Number(header.readBigUInt64LE(0x18)),
      size: Number(header.readBigUInt64LE(0x20)),
      align: Math.max(1, Number(header.readBigUInt64LE(0x30))),
    }
  })
  const names = sections[bytes.readUInt16LE(0x3e)]
  if (!names) return module
  const nameOf = (header: Buffer) => {
    const start = names.offset + header.readUInt32LE(0)
    return bytes.toString('latin1', start, bytes.indexOf(0, start))
  }
  const isDebug = (header: Buffer) => /^(?:\.rela)?\.debug_/.test(nameOf(header))
  if (!sections.some(({ header }) => isDebug(header))) return module

  const parts: Buffer[] = [Buffer.from(bytes.subarray(0, headerBytes))]
  let length = headerBytes
  const append = (data: Buffer, align: number) => {
    const padding = (align - (length % align)) % align
    parts.push(Buffer.alloc(padding), data)
    const start = length + padding
    length = start + data.length
    return start
  }
  for (const { header, type, offset, size, align } of sections.toSorted((a, b) => a.offset - b.offset)) {
    const debug = isDebug(header)
    const data = debug || type === noBits ? Buffer.alloc(0) : bytes.subarray(offset, offset + size)
    if (debug) header.writeBigUInt64LE(0n, 0x20)
    if (type !== 0) header.writeBigUInt64LE(BigInt(append(data, align)), 0x18)
  }
  const start = append(Buffer.concat(sections.map(({ header }) => header)), 8)
  const shrunk = Buffer.concat(parts)
  shrunk.writeBigUInt64LE(BigInt(start), 0x28)
  return shrunk
}
