import { mkdir, rm } from 'node:fs/promises'
import { join, posix } from 'node:path'
import { PytiError } from '../../errors.ts'
import { runCommand } from '../../exec.ts'
import { type DebianOptions, debianMirror, installDebian, unpackDebian } from './debian.ts'
import type { BootStage, Recipe } from './recipe.ts'
import type { Part, Stage, StageContext } from './stages.ts'
import type { ImageStore } from './store.ts'

/**
 * Runs the package tools for stage `index` of a recipe: 0 is the base, the others are its boot packages.
 * @throws PytiError `program-missing` | `command-failed` | `no-debian-mirror` | `image-incomplete`
 */
export async function runStage(recipe: Recipe, index: number, context: StageContext): Promise<Stage> {
  const boot = recipe.boot[index - 1]
  return boot ? runBoot(recipe, boot, index, context) : runBase(recipe, context)
}

async function runBase(recipe: Recipe, context: StageContext): Promise<Stage> {
  const { store, work, onProgress, signal } = context
  onProgress(
    `Debian ${recipe.suite} with Python ${recipe.python}: downloading and unpacking (about a minute)`,
  )
  const options = await debianOptions(recipe, recipe, context)
  const { tar, packages } = await installDebian({
    ...options,
    exclude: recipe.exclude,
    remove: recipe.remove,
  })
  onProgress('compressing the base image (about half a minute)')
  const base = join(work, 'base.squashfs')
  await runCommand(
    [
      'sh',
      '-c',
      'exec mksquashfs - "$1" -tar -comp zstd -Xcompression-level 15 -noappend -reproducible -no-xattrs -all-root -no-progress < "$2"',
      'sh',
      base,
      tar,
    ],
    { env: options.env, ...(signal && { signal }) },
  )
  await rm(tar)
  const part = await store.adopt(base)
  return { packages, parts: { base: part }, modules: {} }
}

async function runBoot(
  recipe: Recipe,
  boot: BootStage,
  index: number,
  context: StageContext,
): Promise<Stage> {
  const { store, work } = context
  context.onProgress(`Debian ${boot.suite}: kernels and their libraries`)
  const options = await debianOptions(recipe, boot, context)
  const { tar, packages } = await unpackDebian(`boot-${index}`, options)
  const members = (await runCommand(['tar', 'tf', tar])).split('\n')
  const take = async (glob: string) => {
    const [member, ...more] = members.filter(name => posix.matchesGlob(name.replace(/^\.\//, ''), glob))
    if (member === undefined || more.length > 0)
      throw new PytiError(
        'image-incomplete',
        `${glob} is ${member === undefined ? 'not' : 'more than once'} in the boot packages of ${recipe.name}`,
      )
    return {
      name: posix.basename(member).replace(/\.xz$/, ''),
      part: await takeMember(store, work, tar, member),
    }
  }
  const parts: Stage['parts'] = {}
  for (const [name, glob] of Object.entries(boot.take)) parts[name] = (await take(glob)).part
  const modules: Stage['modules'] = {}
  for (const [kind, globs] of Object.entries(boot.modules)) {
    modules[kind] = []
    for (const glob of globs) modules[kind].push(await take(glob))
  }
  await rm(tar)
  return { packages, parts, modules }
}

async function debianOptions(
  recipe: Recipe,
  { suite, packages }: { suite: string; packages: string[] },
  { work, onProgress, signal }: StageContext,
): Promise<DebianOptions> {
  const temporary = join(work, 'tmp')
  await mkdir(temporary, { recursive: true })
  return {
    suite,
    packages,
    architecture: recipe.architecture,
    work,
    mirror: await debianMirror(),
    // mmdebstrap and mksquashfs take the time of every file from here (reproducible-builds.org/specs/source-date-epoch).
    // An unprivileged mmdebstrap works under other user ids, which cannot enter a private folder.
    env: {
      PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
      HOME: work,
      TMPDIR: process.getuid?.() === 0 ? temporary : '/var/tmp',
      SOURCE_DATE_EPOCH: String(recipe.sourceDateEpoch),
      LANG: 'C.UTF-8',
    },
    onLine: line => {
      const step = /^I: ((?:running apt-get update|downloading|extracting|installing|creating).*?)\.*$/.exec(
        line,
      )?.[1]
      if (step) onProgress(`Debian ${suite}: ${step}`)
    },
    ...(signal && { signal }),
  }
}

async function takeMember(store: ImageStore, work: string, tar: string, member: string): Promise<Part> {
  const path = join(work, 'member')
  const unpack = member.endsWith('.xz') ? 'tar xOf "$1" "$2" | xz -dc > "$3"' : 'tar xOf "$1" "$2" > "$3"'
  await runCommand(['sh', '-ec', unpack, 'sh', tar, member, path])
  return store.adopt(path)
}
