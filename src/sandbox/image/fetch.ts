import { createWriteStream } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { digestFile } from '../../digest-file.ts'
import { PytiError } from '../../errors.ts'
import { type ImageManifest, imageId, imageParts } from '../../wire/image.ts'
import type { Image, ImageStore } from './store.ts'

/** Somebody who holds the image: a coordinator, later any peer. Nothing it says is believed but for its digest. */
export interface ImageSource {
  manifest(id: string): Promise<ImageManifest>
  fetchBlob(blob: { sha256: string; size: number }): AsyncIterable<Uint8Array>
}

/**
 * Brings an image here by digest.
 * @throws PytiError `image-corrupt` when the source's bytes are not the image asked for
 */
export async function fetchImage(
  id: string,
  source: ImageSource,
  store: ImageStore,
  dir: string,
): Promise<Image> {
  const manifest = await source.manifest(id)
  if (imageId(manifest) !== id)
    throw new PytiError(
      'image-corrupt',
      `the manifest received is not that of guest image ${id.slice(0, 12)}`,
    )
  await mkdir(dir, { recursive: true, mode: 0o755 })
  const work = await mkdtemp(join(dir, `fetch-${process.pid}-`))
  try {
    for (const name of imageParts) {
      const part = manifest.parts[name]
      if ((await digestFile(store.partPath(part.sha256)).catch(() => '')) === part.sha256) continue
      const path = join(work, name)
      await pipeline(Readable.from(source.fetchBlob(part)), createWriteStream(path))
      const adopted = await store.adopt(path)
      if (adopted.sha256 !== part.sha256)
        throw new PytiError('image-corrupt', `${name} of guest image ${id.slice(0, 12)} arrived damaged`)
    }
    await store.save(manifest)
    return await store.open(id)
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}
