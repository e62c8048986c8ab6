import { stat } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import { digestFile } from '../digest-file.ts'
import { PytiError } from '../errors.ts'
import type { IndexClient } from '../pypi/index-client.ts'
import type { IndexFile } from '../pypi/index-page.ts'
import { parseFilename } from '../pypi/names.ts'
import { pickFiles } from '../pypi/pick-files.ts'
import { type DistributionKind, type GuestPlatform, Subject } from '../wire/job.ts'
import { limits } from '../wire/limits.ts'

/** One distribution to have tested, and where its bytes are. */
export interface Target {
  subject: Subject
  origin: 'index' | 'coordinator'
  /** When the index got it. */
  uploadTime?: string
  /** The local file, when `origin` is `coordinator`. */
  path?: string
}

/**
 * What the arguments of `pyti test` and `pyti submit` mean: a wheel or sdist on disk, or `PROJECT[==VERSION]` on the index,
 * which stands for the release's sdist and its best wheel.
 * @throws PytiError `usage` | `file-not-found` | `empty-file` | `bad-filename` | `project-not-found` | `version-not-found` |
 *   `no-distribution`
 */
export async function findTargets(
  argument: string,
  options: {
    client: () => Promise<IndexClient>
    guest: GuestPlatform
    kinds: DistributionKind[]
    signal?: AbortSignal
  },
): Promise<Target[]> {
  if (/\.(whl|tar\.gz|zip)$/.test(argument) || argument.includes('/')) return [await localTarget(argument)]
  const match = /^([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)(?:==([A-Za-z0-9.!+_-]+))?$/.exec(argument)
  if (!match?.[1])
    throw new PytiError(
      'usage',
      `"${argument}" is neither PROJECT, PROJECT==VERSION nor the path of a wheel or sdist`,
      {
        hint: 'for example: pyti test six, pyti test six==1.17.0, pyti test dist/mine-1.0-py3-none-any.whl',
      },
    )
  const client = await options.client()
  const page = await client.project(match[1], options.signal)
  const picked = pickFiles(page, {
    ...options.guest,
    ...(match[2] !== undefined && { version: match[2] }),
  })
  const targets: Target[] = []
  for (const kind of ['sdist', 'wheel'] as const) {
    const file = picked[kind]
    if (file && options.kinds.includes(kind)) targets.push(await indexTarget(file, client, options.signal))
  }
  if (targets.length === 0)
    throw new PytiError(
      'no-distribution',
      `${match[1]} ${picked.version} has no ${options.kinds.join(' or ')} that Python ${options.guest.python} on Linux x86-64 can use`,
      {
        hint: 'try another version, or test a file you have with its path',
      },
    )
  return targets
}

async function localTarget(path: string): Promise<Target> {
  const info = await stat(path).catch(() => undefined)
  if (!info?.isFile())
    throw new PytiError('file-not-found', `there is no file ${path}`, {
      hint: 'name an existing .whl, .tar.gz or .zip',
    })
  if (info.size === 0) throw new PytiError('empty-file', `${path} is empty`)
  if (info.size > limits.distributionBytes)
    throw new PytiError(
      'usage',
      `${path} has ${info.size} bytes, at most ${limits.distributionBytes} are taken`,
    )
  const { project, version, kind } = parseFilename(basename(path))
  const subject = checked({
    project,
    version,
    filename: basename(path),
    kind,
    sha256: await digestFile(path),
    size: info.size,
  })
  return { subject, origin: 'coordinator', path: resolve(path) }
}

async function indexTarget(
  file: IndexFile,
  client: IndexClient,
  signal: AbortSignal | undefined,
): Promise<Target> {
  const { filename, sha256 } = file
  const size = await client.sizeOf(file, signal)
  const { project, version, kind } = parseFilename(filename)
  if (sha256 === undefined || size === undefined)
    throw new PytiError('no-distribution', `the index gives no SHA-256 or size for ${filename}`, {
      hint: 'use another index, or download the file and test its path',
    })
  return {
    subject: checked({ project, version, filename, kind, sha256, size }),
    origin: 'index',
    ...(file.uploadTime !== undefined && { uploadTime: file.uploadTime }),
  }
}

function checked(subject: Subject): Subject {
  const parsed = Subject.safeParse(subject)
  if (parsed.success) return parsed.data
  throw new PytiError(
    'bad-filename',
    `${subject.filename} is not the file name of a wheel or sdist: ${parsed.error.issues[0]?.message}`,
  )
}
