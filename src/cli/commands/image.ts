import { writeFile } from 'node:fs/promises'
import { Command, Option } from 'commander'
import { lockPackages } from '../../sandbox/image/build.ts'
import { printLock } from '../../sandbox/image/lock.ts'
import type { Recipe } from '../../sandbox/image/recipe.ts'
import { ImageStore } from '../../sandbox/image/store.ts'
import { ensureImage } from '../image.ts'
import { jsonOption } from '../options.ts'
import { note, print, printJson } from '../output.ts'
import { findPaths } from '../paths.ts'
import { allRecipes, defaultRecipe, findRecipe, lockPath } from '../recipes.ts'
import { shutdownSignal } from '../shutdown.ts'
import { collectUnused } from '../tidy.ts'

interface ProfileFlags {
  python?: string
  all?: boolean
  json?: boolean
}

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB`
const lockState = (lock: string | null) =>
  lock === null ? 'not the locked packages' : `lock ${lock.slice(0, 12)}`

export function imageCommand(): Command {
  const command = new Command('image')
    .description('the guest images VMs start from')
    .addHelpText(
      'after',
      '\nExamples:\n  pyti image build\n  pyti image build --all\n  pyti image lock --python 3.11\n  pyti image list --json\n  pyti image gc',
    )
  withProfile(command.command('build'))
    .description('build the guest image of this version, or say that it is there')
    .option('--allow-drift', 'build also when Debian has other packages than the lock file')
    .action(async (flags: ProfileFlags & { allowDrift?: boolean }) => {
      const built = []
      for (const { python } of await chosenRecipes(flags)) {
        const onDrift = flags.allowDrift ? 'warn' : 'fail'
        const image = await ensureImage(findPaths(), { signal: shutdownSignal(), python, onDrift })
        if (!flags.json) print(`${image.id}  ${image.manifest.name}  ${lockState(image.manifest.lock)}`)
        built.push({ image: image.id, ...image.manifest })
      }
      if (flags.json) printJson(flags.all ? built : built[0])
    })
  withProfile(command.command('lock'))
    .description('write a new lock file: every package as Debian has it today')
    .action(async (flags: ProfileFlags) => {
      const written = []
      const { images: dir } = findPaths()
      for (const recipe of await chosenRecipes(flags)) {
        const onProgress = (step: string) => note(`guest image: ${step}`)
        const store = new ImageStore(dir)
        const lock = await lockPackages({ recipe, store, dir, onProgress, signal: shutdownSignal() })
        await writeFile(lockPath(recipe), printLock(lock))
        const packages = [lock.base, ...lock.boot].flat().length
        if (!flags.json) print(`${lockPath(recipe)}  ${packages} packages`)
        written.push({ recipe: recipe.name, file: lockPath(recipe), packages })
      }
      if (flags.json) printJson(flags.all ? written : written[0])
    })
  command
    .command('list')
    .description('images on this machine')
    .addOption(jsonOption())
    .action(async (flags: { json?: boolean }) => {
      const images = await new ImageStore(findPaths().images).list()
      if (flags.json)
        return printJson(
          images.map(({ id, manifest, bytes }) => ({
            image: id,
            bytes,
            name: manifest.name,
            python: manifest.python,
            lock: manifest.lock,
          })),
        )
      for (const { id, manifest, bytes } of images)
        print(`${id}  ${manifest.name}  ${megabytes(bytes)}  ${lockState(manifest.lock)}`)
      if (images.length === 0) print('no guest image yet; `pyti image build` makes it')
    })
  command
    .command('gc')
    .description('remove every image but those this version uses')
    .addOption(jsonOption())
    .action(async (flags: { json?: boolean }) => {
      const { kept, removed, freedBytes } = await collectUnused(findPaths(), 0, Date.now())
      if (flags.json) return printJson({ kept, removed, freedBytes })
      print(`kept ${kept.length}, removed ${removed.length} images, freed ${megabytes(freedBytes)}`)
    })
  return command
}

function withProfile(command: Command): Command {
  return command
    .addOption(new Option('--python <version>', 'the image with this Python').conflicts('all'))
    .option('--all', 'every image of this version')
    .addOption(jsonOption())
}

async function chosenRecipes({ python, all }: ProfileFlags): Promise<Recipe[]> {
  if (all) return allRecipes()
  return [python === undefined ? await defaultRecipe() : await findRecipe(python)]
}
