import type { Clock } from '../clock.ts'
import { sweepStaleFolders } from '../owned-folder.ts'
import { sweepStaleGroups } from '../sandbox/host-cgroup.ts'
import { findBuilt } from '../sandbox/image/build.ts'
import { collectImages, unusedMs } from '../sandbox/image/collect.ts'
import { stageKeys } from '../sandbox/image/stages.ts'
import { ImageStore } from '../sandbox/image/store.ts'
import { collectTemplates } from '../sandbox/qemu-template-store.ts'
import { noteUse, removeUnused } from '../unused.ts'
import type { Paths } from './paths.ts'
import { allRecipes, readInputs } from './recipes.ts'

const dayMs = 24 * 3_600_000

/**
 * Keeps the cache from growing without bound: sweeps what killed processes left, removes what was not used for long.
 * @param now milliseconds since 1970
 * @param inUse files and folders in the cache that this process holds for as long as it runs
 */
export async function tidy(paths: Paths, now: number, inUse: readonly string[] = []): Promise<void> {
  const { cache, images, run, downloads, tools, uvCache, probes } = paths
  for (const path of inUse) await noteUse(path, now)
  const steps = [
    ...[cache, images, run, downloads, tools].map(dir => () => sweepStaleFolders(dir)),
    sweepStaleGroups,
    ...[downloads, tools, uvCache, probes].map(dir => () => removeUnused(dir, now)),
    () => collectUnused(paths, unusedMs, now),
  ]
  // Housekeeping must not stop anybody: a folder shared with another user may hold files that cannot be removed.
  for (const step of steps) await step().catch(() => {})
}

/** `tidy` once a day until the signal fires, for what runs for months. */
export async function tidyDaily(
  paths: Paths,
  { clock, signal, inUse }: { clock: Clock; signal: AbortSignal; inUse: readonly string[] },
): Promise<void> {
  for (;;) {
    await clock.sleep(dayMs, signal).catch(() => {})
    if (signal.aborted) return
    await tidy(paths, clock.now(), inUse)
  }
}

/**
 * Removes images of other versions that were not used for `unused` milliseconds, files nothing refers to, and templates of images that
 * are gone.
 * @returns ids of images of this version that are here, of those removed, and freed bytes
 */
export async function collectUnused(
  paths: Paths,
  unused: number,
  now: number,
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
    now,
  })
  const here = (await new ImageStore(paths.images).list()).map(({ id }) => id)
  const freedTemplates = await collectTemplates(paths.templates, here, now)
  return { kept: images, removed, freedBytes: freedBytes + freedTemplates }
}
