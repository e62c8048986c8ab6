import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PytiError } from '../../errors.ts'
import { makeOwnedFolder } from '../../owned-folder.ts'
import { digestOf } from '../../wire/canonical.ts'
import { Sha256 } from '../../wire/job.ts'
import { checkLock, type DriftRules } from './drift.ts'
import { describeSources, type GuestSources } from './guest-sources.ts'
import { makeInitramfs } from './initramfs.ts'
import type { Lock, LockFile } from './lock.ts'
import type { Recipe } from './recipe.ts'
import { runStage } from './run-stage.ts'
import { findStage, type Part, type Stage, type StageContext, saveStage, stageKeys } from './stages.ts'
import { type ImageStore, writeAtomically } from './store.ts'

/** Raised when the same inputs would be put together into another image. */
const imageFormat = 1

/** All an image is made from. */
export interface ImageInputs {
  recipe: Recipe
  /** Absent for a recipe without a lock file. */
  lock: LockFile | undefined
  sources: GuestSources
}

export interface BuildOptions extends ImageInputs, Pick<DriftRules, 'onDrift' | 'onWarning'> {
  store: ImageStore
  /** The images folder. */
  dir: string
  onProgress: (step: string) => void
  signal?: AbortSignal
}

/**
 * Builds the guest image, or finds it built: each stage from Debian is kept, and the initramfs is made anew whenever the
 * agent changed.
 * @returns the image's id
 * @throws PytiError `program-missing` | `command-failed` | `no-debian-mirror` | `image-drift` | `image-too-large` | `image-incomplete`
 */
export async function buildImage(options: BuildOptions): Promise<string> {
  const { recipe, lock, store, dir, onDrift, onProgress } = options
  const built = await findBuilt(dir, options)
  if (built !== undefined) {
    const image = await store.open(built).catch(() => undefined)
    if (image && (image.manifest.lock !== null || onDrift === 'warn')) return built
  }
  return withWork(options, async context => {
    const stages: Stage[] = []
    for (const [index, key] of stageKeys(recipe, lock?.lock).entries()) {
      let stage = await findStage(context, key)
      if (!stage) {
        stage = await runStage(recipe, index, context)
        await saveStage(context, key, stage)
      }
      stages.push(stage)
    }
    const locked = checkLock(
      options,
      stages.map(stage => stage.packages),
    )
    const { busybox: _busybox, ...parts } = mergeParts(recipe, stages)
    assertSize('base image', parts.base.size, recipe.limits.baseBytes)
    onProgress('packing the agent into the initramfs')
    const initramfs = join(context.work, 'initramfs')
    await writeFile(initramfs, await packInitramfs(options, stages))
    const id = await store.save({
      schema: 'pyti.image/2',
      name: recipe.name,
      python: recipe.python,
      glibc: recipe.glibc,
      lock: locked ? (lock?.sha256 ?? null) : null,
      jail: recipe.jail,
      parts: { ...parts, initramfs: await store.adopt(initramfs) },
    })
    await writeAtomically(builtPath(dir, options), JSON.stringify({ image: id }))
    return id
  })
}

/**
 * Fetches every package anew and says what they are, for a new lock file. The stages are kept: building from that lock
 * afterwards takes seconds.
 * @throws as `buildImage`
 */
export async function lockPackages(
  options: Pick<BuildOptions, 'recipe' | 'store' | 'dir' | 'onProgress' | 'signal'>,
): Promise<Lock> {
  const { recipe } = options
  return withWork(options, async context => {
    const stages: Stage[] = []
    for (const index of [0, ...recipe.boot.map((_, boot) => boot + 1)])
      stages.push(await runStage(recipe, index, context))
    const [base = [], ...boot] = stages.map(stage => stage.packages)
    const lock: Lock = { schema: 'pyti.lock/1', recipe: recipe.name, base, boot }
    const keys = stageKeys(recipe, lock)
    for (const [index, stage] of stages.entries()) await saveStage(context, keys[index] ?? '', stage)
    return lock
  })
}

/** The image these inputs were last built into here, whether or not its files are still whole. */
export async function findBuilt(dir: string, inputs: ImageInputs): Promise<string | undefined> {
  const text = await readFile(builtPath(dir, inputs), 'utf8').catch(() => '')
  return Sha256.safeParse(/^\{"image":"([^"]*)"\}$/.exec(text)?.[1]).data
}

function builtPath(dir: string, { recipe, lock, sources }: ImageInputs): string {
  const { settled: _settled, ...inputs } = recipe
  const key = digestOf({
    imageFormat,
    recipe: inputs,
    lock: lock?.sha256 ?? null,
    sources: describeSources(sources),
  })
  return join(dir, 'built', `${key}.json`)
}

async function packInitramfs({ recipe, sources, store }: BuildOptions, stages: Stage[]): Promise<Uint8Array> {
  const modules = Object.assign({}, ...stages.map(stage => stage.modules))
  const packed = await makeInitramfs(sources, store, mergeParts(recipe, stages).busybox, modules)
  assertSize('initramfs', packed.length, recipe.limits.initramfsBytes)
  return packed
}

const debianParts = ['base', 'uml', 'libc', 'loader', 'shell', 'vmlinuz', 'busybox'] as const

function mergeParts(recipe: Recipe, stages: Stage[]): Record<(typeof debianParts)[number], Part> {
  const all: Record<string, Part> = Object.assign({}, ...stages.map(stage => stage.parts))
  const part = (name: (typeof debianParts)[number]) => {
    const found = all[name]
    if (!found)
      throw new PytiError('image-incomplete', `recipe ${recipe.name} takes no ${name} from any package`)
    return found
  }
  return {
    base: part('base'),
    uml: part('uml'),
    libc: part('libc'),
    loader: part('loader'),
    shell: part('shell'),
    vmlinuz: part('vmlinuz'),
    busybox: part('busybox'),
  }
}

async function withWork<T>(
  { store, dir, onProgress, signal }: Pick<BuildOptions, 'store' | 'dir' | 'onProgress' | 'signal'>,
  use: (context: StageContext) => Promise<T>,
): Promise<T> {
  await mkdir(dir, { recursive: true, mode: 0o755 })
  const work = await makeOwnedFolder(dir, 'build')
  try {
    return await use({ store, builtDir: join(dir, 'built'), work, onProgress, ...(signal && { signal }) })
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

/** @throws PytiError `image-too-large` */
function assertSize(what: string, bytes: number, most: number): void {
  if (bytes > most)
    throw new PytiError('image-too-large', `the ${what} has ${bytes} bytes, the recipe allows ${most}`, {
      hint: 'leave packages or files out in the recipe',
      details: { bytes, most },
    })
}
