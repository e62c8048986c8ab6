import { createHash } from 'node:crypto'
import { chmod, mkdir, open, rename, rm } from 'node:fs/promises'
import { arch, platform } from 'node:os'
import { join } from 'node:path'
import type { Clock } from '../clock.ts'
import { PytiError } from '../errors.ts'
import type { Logger } from '../logger.ts'
import { makeOwnedFolder } from '../owned-folder.ts'
import { noteUse } from '../unused.ts'
import { type DownloadCache, digestOfFile } from './download.ts'
import type { IndexClient } from './index-client.ts'
import { readZipMember } from './zip-archive.ts'

/**
 * The one program out of the index that runs on the host, so both the wheel and the binary in it are pinned here and
 * not only by the index.
 */
export const pinnedUv: UvPin = {
  version: '0.13.8',
  filename: 'uv-0.13.8-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl',
  sha256: 'e18a57b8b352eb7c8feb317b9f6f533c8f0ad9673fd6cf34bbe3cf1a9f6a8984',
  member: 'uv-0.13.8.data/scripts/uv',
  binarySha256: '4a7607589912d9c20e86b860b032f7c7f2913c9a3e76f46aef136885387452b8',
}

export interface UvPin {
  version: string
  filename: string
  sha256: string
  /** The binary inside the wheel. */
  member: string
  binarySha256: string
}

/**
 * Path of the pinned uv binary below `toolsDir`, fetched through the index when it is not there yet; its digest is
 * checked each time.
 * @throws PytiError `unsupported-platform` | `uv-unavailable` | `hash-mismatch`, or what the index client and the
 * download cache throw
 */
export async function ensureUv(options: {
  toolsDir: string
  index: IndexClient
  cache: DownloadCache
  clock: Clock
  log: Logger
  signal?: AbortSignal
  pin?: UvPin
}): Promise<string> {
  const { toolsDir, index, cache, log, signal, pin = pinnedUv } = options
  if (platform() !== 'linux' || arch() !== 'x64')
    throw new PytiError('unsupported-platform', `volunteers run on x86_64 Linux, not ${arch()} ${platform()}`)
  const folder = join(toolsDir, `uv-${pin.version}`)
  await noteUse(folder, options.clock.now())
  const path = join(folder, 'uv')
  if ((await digestOfFile(path, signal)) === pin.binarySha256) return path

  const page = await index.project('uv', signal)
  const file = page.files.find(({ filename }) => filename === pin.filename)
  if (!file)
    throw new PytiError('uv-unavailable', `the index does not list ${pin.filename}`, {
      hint: `use an index that has it, or put the uv ${pin.version} binary at ${path}`,
    })
  if (file.sha256 !== undefined && file.sha256 !== pin.sha256)
    throw new PytiError(
      'hash-mismatch',
      `the index lists ${pin.filename} with a SHA-256 that is not the pinned one`,
      {
        hint: 'do not trust this index before you know why',
        details: { expected: pin.sha256, actual: file.sha256 },
      },
    )
  log.info('fetching uv', { version: pin.version })
  const wheel = await cache.fetch({ ...file, sha256: pin.sha256 }, signal === undefined ? {} : { signal })

  await mkdir(folder, { recursive: true })
  const part = await makeOwnedFolder(toolsDir, 'part')
  try {
    const fresh = join(part, 'uv')
    await unpack(wheel, pin, fresh)
    await chmod(fresh, 0o755)
    await rename(fresh, path)
  } finally {
    await rm(part, { recursive: true, force: true })
  }
  return path
}

async function unpack(wheel: string, pin: UvPin, target: string): Promise<void> {
  const hash = createHash('sha256')
  const file = await open(target, 'wx', 0o600)
  try {
    for await (const chunk of readZipMember(wheel, pin.member)) {
      hash.update(chunk)
      await file.writeFile(chunk)
    }
    await file.sync()
  } finally {
    await file.close()
  }
  const actual = hash.digest('hex')
  if (actual !== pin.binarySha256)
    throw new PytiError('hash-mismatch', `${pin.member} of ${pin.filename} is not the pinned binary`, {
      details: { expected: pin.binarySha256, actual },
    })
}
