import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ImageStore } from '../../src/sandbox/image/store.ts'
import { sha256 } from '../../src/wire/canonical.ts'
import { type ImageManifest, imageId, imageParts } from '../../src/wire/image.ts'

/** Bytes of a part of the image `makeImage` makes: its own name, but for a base of one's choice. */
const contentOf = (part: string, base: string) => (part === 'base' ? base : part)

export function smallManifest(base = 'base'): ImageManifest {
  const part = (name: string) => {
    const content = contentOf(name, base)
    return { sha256: sha256(content), size: content.length }
  }
  return {
    schema: 'pyti.image/2',
    name: 'debian-99-python-3.99',
    python: '3.99',
    glibc: '2.99',
    lock: null,
    jail: { libc: '/lib/libc.so.6', loader: '/lib64/ld.so' },
    parts: {
      base: part('base'),
      initramfs: part('initramfs'),
      uml: part('uml'),
      libc: part('libc'),
      loader: part('loader'),
      shell: part('shell'),
      vmlinuz: part('vmlinuz'),
    },
  }
}

/** An image of a few bytes in the store. */
export async function makeImage(
  store: ImageStore,
  dir: string,
  base = 'base',
): Promise<{ id: string; manifest: ImageManifest }> {
  for (const part of imageParts) {
    await writeFile(join(dir, 'incoming'), contentOf(part, base))
    await store.adopt(join(dir, 'incoming'))
  }
  const manifest = smallManifest(base)
  await store.save(manifest)
  return { id: imageId(manifest), manifest }
}
