export interface CpioEntry {
  /** Path without a leading slash; parents must come first. */
  path: string
  /** Permission bits. */
  mode: number
  /** Content of a file or target of a link; absent: a directory. */
  data?: Uint8Array
  link?: boolean
}

/**
 * A `newc` cpio archive as the kernel's initramfs unpacker reads it (Documentation/driver-api/early-userspace/
 * buffer-format.rst): all times, owners and inode numbers fixed, so equal entries give equal bytes.
 */
export function encodeCpio(entries: CpioEntry[]): Uint8Array {
  const parts: Buffer[] = []
  const member = (path: string, mode: number, data: Uint8Array, inode: number) => {
    const name = Buffer.from(`${path}\0`)
    const fields = [inode, mode, 0, 0, 1, 0, data.length, 0, 0, 0, 0, name.length, 0]
    const header = `070701${fields.map(field => field.toString(16).toUpperCase().padStart(8, '0')).join('')}`
    parts.push(pad(Buffer.concat([Buffer.from(header), name])), pad(Buffer.from(data)))
  }
  entries.forEach((entry, index) => {
    const type = entry.link ? 0o120000 : entry.data ? 0o100000 : 0o040000
    member(entry.path, type | entry.mode, entry.data ?? new Uint8Array(), index + 1)
  })
  member('TRAILER!!!', 0, new Uint8Array(), 0)
  return Buffer.concat(parts)
}

function pad(bytes: Buffer): Buffer {
  const missing = (4 - (bytes.length % 4)) % 4
  return missing === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(missing)])
}
