import { join } from 'node:path'
import { buildImage } from '../sandbox/image/build.ts'
import { readGuestSources, readRecipe } from '../sandbox/image/recipe.ts'
import { type Image, ImageStore } from '../sandbox/image/store.ts'
import { sweepStaleFolders } from '../sandbox/vm-folder.ts'
import { note } from './output.ts'
import { type Paths, repositoryDir } from './paths.ts'

/** What the guest image of this version is made from. */
export const defaultRecipe = () => readRecipe(join(repositoryDir, 'guest/recipe.json'))

/** The guest image of this version of the software, built when it is not there yet. What a killed run left is swept. */
export async function ensureImage(
  paths: Paths,
  options: { signal?: AbortSignal; quiet?: boolean } = {},
): Promise<Image> {
  for (const parent of [paths.cache, paths.images, paths.run]) await sweepStaleFolders(parent)
  const guestDir = join(repositoryDir, 'guest')
  const store = new ImageStore(paths.images)
  const id = await buildImage({
    recipe: await defaultRecipe(),
    sources: await readGuestSources(guestDir),
    store,
    dir: paths.images,
    onProgress: step => {
      if (!options.quiet) note(`guest image: ${step}`)
    },
    ...(options.signal && { signal: options.signal }),
  })
  return store.open(id)
}
