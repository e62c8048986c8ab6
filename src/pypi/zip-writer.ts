import { crc32, deflateRawSync } from 'node:zlib'

/** One member as it will lie in the archive; `body` is already compressed when `method` is 8. */
export interface ZipEntry {
  name: string
  method: 0 | 8
  body: Uint8Array
  crc32: number
  /** Bytes once unpacked. */
  size: number
  /** Unix file mode with its type bits. */
  mode: number
}

/** 2025-01-01 00:00:00 in MS-DOS form: a fixed time, so that equal input gives equal bytes. */
const dosTime = 0
const dosDate = ((2025 - 1980) << 9) | (1 << 5) | 1
const regularFile = 0o100644

export function storedEntry(name: string, data: Uint8Array, mode = regularFile): ZipEntry {
  return { name, method: 0, body: data, crc32: crc32(data), size: data.length, mode }
}

export function deflatedEntry(name: string, data: Uint8Array, mode = regularFile): ZipEntry {
  return { name, method: 8, body: deflateRawSync(data), crc32: crc32(data), size: data.length, mode }
}

/** A zip archive (APPNOTE.TXT 6.3, no ZIP64) of these members, in this order. Names are not checked: tests make bad ones. */
export function writeZip(entries: ZipEntry[]): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = []
  const directory: Uint8Array[] = []
  let offset = 0
  for (const entry of entries) {
    const name = Buffer.from(entry.name, 'utf8')
    const common = commonHeader(entry, name.length)
    const local = Buffer.concat([Buffer.from('PK\x03\x04'), common, name])
    parts.push(local, entry.body)
    directory.push(centralHeader(entry, common, offset), name)
    offset += local.length + entry.body.length
  }
  const central = Buffer.concat(directory)
  return Buffer.concat([...parts, central, endRecord(entries.length, central.length, offset)])
}

function commonHeader(entry: ZipEntry, nameLength: number): Buffer {
  const header = Buffer.alloc(26)
  header.writeUInt16LE(20, 0)
  // Bit 11: the name is UTF-8.
  header.writeUInt16LE(0x800, 2)
  header.writeUInt16LE(entry.method, 4)
  header.writeUInt16LE(dosTime, 6)
  header.writeUInt16LE(dosDate, 8)
  header.writeUInt32LE(entry.crc32, 10)
  header.writeUInt32LE(entry.body.length, 14)
  header.writeUInt32LE(entry.size, 18)
  header.writeUInt16LE(nameLength, 22)
  return header
}

function centralHeader(entry: ZipEntry, common: Buffer, offset: number): Buffer {
  const tail = Buffer.alloc(14)
  tail.writeUInt32LE((entry.mode << 16) >>> 0, 6)
  tail.writeUInt32LE(offset, 10)
  // 0x0314: made on Unix, so that the mode counts.
  return Buffer.concat([Buffer.from('PK\x01\x02'), Buffer.from([0x14, 0x03]), common, tail])
}

function endRecord(count: number, size: number, offset: number): Buffer {
  const end = Buffer.alloc(22)
  end.write('PK\x05\x06', 0, 'latin1')
  end.writeUInt16LE(count, 8)
  end.writeUInt16LE(count, 10)
  end.writeUInt32LE(size, 12)
  end.writeUInt32LE(offset, 16)
  return end
}
