import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { digestFile } from '../../digest-file.ts'
import { PytiError } from '../../errors.ts'
import { runCommand } from '../../exec.ts'
import { Sha256 } from '../../wire/job.ts'
import { type CpioEntry, encodeCpio } from './cpio.ts'
import { type GuestSources, type Recipe, recipeDigest, sourcesDigest } from './recipe.ts'
import { type ImageStore, writeAtomically } from './store.ts'

type Progress = (step: string) => void

const Part = z.strictObject({ sha256: Sha256, size: z.int().min(1) })
/** The parts that come from Debian, kept under the recipe's digest. */
const DebianParts = z.strictObject({
  base: Part,
  uml: Part,
  libc: Part,
  loader: Part,
  shell: Part,
  vmlinuz: Part,
  busybox: Part,
  modules: z.strictObject({ uml: z.array(Part), qemu: z.array(Part) }),
})
type DebianParts = z.infer<typeof DebianParts>

/**
 * Builds the guest image of a recipe, or finds it built: what comes from Debian is cached by the recipe's digest and
 * the initramfs is made anew whenever the agent changed.
 * @returns the image's id
 * @throws PytiError `program-missing` | `command-failed` | `no-debian-mirror`
 */
export async function buildImage(options: {
  recipe: Recipe
  sources: GuestSources
  store: ImageStore
  /** The images folder. */
  dir: string
  onProgress: Progress
  signal?: AbortSignal
}): Promise<string> {
  const { recipe, sources, store, dir, onProgress, signal } = options
  const builtPath = join(dir, 'built', `${sourcesDigest(recipe, sources)}.json`)
  const built = await readJson(builtPath, z.strictObject({ image: Sha256 }))
  if (built && (await store.open(built.image).catch(() => undefined))) return built.image

  const work = await makeWorkFolder(dir)
  try {
    const debianPath = join(dir, 'built', `debian-${recipeDigest(recipe)}.json`)
    let debian = await readJson(debianPath, DebianParts)
    if (!debian || !(await allPresent(store, debian))) {
      debian = await buildDebianParts(recipe, work, store, onProgress, signal)
      await writeAtomically(debianPath, JSON.stringify(debian))
    }
    onProgress('packing the agent into the initramfs')
    const initramfs = join(work, 'initramfs')
    await writeFile(initramfs, encodeCpio(await initramfsEntries(recipe, sources, store, debian)))
    const { busybox: _busybox, modules: _modules, ...parts } = debian
    const image = await store.save({
      schema: 'pyti.image/1',
      name: recipe.name,
      python: recipe.python,
      parts: { ...parts, initramfs: await store.adopt(initramfs) },
    })
    await writeAtomically(builtPath, JSON.stringify({ image }))
    return image
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

async function buildDebianParts(
  recipe: Recipe,
  work: string,
  store: ImageStore,
  onProgress: Progress,
  signal: AbortSignal | undefined,
): Promise<DebianParts> {
  const mirror = await debianMirror()
  // An unprivileged mmdebstrap works under other user ids, which cannot enter a private folder.
  // mmdebstrap and mksquashfs take the time of every file from here (reproducible-builds.org/specs/source-date-epoch).
  const env = {
    PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: work,
    TMPDIR: process.getuid?.() === 0 ? work : '/var/tmp',
    SOURCE_DATE_EPOCH: String(recipe.sourceDateEpoch),
    LANG: 'C.UTF-8',
  }
  const baseTar = join(work, 'base.tar')
  const onLine = (line: string) => {
    const step = /^I: ((?:running apt-get update|downloading|extracting|installing|creating).*?)\.*$/.exec(
      line,
    )?.[1]
    if (step) onProgress(`Debian ${recipe.suite}: ${step}`)
  }
  onProgress(
    `Debian ${recipe.suite} with Python ${recipe.python}: downloading and unpacking (about a minute)`,
  )
  await runCommand(
    [
      'mmdebstrap',
      '--variant=essential',
      '--architectures=amd64',
      '--aptopt=Apt::Install-Recommends "false"',
      ...recipe.exclude.map(pattern => `--dpkgopt=path-exclude=${pattern}`),
      `--include=${recipe.packages.join(',')}`,
      `--customize-hook=rm -rf ${recipe.remove.map(pattern => `"$1"${pattern}`).join(' ')}`,
      recipe.suite,
      baseTar,
      mirror,
    ],
    { env, onLine, ...(signal && { signal }) },
  )
  const boot: { tar: string; member: string }[] = []
  for (const [index, { suite, packages }] of recipe.boot.entries()) {
    const tar = join(work, `boot-${index}.tar`)
    await runCommand(
      [
        'mmdebstrap',
        '--variant=extract',
        '--architectures=amd64',
        `--include=${packages.join(',')}`,
        suite,
        tar,
        mirror,
      ],
      {
        env,
        onLine,
        ...(signal && { signal }),
      },
    )
    const stdout = await runCommand(['tar', 'tf', tar])
    boot.push(...stdout.split('\n').map(member => ({ tar, member })))
  }
  onProgress('compressing the base image (about half a minute)')
  const base = join(work, 'base.squashfs')
  await runCommand(
    [
      'sh',
      '-c',
      'exec mksquashfs - "$1" -tar -comp zstd -Xcompression-level 15 -noappend -reproducible -no-xattrs -all-root -no-progress < "$2"',
      'sh',
      base,
      baseTar,
    ],
    { env, ...(signal && { signal }) },
  )
  onProgress('taking kernels and their libraries out of the packages')
  const take = (tar: string, member: string) => takeMember(store, work, tar, member)
  const libs = './usr/lib/x86_64-linux-gnu'
  const takeBoot = (pattern: RegExp) => {
    const found = boot.find(({ member }) => pattern.test(member))
    if (!found)
      throw new PytiError('image-incomplete', `no ${pattern} in the boot packages of ${recipe.name}`)
    return take(found.tar, found.member)
  }
  const modules = async (below: string, names: string[]) => {
    const parts = []
    for (const name of names) parts.push(await takeBoot(new RegExp(`${below}.*/${name}\\.ko(\\.xz)?$`)))
    return parts
  }
  return {
    base: await store.adopt(base),
    uml: await takeBoot(/\/linux\.uml$/),
    libc: await take(baseTar, `${libs}/libc.so.6`),
    loader: await take(baseTar, `${libs}/ld-linux-x86-64.so.2`),
    shell: await take(baseTar, './usr/bin/dash'),
    vmlinuz: await takeBoot(/\/vmlinuz-[^/]+$/),
    busybox: await takeBoot(/\/busybox$/),
    modules: {
      uml: await modules('/usr/lib/uml/modules/', recipe.modules.uml),
      qemu: await modules('/lib/modules/', recipe.modules.qemu),
    },
  }
}

async function takeMember(store: ImageStore, work: string, tar: string, member: string) {
  const path = join(work, 'member')
  const unpack = member.endsWith('.xz') ? 'tar xOf "$1" "$2" | xz -dc > "$3"' : 'tar xOf "$1" "$2" > "$3"'
  await runCommand(['sh', '-ec', unpack, 'sh', tar, member, path])
  return store.adopt(path)
}

async function initramfsEntries(
  recipe: Recipe,
  sources: GuestSources,
  store: ImageStore,
  debian: DebianParts,
): Promise<CpioEntry[]> {
  const stored = (part: { sha256: string }) => readFile(store.partPath(part.sha256))
  const folders = [
    'agent',
    'base',
    'bin',
    'dev',
    'modules',
    'modules/qemu',
    'modules/uml',
    'proc',
    'root',
    'rw',
    'sbin',
    'sys',
  ]
  const entries: CpioEntry[] = folders.map(path => ({ path, mode: 0o755 }))
  entries.push({ path: 'init', mode: 0o755, data: sources.init })
  const busybox = await stored(debian.busybox)
  entries.push({ path: 'bin/busybox', mode: 0o755, data: busybox })
  for (const applet of ['sh', 'mount', 'insmod', 'mkdir', 'cp', 'sleep', 'poweroff', 'switch_root'])
    entries.push({
      path: `bin/${applet}`,
      mode: 0o777,
      link: true,
      data: new TextEncoder().encode('busybox'),
    })
  for (const kind of ['uml', 'qemu'] as const) {
    const names = recipe.modules[kind].map(name => `${name}.ko`)
    for (const [index, part] of debian.modules[kind].entries())
      entries.push({ path: `modules/${kind}/${names[index]}`, mode: 0o644, data: await stored(part) })
    entries.push({
      path: `modules/${kind}/order`,
      mode: 0o644,
      data: new TextEncoder().encode(`${names.join('\n')}\n`),
    })
  }
  for (const file of sources.agent) entries.push({ path: `agent/${file.name}`, mode: 0o600, data: file.data })
  return entries
}

/** The mirror apt itself uses, so that no host name stands here. */
async function debianMirror(): Promise<string> {
  const stdout = await runCommand([
    'apt-get',
    'indextargets',
    '--format',
    '$(ORIGIN) $(CODENAME) $(REPO_URI)',
    'Created-By: Packages',
  ])
  const lines = stdout.split('\n').map(line => line.split(' '))
  const main = lines.find(
    ([origin, codename]) => origin === 'Debian' && codename !== undefined && !codename.includes('-'),
  )
  if (!main?.[2])
    throw new PytiError('no-debian-mirror', 'apt knows no Debian archive to build the guest image from', {
      hint: 'run `apt-get update`; on another distribution fetch the image from a coordinator instead',
    })
  return main[2]
}

async function makeWorkFolder(dir: string): Promise<string> {
  await mkdir(dir, { recursive: true, mode: 0o755 })
  return mkdtemp(join(dir, `build-${process.pid}-`))
}

async function allPresent(store: ImageStore, debian: DebianParts): Promise<boolean> {
  const { modules, ...parts } = debian
  const all = [...Object.values(parts), ...modules.uml, ...modules.qemu]
  const digests = await Promise.all(all.map(part => digestFile(store.partPath(part.sha256)).catch(() => '')))
  return digests.every((digest, index) => digest === all[index]?.sha256)
}

async function readJson<T extends z.ZodType>(path: string, schema: T): Promise<z.infer<T> | undefined> {
  const text = await readFile(path, 'utf8').catch(() => undefined)
  if (text === undefined) return undefined
  const parsed = schema.safeParse(JSON.parse(text))
  return parsed.success ? parsed.data : undefined
}
