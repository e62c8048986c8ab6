import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { pack } from 'tar-stream'
import type { GuestPlan } from '../wire/guest.ts'

export const jobDiskHeaderBytes = 4096
const sector = 4096

export interface JobDisk {
  path: string
  /** Bytes of the tar after the header. */
  bytes: number
  sha256: string
}

/**
 * Writes the disk a guest finds its job on: 4 KB header (`PYTIJOB1`, u64be length) and a plain tar with `plan.json`
 * and `files/NAME`. Read in the guest as a stream, so no file system parser meets job data.
 */
export async function writeJobDisk(
  path: string,
  plan: GuestPlan,
  files: { filename: string; path: string; size: number }[],
  signal?: AbortSignal,
): Promise<JobDisk> {
  const tar = pack()
  const hash = createHash('sha256')
  let bytes = 0
  const meter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk)
      bytes += chunk.length
      done(null, chunk)
    },
  })
  const fill = async () => {
    tar.entry({ name: 'plan.json', mode: 0o444, mtime: new Date(0) }, JSON.stringify(plan))
    for (const file of files)
      await pipeline(
        createReadStream(file.path),
        tar.entry({ name: `files/${file.filename}`, mode: 0o444, mtime: new Date(0), size: file.size }),
        { ...(signal && { signal }) },
      )
    tar.finalize()
  }
  const disk = await open(path, 'wx', 0o600)
  try {
    const target = createWriteStream(path, { fd: disk.fd, start: jobDiskHeaderBytes, autoClose: false })
    await Promise.all([pipeline(tar, meter, target, { ...(signal && { signal }) }), fill()])
    const header = Buffer.alloc(jobDiskHeaderBytes)
    header.write('PYTIJOB1', 0, 'latin1')
    header.writeBigUInt64BE(BigInt(bytes), 8)
    await disk.write(header, 0, header.length, 0)
    // A block device ends on a whole sector, the tar need not.
    await disk.truncate(Math.ceil((jobDiskHeaderBytes + bytes) / sector) * sector)
  } finally {
    await disk.close()
  }
  return { path, bytes, sha256: hash.digest('hex') }
}
