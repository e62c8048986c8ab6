import { join } from 'node:path'
import { PytiError } from '../errors.ts'
import type { ImageInputs } from '../sandbox/image/build.ts'
import { readGuestSources } from '../sandbox/image/guest-sources.ts'
import { readLock } from '../sandbox/image/lock.ts'
import { type Recipe, readRecipes } from '../sandbox/image/recipe.ts'
import { repositoryDir } from './paths.ts'

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

/** As `imageInputs`, of one recipe. */
export async function readInputs(recipe: Recipe): Promise<ImageInputs> {
  return { recipe, lock: await readLock(lockPath(recipe)), sources: await readGuestSources(guestDir) }
}
