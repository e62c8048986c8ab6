import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { digestOf, sha256 } from '../../wire/canonical.ts'

/** What a guest image is made from: data, so that another Debian or Python is another file, not another branch. */
export const Recipe = z.strictObject({
  schema: z.literal('pyti.recipe/1'),
  name: z.string(),
  /** Debian release. */
  suite: z.string(),
  python: z.string(),
  /** RFC 3339. From then on most of the index fits this Python: dependencies are never resolved as of an earlier day. */
  settled: z.iso.datetime(),
  /** Unix seconds given to every file of the image. */
  sourceDateEpoch: z.int(),
  packages: z.array(z.string()),
  /** Packages the kernels, their modules and busybox are taken out of; only unpacked, never installed. */
  boot: z.array(z.strictObject({ suite: z.string(), packages: z.array(z.string()) })),
  /** dpkg `path-exclude` patterns. */
  exclude: z.array(z.string()),
  /** Removed after installation, shell patterns below the root. */
  remove: z.array(z.string()),
  /** Kernel modules in the order they are loaded. */
  modules: z.strictObject({ uml: z.array(z.string()), qemu: z.array(z.string()) }),
})
export type Recipe = z.infer<typeof Recipe>

/** Files of `guest/` that go into the initramfs, sorted by path. */
export interface GuestSources {
  init: Uint8Array
  agent: { name: string; data: Uint8Array }[]
}

export async function readGuestSources(guestDir: string): Promise<GuestSources> {
  const names = (await readdir(join(guestDir, 'agent')))
    .filter(name => /^[a-z][a-z0-9_]*\.py$/.test(name))
    .sort()
  return {
    init: await readFile(join(guestDir, 'init')),
    agent: await Promise.all(
      names.map(async name => ({ name, data: await readFile(join(guestDir, 'agent', name)) })),
    ),
  }
}

export async function readRecipe(path: string): Promise<Recipe> {
  return Recipe.parse(JSON.parse(await readFile(path, 'utf8')))
}

/** Names the parts that come from Debian; unchanged while only the agent or a mere description changes. */
export function recipeDigest({ name: _name, python: _python, settled: _settled, ...inputs }: Recipe): string {
  return digestOf(inputs)
}

export function sourcesDigest(recipe: Recipe, sources: GuestSources): string {
  return digestOf({
    recipe: recipeDigest(recipe),
    init: sha256(sources.init),
    agent: sources.agent.map(file => [file.name, sha256(file.data)]),
  })
}
