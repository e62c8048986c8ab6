import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { imageInputs } from '../../src/cli/recipes.ts'
import { buildImage } from '../../src/sandbox/image/build.ts'
import { type Image, ImageStore } from '../../src/sandbox/image/store.ts'
import { paths } from './local-network.ts'

const mainPath = join(import.meta.dirname, '../hostile/guest-root/main.py')
const copyAgent = 'cp -a /agent /rw/agent'

let made: Promise<Image> | undefined

/**
 * The guest image with another agent: one that runs, as PID 1 and root, the Python source it finds on its job disk. The
 * kernel modules stay within its reach.
 */
export function hostileImage(honest: Image): Promise<Image> {
  made ??= (async () => {
    const store = new ImageStore(paths.images)
    const inputs = await imageInputs()
    const init = new TextDecoder().decode(inputs.sources.init)
    if (!init.includes(copyAgent)) throw new Error(`guest/init no longer says \`${copyAgent}\``)
    const id = await buildImage({
      ...inputs,
      sources: {
        ...inputs.sources,
        init: new TextEncoder().encode(init.replace(copyAgent, `${copyAgent}\ncp -a /modules /rw/modules`)),
        agent: [{ name: 'main.py', data: await readFile(mainPath) }],
      },
      store,
      dir: paths.images,
      onDrift: 'warn',
      onProgress() {},
      onWarning() {},
    })
    const image = await store.open(id)
    if (image.manifest.parts.base.sha256 !== honest.manifest.parts.base.sha256)
      throw new Error('the hostile guest has another base than the honest one')
    return image
  })()
  return made
}
