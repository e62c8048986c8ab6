import { chmod, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { digestFile } from '../../digest-file.ts'
import { PytiError } from '../../errors.ts'
import {
  type ImageManifest,
  ImageManifest as ImageManifestSchema,
  type ImagePart,
  imageId,
  imageParts,
} from '../../wire/image.ts'

/** A guest image on disk, its parts verified. */
export interface Image {
  id: string
  manifest: ImageManifest
  path(part: ImagePart): string
}

/** Content-addressed home of guest images: `files/SHA256` and one manifest per image. */
export class ImageStore {
  readonly #dir: string
  readonly #verified = new Map<string, Promise<void>>()

  constructor(dir: string) {
    this.#dir = dir
  }

  partPath(sha256: string): string {
    return join(this.#dir, 'files', sha256)
  }

  /** Moves a finished file into the store under its digest. */
  async adopt(path: string): Promise<{ sha256: string; size: number }> {
    const sha256 = await digestFile(path)
    await mkdir(join(this.#dir, 'files'), { recursive: true, mode: 0o755 })
    await chmod(path, 0o555) // kernel, loader and shell are executed in the jail
    const { size } = await stat(path)
    await rename(path, this.partPath(sha256))
    return { sha256, size }
  }

  async save(manifest: ImageManifest): Promise<string> {
    const id = imageId(manifest)
    await writeAtomically(join(this.#dir, `${id}.json`), JSON.stringify(manifest, null, 2))
    return id
  }

  /** Every part's digest is checked once per process before the first use. @throws PytiError `image-missing` | `image-corrupt` */
  async open(id: string): Promise<Image> {
    const manifest = await this.manifest(id)
    for (const part of imageParts) await this.#verify(id, manifest.parts[part].sha256)
    return { id, manifest, path: part => this.partPath(manifest.parts[part].sha256) }
  }

  async manifest(id: string): Promise<ImageManifest> {
    let text: string
    try {
      text = await readFile(join(this.#dir, `${id}.json`), 'utf8')
    } catch (cause) {
      throw new PytiError('image-missing', `guest image ${id.slice(0, 12)} is not here`, {
        hint: 'run `pyti image build`',
        cause,
      })
    }
    const manifest = ImageManifestSchema.safeParse(JSON.parse(text))
    if (!manifest.success || imageId(manifest.data) !== id)
      throw new PytiError('image-corrupt', `manifest of guest image ${id.slice(0, 12)} is damaged`, {
        hint: 'run `pyti image gc` and `pyti image build`',
      })
    return manifest.data
  }

  async list(): Promise<{ id: string; manifest: ImageManifest; bytes: number }[]> {
    const names = await readdir(this.#dir).catch(() => [])
    const found = []
    for (const name of names.sort()) {
      const id = /^([0-9a-f]{64})\.json$/.exec(name)?.[1]
      if (!id) continue
      const manifest = await this.manifest(id)
      found.push({
        id,
        manifest,
        bytes: imageParts.reduce((sum, part) => sum + manifest.parts[part].size, 0),
      })
    }
    return found
  }

  /** Removes every image but `keep`, and files nothing refers to. @returns freed bytes */
  async collect(keep: string[]): Promise<number> {
    const needed = new Set<string>()
    for (const { id, manifest } of await this.list()) {
      if (keep.includes(id)) for (const part of imageParts) needed.add(manifest.parts[part].sha256)
      else await rm(join(this.#dir, `${id}.json`))
    }
    let freed = 0
    for (const name of await readdir(join(this.#dir, 'files')).catch(() => [])) {
      if (needed.has(name)) continue
      const path = join(this.#dir, 'files', name)
      freed += (await stat(path)).size
      await rm(path)
    }
    return freed
  }

  #verify(id: string, sha256: string): Promise<void> {
    const known = this.#verified.get(sha256)
    if (known) return known
    const check = (async () => {
      const actual = await digestFile(this.partPath(sha256)).catch(() => undefined)
      if (actual !== sha256)
        throw new PytiError(
          'image-corrupt',
          `a file of guest image ${id.slice(0, 12)} is missing or damaged`,
          {
            hint: 'run `pyti image gc` and `pyti image build`',
          },
        )
    })()
    this.#verified.set(sha256, check)
    check.catch(() => this.#verified.delete(sha256))
    return check
  }
}

export async function writeAtomically(path: string, data: string | Uint8Array): Promise<void> {
  await mkdir(join(path, '..'), { recursive: true, mode: 0o755 })
  const temporary = `${path}.${process.pid}.tmp`
  await writeFile(temporary, data)
  await rename(temporary, path)
}
