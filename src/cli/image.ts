import { buildImage } from '../sandbox/image/build.ts'
import { type Image, ImageStore } from '../sandbox/image/store.ts'
import { note } from './output.ts'
import type { Paths } from './paths.ts'
import { imageInputs } from './recipes.ts'
import { tidy } from './tidy.ts'

/**
 * The guest image of this version of the software, built when it is not there yet. Tidies up before.
 * @throws PytiError `usage` for an unknown Python, and as `buildImage` and `ImageStore.open`
 */
export async function ensureImage(
  paths: Paths,
  options: { signal?: AbortSignal; quiet?: boolean; python?: string; onDrift?: 'fail' | 'warn' } = {},
): Promise<Image> {
  await tidy(paths, Date.now())
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
  return store.open(id)
}
