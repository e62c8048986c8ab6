import { createWriteStream } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { digestFile } from '../../digest-file.ts'
import { isCode, messageOf, PytiError } from '../../errors.ts'
import { diskTrouble } from '../../host-disk.ts'
import { makeOwnedFolder } from '../../owned-folder.ts'
import { ImageManifest, imageId, imageParts } from '../../wire/image.ts'
import type { Image, ImageStore } from './store.ts'

/** Somebody who holds the image: a coordinator or any peer. Nothing it says is believed but for its digest. */
export interface ImageSource {
  manifest(id: string): Promise<ImageManifest>
  fetchBlob(blob: { sha256: string; size: number }): AsyncIterable<Uint8Array>
}

/** A source that sends nothing for so long is given up. */
const silenceMs = 60_000

/**
 * Brings an image here by digest: from the first source that has it, each part from the next one when a source fails, falls
 * silent or sends other bytes.
 * @throws PytiError `image-corrupt` when a source's bytes were not the image asked for, `image-unreachable` when none answered;
 * `host-out-of-disk` | `host-disk-unusable`; the signal's reason
 */
export async function fetchImage(
  id: string,
  sources: readonly ImageSource[],
  store: ImageStore,
  dir: string,
  options: { signal?: AbortSignal; silenceMs?: number } = {},
): Promise<Image> {
  const silence = options.silenceMs ?? silenceMs
  const attempt = <T>(what: string, use: (source: ImageSource) => Promise<T>) =>
    tryEach(`${what} of guest image ${id.slice(0, 12)}`, sources, use, options.signal)

  const manifest = await attempt('the manifest', async source => {
    const answer = ImageManifest.safeParse(await within(silence, source.manifest(id)))
    if (!answer.success || imageId(answer.data) !== id) throw damaged()
    return answer.data
  })
  await mkdir(dir, { recursive: true, mode: 0o755 })
  const work = await makeOwnedFolder(dir, 'fetch')
  try {
    for (const name of imageParts) {
      const part = manifest.parts[name]
      if (await store.isWhole(part.sha256)) continue
      await attempt(name, async source => {
        const path = join(work, name)
        await pipeline(
          Readable.from(exactly(part.size, silence, source.fetchBlob(part))),
          createWriteStream(path),
        )
        if ((await digestFile(path)) !== part.sha256) throw damaged()
        await store.adopt(path)
      })
    }
    await store.save(manifest)
    return await store.open(id)
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

const damaged = () => new PytiError('image-corrupt', 'other bytes than those asked for')

async function tryEach<T>(
  what: string,
  sources: readonly ImageSource[],
  use: (source: ImageSource) => Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  const failures: unknown[] = []
  for (const source of sources) {
    signal?.throwIfAborted()
    try {
      return await use(source)
    } catch (error) {
      signal?.throwIfAborted()
      const trouble = diskTrouble(error)
      if (trouble) throw trouble
      failures.push(error)
    }
  }
  const code = failures.some(error => isCode(error, 'image-corrupt')) ? 'image-corrupt' : 'image-unreachable'
  throw new PytiError(
    code,
    `no source sent ${what}: ${failures.map(messageOf).join('; ') || 'there is none'}`,
    {
      hint: 'try again later, or run `pyti image build`',
      cause: failures.at(-1),
    },
  )
}

/** Stops at the first byte too many, so that a liar cannot fill the disk. */
async function* exactly(
  size: number,
  silence: number,
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const iterator = chunks[Symbol.asyncIterator]()
  let received = 0
  try {
    for (;;) {
      const { done, value } = await within(silence, iterator.next())
      if (done) break
      received += value.length
      if (received > size) throw damaged()
      yield value
    }
  } finally {
    // Not awaited: a source that hangs would hang here too.
    void Promise.resolve(iterator.return?.()).catch(() => {})
  }
  if (received !== size) throw damaged()
}

async function within<T>(milliseconds: number, answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new PytiError('image-unreachable', `nothing came for ${milliseconds / 1000} s`)),
      milliseconds,
    )
  })
  try {
    return await Promise.race([answer, late])
  } finally {
    clearTimeout(timer)
  }
}
