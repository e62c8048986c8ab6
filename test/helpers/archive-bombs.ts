import { constants, crc32, deflateRawSync, gzipSync } from 'node:zlib'
import { type BadArchive, sdist, stem, wheel, wheelOf } from './bad-archives.ts'

const KiB = 1024
const MiB = 1024 * KiB
const zeros = Buffer.alloc(MiB)
/** DEFLATE's empty last block (RFC 1951). */
const lastBlock = Buffer.from([3, 0])

/** A wheel of about `members` MB that unpacks to `members` GiB. Takes about a second and little memory. */
export function zipBomb(members = 3): BadArchive {
  const gigabyte = { method: 8 as const, body: deflatedZeros(KiB), crc32: crcOfZeros(KiB), size: KiB * MiB }
  return wheel('zip bomb', wheelOf(many(members, gigabyte)), 'unpacks-too-large')
}

/** The same, but its directory says that each member has one byte. */
export function lyingZipBomb(members = 3): BadArchive {
  const liar = { method: 8 as const, body: deflatedZeros(KiB), crc32: crc32(Buffer.alloc(1)), size: 1 }
  return wheel('zip bomb with false sizes', wheelOf(many(members, liar)), 'unpacks-too-large')
}

/** An sdist of about `gibibytes` MB (at most 7) with one member of that many GiB. */
export function tarBomb(gibibytes = 3): BadArchive {
  const blocks = gibibytes * KiB
  const header = tarHeader(`${stem}/zeros.bin`, blocks * MiB)
  const end = Buffer.alloc(1024)
  const checksum = crc32(end, crcOfZeros(blocks, crc32(header)))
  const trailer = Buffer.alloc(8)
  trailer.writeUInt32LE(checksum, 0)
  trailer.writeUInt32LE((header.length + blocks * MiB + end.length) % 2 ** 32, 4)
  const gzipHeader = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255])
  const bytes = Buffer.concat([gzipHeader, flushed(header), deflatedZeros(blocks, flushed(end)), trailer])
  return sdist('tar bomb', bytes, 'unpacks-too-large')
}

/** An sdist with so many members, all empty. */
export function crowd(members = 100_001): BadArchive {
  const headers = Array.from({ length: members }, (_, number) => tarHeader(`${stem}/${number}`, 0))
  return sdist(
    'too many members',
    gzipSync(Buffer.concat([...headers, Buffer.alloc(1024)])),
    'too-many-members',
  )
}

function many<T>(members: number, entry: T): (T & { name: string; mode: number })[] {
  return Array.from({ length: members }, (_, number) => ({
    ...entry,
    name: `bad/zeros-${number}.bin`,
    mode: 0o100644,
  }))
}

/** Blocks that end with a full flush stand for themselves: one compressed MiB is repeated. */
function deflatedZeros(mebibytes: number, tail: Buffer = Buffer.alloc(0)): Buffer<ArrayBuffer> {
  return Buffer.concat([...Array<Buffer>(mebibytes).fill(flushed(zeros)), tail, lastBlock])
}

function flushed(data: Buffer): Buffer {
  return deflateRawSync(data, { finishFlush: constants.Z_FULL_FLUSH })
}

function crcOfZeros(mebibytes: number, from = 0): number {
  let checksum = from
  for (let block = 0; block < mebibytes; block++) checksum = crc32(zeros, checksum)
  return checksum
}

/** POSIX.1-1988 header of a regular file. tar-stream would want the body as well. */
function tarHeader(name: string, size: number): Buffer {
  const header = Buffer.alloc(512)
  header.write(name, 0)
  header.write('0000644\0', 100)
  header.write('0000000\0', 108)
  header.write('0000000\0', 116)
  header.write(`${size.toString(8).padStart(11, '0')}\0`, 124)
  header.write('00000000000\0', 136)
  header.write('        0', 148)
  header.write('ustar\x0000', 257, 'latin1')
  const checksum = header.reduce((sum, byte) => sum + byte, 0)
  header.write(`${checksum.toString(8).padStart(6, '0')}\0 `, 148)
  return header
}
