import { join } from 'node:path'
import { PytiError } from '../errors.ts'
import { sweepStaleGroups } from '../sandbox/host-cgroup.ts'
import { buildImage, findBuilt, type ImageInputs } from '../sandbox/image/build.ts'
import { collectImages, unusedMs } from '../sandbox/image/collect.ts'
import { readGuestSources } from '../sandbox/image/guest-sources.ts'
import { readLock } from '../sandbox/image/lock.ts'
import { type Recipe, readRecipes } from '../sandbox/image/recipe.ts'
import { stageKeys } from '../sandbox/image/stages.ts'
import { type Image, ImageStore } from '../sandbox/image/store.ts'
import { collectTemplates } from '../sandbox/qemu-template-store.ts'
import { sweepStaleFolders } from '../sandbox/vm-folder.ts'
import { note } from './output.ts'
import { type Paths, repositoryDir } from './paths.ts'

const guestDir = join(repositoryDir, 'guest')
const recipesDir = join(guestDir, 'recipes')
const defaultPython = '3.13'

/** Every profile this version can make an image for. */
export const allRecipes = (): Promise<Recipe[]> => readRecipes(recipesDir)

/** @throws PytiError `usage` when no recipe is for this Python */
export async function findRecipe(python: string): Promise<Recipe> {
  const recipes = await allRecipes()
  const recipe = recipes.find(candidate => candidate.python === python)
  if (recipe) return recipe
  throw new PytiError('usage', `there is no guest image with Python ${python}`, {
    hint: `there are: ${recipes.map(candidate => candidate.python).join(', ')}`,
  })
}

/** What the guest image is made from unless another Python is asked for. */
export const defaultRecipe = (): Promise<Recipe> => findRecipe(defaultPython)

export const lockPath = (recipe: Recipe): string => join(recipesDir, `${recipe.name}.lock.json`)

/** All the guest image with this Python is made from. @throws as `findRecipe`; PytiError `lock-malformed` */
export async function imageInputs(python: string = defaultPython): Promise<ImageInputs> {
  return readInputs(await findRecipe(python))
}

async function readInputs(recipe: Recipe): Promise<ImageInputs> {
  return { recipe, lock: await readLock(lockPath(recipe)), sources: await readGuestSources(guestDir) }
}

/**
 * The guest image of this version of the software, built when it is not there yet. What a killed run left is swept, images
 * nobody used for long are removed.
 * @throws PytiError `usage` for an unknown Python, and as `buildImage` and `ImageStore.open`
 */
export async function ensureImage(
  paths: Paths,
  options: { signal?: AbortSignal; quiet?: boolean; python?: string; onDrift?: 'fail' | 'warn' } = {},
): Promise<Image> {
  for (const parent of [paths.cache, paths.images, paths.run]) await sweepStaleFolders(parent)
  await sweepStaleGroups()
  const store = new ImageStore(paths.images)
  const id = await buildImage({
    ...(await imageInputs(options.python)),
    store,
    dir: paths.images,
    onDrift: options.onDrift ?? 'warn',
    onProgress: step => {
      if (!options.quiet) note(`guest image: ${step}`)
    },
    onWarning: line => note(`warning: guest image: ${line}`),
    ...(options.signal && { signal: options.signal }),
  })
  const image = await store.open(id)
  // Housekeeping must not stop anybody: a folder shared with another user may hold files that cannot be removed.
  await collectUnused(paths, unusedMs).catch(() => {})
  return image
}

/**
 * Removes images of other versions that were not used for so long, files nothing refers to, and templates of images that
 * are gone.
 * @returns ids of images of this version that are here, of those removed, and freed bytes
 */
export async function collectUnused(
  paths: Paths,
  unused: number,
): Promise<{ kept: string[]; removed: string[]; freedBytes: number }> {
  const kept = []
  const stages = []
  for (const recipe of await allRecipes()) {
    const inputs = await readInputs(recipe)
    kept.push(await findBuilt(paths.images, inputs))
    stages.push(...stageKeys(recipe, inputs.lock?.lock))
  }
  const images = kept.filter(id => id !== undefined)
  const { images: removed, freedBytes } = await collectImages({
    dir: paths.images,
    keep: { images, stages },
    unusedMs: unused,
    now: Date.now(),
  })
  const here = (await new ImageStore(paths.images).list()).map(({ id }) => id)
  const freedTemplates = await collectTemplates(paths.templates, here, Date.now())
  return { kept: images, removed, freedBytes: freedBytes + freedTemplates }
}
