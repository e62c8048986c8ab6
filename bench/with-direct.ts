import { ensureImage } from '../src/cli/image.ts'
import { findPaths } from '../src/cli/paths.ts'
import { findTargets, type Target } from '../src/cli/targets.ts'
import { systemClock } from '../src/clock.ts'
import { silentLogger } from '../src/logger.ts'
import { startEmbeddedIndex } from '../src/pypi/embedded-index.ts'
import { createIndexClient } from '../src/pypi/index-client.ts'
import type { SampleDistribution } from '../src/pypi/make-distribution.ts'
import { findIndex } from '../src/pypi/pip-config.ts'
import { allowedCpus } from '../src/sandbox/allowed-cpus.ts'
import { chooseBackend } from '../src/sandbox/backends.ts'
import type { Image } from '../src/sandbox/image/store.ts'
import type { Driver } from '../src/sandbox/vm.ts'
import { Backend, type DistributionKind } from '../src/wire/job.ts'
import { type Direct, openDirect } from './direct.ts'
import { withFolder } from './machine.ts'

export interface DirectBench {
  direct: Direct
  /** The preferred one first. */
  drivers: Driver[]
  image: Image
  /** A release's files, or one file, as `pyti test` takes them. @throws PytiError as `findTargets` */
  find(argument: string, kinds: DistributionKind[]): Promise<Target[]>
}

/**
 * Opens what jobs without a network of nodes need, for the length of `work`.
 * @param options.backends the first that works here when empty
 * @param options.distributions served by an index of our own; without them the index pip is configured with is used
 * @throws PytiError `vm-unavailable`, or as `findIndex` and `openDirect`
 */
export async function withDirect<T>(
  options: {
    backends: readonly string[]
    python?: string | undefined
    distributions?: readonly SampleDistribution[]
    /** VMs kept booted for the next job. */
    warm?: number
    signal: AbortSignal
  },
  work: (bench: DirectBench) => Promise<T>,
): Promise<T> {
  const { signal, python, distributions } = options
  const paths = findPaths()
  const image = await ensureImage(paths, { signal, quiet: true, ...(python !== undefined && { python }) })
  const context = { image, runDir: paths.run, cacheDir: paths.probes, signal }
  const drivers: Driver[] = []
  for (const name of options.backends.length > 0 ? options.backends : [undefined])
    drivers.push(await chooseBackend(context, name === undefined ? undefined : Backend.parse(name)))
  const own =
    distributions && (await startEmbeddedIndex({ distributions: [...distributions], clock: systemClock }))
  try {
    return await withFolder(paths.run, async dir => {
      const index = await findIndex({ env: process.env, ...(own && { override: own.url }) })
      const client = createIndexClient({ url: index.url, clock: systemClock, log: silentLogger })
      const direct = await openDirect({
        paths,
        dir,
        image,
        drivers,
        index,
        cpus: allowedCpus(),
        warm: options.warm ?? 0,
        signal,
        env: process.env,
      })
      const find = (argument: string, kinds: DistributionKind[]) =>
        findTargets(argument, { client: async () => client, guest: image.manifest, kinds, signal })
      try {
        return await work({ direct, drivers, image, find })
      } finally {
        await direct.close()
      }
    })
  } finally {
    await own?.close()
  }
}
