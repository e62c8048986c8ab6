import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PytiError } from '../../errors.ts'
import { runCommand } from '../../exec.ts'
import { type LockedPackage, parsePackageSums } from './lock.ts'

export interface DebianOptions {
  suite: string
  architecture: string
  packages: string[]
  /** Empty folder of the caller; the result is left in it. */
  work: string
  env: Record<string, string>
  mirror: string
  onLine: (line: string) => void
  signal?: AbortSignal
}

export interface Unpacked {
  /** Tar of the root folder. */
  tar: string
  /** What apt really fetched. */
  packages: LockedPackage[]
}

/**
 * A Debian system with the packages installed, as a tar that is the same for root and for an unprivileged user.
 * @throws PytiError `program-missing` | `command-failed` | `image-incomplete`
 */
export function installDebian(
  options: DebianOptions & { exclude: string[]; remove: string[] },
): Promise<Unpacked> {
  return debootstrap('base', options, [
    '--variant=essential',
    '--skip=essential/unlink',
    '--aptopt=Apt::Install-Recommends "false"',
    ...options.exclude.map(pattern => `--dpkgopt=path-exclude=${pattern}`),
    ...sumHooks('customize', sumsPath(options, 'base')),
    `--customize-hook=rm -rf ${options.remove.map(pattern => `"$1"${pattern}`).join(' ')}`,
  ])
}

/** The packages and what they depend on, unpacked and not installed. @throws as `installDebian` */
export function unpackDebian(name: string, options: DebianOptions): Promise<Unpacked> {
  return debootstrap(name, options, ['--variant=extract', ...sumHooks('extract', sumsPath(options, name))])
}

async function debootstrap(name: string, options: DebianOptions, argv: string[]): Promise<Unpacked> {
  const { suite, architecture, packages, work, env, mirror, onLine, signal } = options
  const tar = join(work, `${name}.tar`)
  await runCommand(
    [
      'mmdebstrap',
      `--architectures=${architecture}`,
      `--include=${packages.join(',')}`,
      ...argv,
      suite,
      tar,
      mirror,
    ],
    { env, onLine, ...(signal && { signal }) },
  )
  return { tar, packages: parsePackageSums(await readFile(sumsPath(options, name), 'utf8')) }
}

const sumsPath = ({ work }: DebianOptions, name: string) => join(work, `${name}.sums`)

/** Hooks run as the build's inner user; only `download` writes as ours. */
function sumHooks(kind: 'extract' | 'customize', path: string): string[] {
  return [
    `--${kind}-hook=cd "$1/var/cache/apt/archives" && sha256sum -- *.deb > "$1/pyti-sums"`,
    `--${kind}-hook=download /pyti-sums "${path}"`,
    `--${kind}-hook=rm "$1/pyti-sums"`,
  ]
}

/** The mirror apt itself uses, so that no host name stands here. @throws PytiError `no-debian-mirror` */
export async function debianMirror(): Promise<string> {
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
