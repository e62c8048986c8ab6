import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { gzipSync } from 'node:zlib'
import { parse } from 'smol-toml'
import { pack } from 'tar-stream'
import { isCode, messageOf, PytiError } from '../errors.ts'
import { sha256 } from '../wire/canonical.ts'
import type { DistributionKind } from '../wire/job.ts'
import type { Truth } from '../wire/truth.ts'
import { Sample, SampleProject } from './sample.ts'
import { storedEntry, writeZip } from './zip-writer.ts'

export interface SampleDistribution {
  filename: string
  bytes: Uint8Array<ArrayBuffer>
  kind: DistributionKind
  project: string
  version: string
  sha256: string
  requiresPython: string
  dependencies: readonly string[]
  truth: Truth
}

type Members = Map<string, Uint8Array>

const fixedTime = new Date(Date.UTC(2025, 0, 1))
const backendFolder = '_backend'

/**
 * Makes the distributions of one sample, purely as data: nothing of the sample is executed. Equal sources give equal
 * bytes on every machine (fixed times, sorted members, no compression).
 * @param as another project to make of it: its name and description, in place of the sample's
 * @throws PytiError `bad-sample`
 */
export async function makeDistributions(
  sampleDir: string,
  as?: { name: string; description: string },
): Promise<SampleDistribution[]> {
  try {
    const sample = Sample.parse(JSON.parse(await readFile(join(sampleDir, 'sample.json'), 'utf8')))
    let members = await readMembers(sampleDir)
    members.delete('sample.json')
    const own = projectIn(members)
    if (own['build-system']['backend-path'])
      for (const [path, data] of await readMembers(await findBackend(sampleDir)))
        members.set(`${backendFolder}/${path}`, data)
    if (as) members = renamed(members, own.project, as)
    const settings = as ? projectIn(members) : own
    return await Promise.all(sample.kind.map(kind => makeDistribution(kind, settings, members, sample)))
  } catch (cause) {
    if (isCode(cause, 'bad-sample')) throw cause
    throw new PytiError('bad-sample', `sample ${basename(sampleDir)}: ${messageOf(cause)}`, {
      hint: 'see src/pypi/sample.ts for what a sample holds',
      cause,
    })
  }
}

/** Makes the distributions of every sample that lies directly in a folder, in the order of their names. */
export async function makeAll(samplesDir: string): Promise<SampleDistribution[]> {
  const made: SampleDistribution[] = []
  for (const name of (await readdir(samplesDir)).sort())
    if ((await readdir(join(samplesDir, name)).catch((): string[] => [])).includes('sample.json'))
      made.push(...(await makeDistributions(join(samplesDir, name))))
  return made
}

async function makeDistribution(
  kind: DistributionKind,
  settings: SampleProject,
  members: Members,
  sample: Sample,
): Promise<SampleDistribution> {
  const { name, version, 'requires-python': requiresPython, dependencies } = settings.project
  const truth = sample.truth[kind]
  if (!truth) throw new PytiError('bad-sample', `${name} has no truth about its ${kind}`)
  const stem = `${name.replaceAll('-', '_')}-${version}`
  const metadata = Buffer.from(metadataOf(settings))
  const bytes =
    kind === 'sdist'
      ? await makeSdist(stem, metadata, members)
      : makeWheel(stem, metadata, members, settings['build-system']['build-backend'])
  const filename = kind === 'sdist' ? `${stem}.tar.gz` : `${stem}-py3-none-any.whl`
  const about = { project: name, version, requiresPython, dependencies, truth }
  return { filename, bytes, kind, sha256: sha256(bytes), ...about }
}

/** Core metadata 2.2 (PEP 643): the same text is PKG-INFO in the sdist and METADATA in the wheel. */
function metadataOf({ project }: SampleProject): string {
  return [
    'Metadata-Version: 2.2',
    `Name: ${project.name}`,
    `Version: ${project.version}`,
    `Summary: ${project.description}`,
    `Requires-Python: ${project['requires-python']}`,
    ...project.dependencies.map(requirement => `Requires-Dist: ${requirement}`),
    '',
  ].join('\n')
}

async function makeSdist(
  stem: string,
  metadata: Uint8Array,
  members: Members,
): Promise<Uint8Array<ArrayBuffer>> {
  const tar = pack()
  for (const [path, data] of sorted(new Map([...members, ['PKG-INFO', metadata]])))
    tar.entry({ name: `${stem}/${path}`, mode: 0o644, mtime: fixedTime }, Buffer.from(data))
  tar.finalize()
  const bytes = gzipSync(await buffer(tar), { level: 0 })
  // The operating system's number in the header (RFC 1952): 255 says "unknown".
  bytes[9] = 255
  return bytes
}

function makeWheel(
  stem: string,
  metadata: Uint8Array,
  members: Members,
  generator: string,
): Uint8Array<ArrayBuffer> {
  const info = `${stem}.dist-info`
  const contents: Members = new Map()
  for (const [path, data] of members) if (path.startsWith('src/')) contents.set(path.slice(4), data)
  const files = [
    ...sorted(contents),
    ...sorted(
      new Map([
        [`${info}/METADATA`, metadata],
        [
          `${info}/WHEEL`,
          Buffer.from(
            `Wheel-Version: 1.0\nGenerator: ${generator} 1\nRoot-Is-Purelib: true\nTag: py3-none-any\n`,
          ),
        ],
      ]),
    ),
  ]
  const record = [...files.map(([path, data]) => recordLine(path, data)), `${info}/RECORD,,\n`].join('')
  return writeZip(
    [...files, [`${info}/RECORD`, Buffer.from(record)] as const].map(([path, data]) =>
      storedEntry(path, data),
    ),
  )
}

/** One line of a wheel's RECORD. Paths of samples need no quoting. */
export function recordLine(path: string, data: Uint8Array): string {
  return `${path},sha256=${createHash('sha256').update(data).digest('base64url')},${data.length}\n`
}

function sorted(members: Members): [string, Uint8Array][] {
  return [...members].sort(([left], [right]) => (left < right ? -1 : 1))
}

async function readMembers(dir: string): Promise<Members> {
  const members: Members = new Map()
  for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    // A sample that someone ran in place leaves caches behind.
    if (entry.isFile() && !/\.pyc$|\.egg-info|\.pytest_cache/.test(path))
      members.set(path.slice(dir.length + 1).replaceAll('\\', '/'), await readFile(path))
  }
  return members
}

function projectIn(members: Members): SampleProject {
  const data = members.get('pyproject.toml')
  return SampleProject.parse(parse(Buffer.from(data ?? []).toString('utf8')))
}

/** The same project by another name, in file names, modules and texts; the name of the shared backend goes too. */
function renamed(
  members: Members,
  from: { name: string; description: string },
  to: { name: string; description: string },
): Members {
  const module = (name: string) => name.replaceAll('-', '_')
  const pairs = [
    [from.description, to.description],
    [from.name, to.name],
    [module(from.name), module(to.name)],
    ['pyti_backend', 'sdist_builder'],
    ['pyti-backend', 'sdist-builder'],
  ] as const
  const rename = (text: string) => pairs.reduce((all, [old, fresh]) => all.replaceAll(old, fresh), text)
  // Latin-1 keeps every byte, whatever the encoding.
  const rewrite = (data: Uint8Array) => Buffer.from(rename(Buffer.from(data).toString('latin1')), 'latin1')
  return new Map([...members].map(([path, data]) => [rename(path), rewrite(data)]))
}

/** The backend is shared: it lies beside the samples, or one folder further up. */
async function findBackend(sampleDir: string): Promise<string> {
  for (const folder of [dirname(sampleDir), dirname(dirname(sampleDir))]) {
    const found = await readdir(folder)
    if (found.includes(backendFolder)) return join(folder, backendFolder)
  }
  throw new PytiError('bad-sample', `${sampleDir} names the shared build backend, but none lies beside it`)
}
