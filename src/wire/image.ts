import { z } from 'zod'
import { digestOf } from './canonical.ts'
import { Sha256 } from './job.ts'

/** The files a guest is made of; both backends start from the same set. */
export const imageParts = ['base', 'initramfs', 'uml', 'libc', 'loader', 'shell', 'vmlinuz'] as const
export type ImagePart = (typeof imageParts)[number]

/** A volunteer fetches the parts a manifest names, so each has a ceiling. */
const partBytes = 256 * 1024 * 1024
const Part = z.strictObject({ sha256: Sha256, size: z.int().min(1).max(partBytes) })

const LibraryPath = z
  .string()
  .max(200)
  .regex(/^\/lib[a-z0-9]*(?:\/[a-z0-9_][a-z0-9_.+-]*)+$/)
export const JailPaths = z.strictObject({ libc: LibraryPath, loader: LibraryPath })

export const ImageManifest = z.strictObject({
  schema: z.literal('pyti.image/2'),
  /** `debian-13-python-3.13` */
  name: z.string().max(100),
  python: z.string().max(10),
  /** Of the C library packages in it run with: `2.41`. */
  glibc: z.string().max(10),
  /** Digest of the lock file every package of the image agrees with; null: built from newer packages. */
  lock: Sha256.nullable(),
  /** Where the User-mode Linux kernel looks for `libc` and `loader` inside the jail. */
  jail: JailPaths,
  parts: z.strictObject({
    /** squashfs with Debian, Python and the tools */
    base: Part,
    /** busybox, kernel modules, `init` and the agent */
    initramfs: Part,
    /** User-mode Linux kernel with the C library and loader it needs, and the shell that starts it in the jail */
    uml: Part,
    libc: Part,
    loader: Part,
    shell: Part,
    /** kernel for QEMU */
    vmlinuz: Part,
  }),
})
export type ImageManifest = z.infer<typeof ImageManifest>

/** An image is named by the digest of its manifest. */
export function imageId(manifest: ImageManifest): string {
  return digestOf(manifest)
}
