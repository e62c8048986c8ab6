import { Command } from 'commander'
import { ImageStore } from '../../sandbox/image/store.ts'
import { ensureImage } from '../image.ts'
import { jsonOption } from '../options.ts'
import { print, printJson } from '../output.ts'
import { findPaths } from '../paths.ts'
import { shutdownSignal } from '../shutdown.ts'

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB`

export function imageCommand(): Command {
  const command = new Command('image')
    .description('the guest images VMs start from')
    .addHelpText('after', '\nExamples:\n  pyti image build\n  pyti image list --json\n  pyti image gc')
  command
    .command('build')
    .description('build the guest image of this version, or say that it is there')
    .addOption(jsonOption())
    .action(async (flags: { json?: boolean }) => {
      const image = await ensureImage(findPaths(), { signal: shutdownSignal() })
      if (flags.json) printJson({ image: image.id, ...image.manifest })
      else print(`${image.id}  ${image.manifest.name}`)
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
          })),
        )
      for (const { id, manifest, bytes } of images) print(`${id}  ${manifest.name}  ${megabytes(bytes)}`)
      if (images.length === 0) print('no guest image yet; `pyti image build` makes it')
    })
  command
    .command('gc')
    .description('remove every image but the one this version uses')
    .addOption(jsonOption())
    .action(async (flags: { json?: boolean }) => {
      const paths = findPaths()
      const image = await ensureImage(paths, { signal: shutdownSignal() })
      const freedBytes = await new ImageStore(paths.images).collect([image.id])
      if (flags.json) printJson({ kept: image.id, freedBytes })
      else print(`kept ${image.id.slice(0, 12)}, freed ${megabytes(freedBytes)}`)
    })
  return command
}
