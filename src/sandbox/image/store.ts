import { randomBytes } from 'node:crypto'
import { chmod, mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { digestFile } from '../../digest-file.ts'
import { PytiError } from '../../errors.ts'
import { noteUse } from '../../unused.ts'
import {
  type ImageManifest,
  ImageManifest as ImageManifestSchema,
  type ImagePart,
  imageId,
  imageParts,
} from '../../wire/image.ts'
import { FileVerifier } from './verify.ts'

/** A guest image on disk, its parts verified. */
export interface Image {
  id: string
  manifest: ImageManifest
  path(part: ImagePart): string
}

const hint = 'run `pyti image build`'

/** Content-addressed home of guest images: `files/SHA256` and one manifest per image. */
export class ImageStore {
  readonly #dir: string
  readonly #now: () => number
  readonly #verifier = new FileVerifier()

  constructor(dir: string, now: () => number = Date.now) {
    this.#dir = dir
    this.#now = now
  }

  partPath(sha256: string): string {
    return join(this.#dir, 'files', sha256)
  }

  isWhole(sha256: string): Promise<boolean> {
    return this.#verifier.isWhole(this.partPath(sha256), sha256)
  }

  /** Moves a finished file into the store under its digest. One that is there stays, as a VM may be using it. */
  async adopt(path: string): Promise<{ sha256: string; size: number }> {
    const sha256 = await digestFile(path)
    const { size } = await stat(path)
    if (await this.isWhole(sha256)) {
      await rm(path)
      // Young again for `collectImages`: whoever brought it has not saved a manifest that names it yet.
      await utimes(this.partPath(sha256), new Date(this.#now()), new Date(this.#now()))
    } else {
      await mkdir(join(this.#dir, 'files'), { recursive: true, mode: 0o755 })
      await chmod(path, 0o555) // kernel, loader and shell are executed in the jail
      await rename(path, this.partPath(sha256))
    }
    return { sha256, size }
  }

  async save(manifest: ImageManifest): Promise<string> {
    const id = imageId(manifest)
    await writeAtomically(this.manifestPath(id), JSON.stringify(manifest, null, 2))
    return id
  }

  /**
   * Every part is a regular file whose digest was checked since it last changed.
   * @throws PytiError `image-missing` | `image-corrupt`
   */
  async open(id: string): Promise<Image> {
    const manifest = await this.manifest(id)
    for (const part of imageParts)
      if (!(await this.isWhole(manifest.parts[part].sha256)))
        throw new PytiError(
          'image-corrupt',
          `${part} of guest image ${id.slice(0, 12)} is missing, damaged or not a regular file`,
          { hint },
        )
    await noteUse(this.manifestPath(id), this.#now())
    return { id, manifest, path: part => this.partPath(manifest.parts[part].sha256) }
  }

  /** @throws PytiError `image-missing` | `image-corrupt` */
  async manifest(id: string): Promise<ImageManifest> {
    let text: string
    try {
      text = await readFile(this.manifestPath(id), 'utf8')
    } catch (cause) {
      throw new PytiError('image-missing', `guest image ${id.slice(0, 12)} is not here`, {
        hint: 'run `pyti image build`',
        cause,
      })
    }
    const manifest = parseManifest(text)
    if (!manifest || imageId(manifest) !== id)
      throw new PytiError('image-corrupt', `manifest of guest image ${id.slice(0, 12)} is damaged`, { hint })
    return manifest
  }

  /** Images whose manifest is readable: those of other versions of this software may not be. */
  async list(): Promise<{ id: string; manifest: ImageManifest; bytes: number }[]> {
    const names = await readdir(this.#dir).catch(() => [])
    const found = []
    for (const name of names.sort()) {
      const id = imageIdOf(name)
      const manifest = id && (await this.manifest(id).catch(() => undefined))
      if (!id || !manifest) continue
      const bytes = imageParts.reduce((sum, part) => sum + manifest.parts[part].size, 0)
      found.push({ id, manifest, bytes })
    }
    return found
  }

  /** Its time of change says when the image was last used. */
  manifestPath(id: string): string {
    return join(this.#dir, `${id}.json`)
  }
}

/** The image a file name in the images folder is the manifest of. */
export const imageIdOf = (name: string): string | undefined => /^([0-9a-f]{64})\.json$/.exec(name)?.[1]

function parseManifest(text: string): ImageManifest | undefined {
  try {
    return ImageManifestSchema.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}

export async function writeAtomically(path: string, data: string | Uint8Array): Promise<void> {
  await mkdir(join(path, '..'), { recursive: true, mode: 0o755 })
  const temporary = `${path}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`
  try {
    await writeFile(temporary, data)
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}
