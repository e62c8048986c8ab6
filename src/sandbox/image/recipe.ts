import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { PytiError } from '../../errors.ts'
import { JailPaths } from '../../wire/image.ts'

const PackageName = z.string().regex(/^[a-z0-9][a-z0-9+.-]+$/)
const Suite = z.string().regex(/^[a-z][a-z-]*$/)
/** A shell and dpkg pattern below the root: nothing in it may end the double-quoted word it is put behind. */
const RootPattern = z
  .string()
  .regex(/^(?:\/[A-Za-z0-9_.*?+[\]-]+)+$/)
  .refine(pattern => !pattern.split('/').includes('..'))
/** Matches exactly one member of the unpacked packages (`path.matchesGlob`). */
const MemberGlob = z.string().regex(/^[a-z][A-Za-z0-9_.*+/-]*$/)

const BootStage = z.strictObject({
  suite: Suite,
  packages: z.array(PackageName).min(1),
  /** Parts of the image, and what goes into the initramfs. */
  take: z.partialRecord(z.enum(['uml', 'libc', 'loader', 'shell', 'vmlinuz', 'busybox']), MemberGlob),
  /** Kernel modules in the order they are loaded. */
  modules: z.partialRecord(z.enum(['uml', 'qemu']), z.array(MemberGlob)),
})
export type BootStage = z.infer<typeof BootStage>

/** What a guest image is made from: data, so that another Debian, Python or machine is another file, not another branch. */
export const Recipe = z.strictObject({
  schema: z.literal('pyti.recipe/2'),
  name: z.string().regex(/^[a-z0-9][a-z0-9.-]*$/),
  /** Debian release. */
  suite: Suite,
  /** Debian's name of it, such as `amd64`. */
  architecture: z.string().regex(/^[a-z0-9][a-z0-9-]*$/),
  python: z.string().regex(/^\d+\.\d+$/),
  glibc: z.string().regex(/^\d+\.\d+$/),
  /** RFC 3339. From then on most of the index fits this Python: dependencies are never resolved as of an earlier day. */
  settled: z.iso.datetime(),
  /** Unix seconds given to every file of the image. */
  sourceDateEpoch: z.int().min(0),
  packages: z.array(PackageName).min(1),
  /** Packages kernels, their libraries, their modules and busybox are taken out of; only unpacked, never installed. */
  boot: z.array(BootStage).min(1),
  /** dpkg `path-exclude` patterns. */
  exclude: z.array(RootPattern),
  /** Removed after installation. */
  remove: z.array(RootPattern).min(1),
  /** Where the User-mode Linux kernel looks for its library and loader inside the jail. */
  jail: JailPaths,
  /** Ceilings of what a volunteer has to fetch and keep in memory. */
  limits: z.strictObject({ baseBytes: z.int().min(1), initramfsBytes: z.int().min(1) }),
})
export type Recipe = z.infer<typeof Recipe>

/** @throws PytiError `recipe-malformed` */
export async function readRecipe(path: string): Promise<Recipe> {
  return parseRecipe(await readFile(path, 'utf8'), path)
}

/** @throws PytiError `recipe-malformed` */
export function parseRecipe(text: string, path: string): Recipe {
  try {
    return Recipe.parse(JSON.parse(text))
  } catch (cause) {
    const detail = cause instanceof z.ZodError ? z.prettifyError(cause) : String(cause)
    throw new PytiError('recipe-malformed', `${path} is not a recipe: ${detail}`, { cause })
  }
}

/** Every recipe of a folder, by name. @throws PytiError `recipe-malformed` */
export async function readRecipes(dir: string): Promise<Recipe[]> {
  const names = (await readdir(dir)).filter(name => name.endsWith('.json') && !name.endsWith('.lock.json'))
  return Promise.all(names.sort().map(name => readRecipe(join(dir, name))))
}
