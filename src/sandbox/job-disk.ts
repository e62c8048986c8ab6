import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { pack } from 'tar-stream'
import { PytiError } from '../errors.ts'
import type { GuestPlan } from '../wire/guest.ts'
import { limits } from '../wire/limits.ts'

export const jobDiskHeaderBytes = 4096

/** What is on a job disk, as GO tells the guest. */
export interface WrittenJob {
  /** Bytes of the tar after the header. */
  bytes: number
  sha256: string
}

/**
 * Writes a job onto its disk (see `createDisk`), which a guest may have open already: 4 KB header (`PYTIJOB1`, u64be
 * length) and a plain tar with `plan.json` and `files/NAME`. Read in the guest as a stream, so no file system parser
 * meets job data.
 * @throws PytiError `job-too-large`
 */
export async function writeJob(
  path: string,
  plan: GuestPlan,
  files: { filename: string; path: string; size: number }[],
  signal?: AbortSignal,
): Promise<WrittenJob> {
  const tarOverhead = 1024 * (files.length + 8)
  const wanted = files.reduce((sum, file) => sum + file.size, jobDiskHeaderBytes + tarOverhead)
  if (wanted > limits.jobDiskBytes)
    throw new PytiError('job-too-large', `the files of this job take ${wanted} bytes`, {
      hint: `a job disk has ${limits.jobDiskBytes} bytes`,
    })
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
  const disk = await open(path, 'r+')
  try {
    // By hand: a write stream on the descriptor closes it when the disk is full, which hides that it was.
    const write = async (source: AsyncIterable<Buffer>) => {
      let at = jobDiskHeaderBytes
      for await (const chunk of source)
        for (let done = 0; done < chunk.length; ) {
          const { bytesWritten } = await disk.write(chunk, done, chunk.length - done, at)
          done += bytesWritten
          at += bytesWritten
        }
    }
    await Promise.all([pipeline(tar, meter, write, { ...(signal && { signal }) }), fill()])
    const header = Buffer.alloc(jobDiskHeaderBytes)
    header.write('PYTIJOB1', 0, 'latin1')
    header.writeBigUInt64BE(BigInt(bytes), 8)
    await disk.write(header, 0, header.length, 0)
  } finally {
    await disk.close()
  }
  return { bytes, sha256: hash.digest('hex') }
}
