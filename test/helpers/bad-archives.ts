import { buffer } from 'node:stream/consumers'
import { gzipSync } from 'node:zlib'
import { pack } from 'tar-stream'
import { recordLine } from '../../src/pypi/make-distribution.ts'
import { deflatedEntry, storedEntry, writeZip, type ZipEntry } from '../../src/pypi/zip-writer.ts'
import type { DistributionKind } from '../../src/wire/job.ts'
import type { archiveFaults } from '../../src/wire/raw-data.ts'

export type ArchiveFaultWord = (typeof archiveFaults)[number]

/** A distribution that must be refused, and the word it must be refused with. */
export interface BadArchive {
  name: string
  filename: string
  kind: DistributionKind
  bytes: Uint8Array<ArrayBuffer>
  fault: ArchiveFaultWord
}

type TarHeader = Parameters<ReturnType<typeof pack>['entry']>[0]

const project = 'bad'
export const stem = 'bad-1.0'
const info = `${stem}.dist-info`
const time = new Date(Date.UTC(2025, 0, 1))
const metadata = Buffer.from(`Metadata-Version: 2.2\nName: ${project}\nVersion: 1.0\n`)
const wheelFile = Buffer.from(
  'Wheel-Version: 1.0\nGenerator: test 1\nRoot-Is-Purelib: true\nTag: py3-none-any\n',
)
const code = Buffer.from('"""A module."""\n')

/** A wheel and an sdist with nothing wrong, to tell a strict reader from one that refuses everything. */
export async function goodArchives(): Promise<Omit<BadArchive, 'fault'>[]> {
  return [
    { name: 'good wheel', filename: `${stem}-py3-none-any.whl`, kind: 'wheel', bytes: wheelOf([]) },
    { name: 'good sdist', filename: `${stem}.tar.gz`, kind: 'sdist', bytes: await sdistOf([]) },
  ]
}

/** Every small bad archive. The large ones are in archive-bombs.ts. */
export async function badArchives(): Promise<BadArchive[]> {
  return [...badWheels(), ...(await badSdists())]
}

function badWheels(): BadArchive[] {
  const whole = wheelOf([])
  const wrongRecord = wheelOf([], { record: `bad/__init__.py,sha256=${'A'.repeat(43)},1\n` })
  return [
    wheel('truncated wheel', whole.slice(0, whole.length * 0.6), 'truncated'),
    wheel('wheel cut inside its directory', whole.slice(0, -30), 'truncated'),
    wheel('text instead of a wheel', Buffer.from('<html>Not found</html>\n'.repeat(50)), 'not-an-archive'),
    wheel('empty wheel', Buffer.alloc(0), 'not-an-archive'),
    wheel('sdist named as a wheel', gzipSync(Buffer.alloc(10_240)), 'not-an-archive'),
    wheel('wheel member above its root', wheelOf([storedEntry('../escaped.py', code)]), 'path-escape'),
    wheel(
      'wheel member above its root, deeper',
      wheelOf([storedEntry('bad/../../escaped.py', code)]),
      'path-escape',
    ),
    wheel('absolute wheel member', wheelOf([storedEntry('/etc/cron.d/escaped', code)]), 'path-escape'),
    wheel(
      'wheel member with backslashes',
      wheelOf([storedEntry('bad\\..\\..\\escaped.py', code)]),
      'path-escape',
    ),
    wheel('wheel member on a drive', wheelOf([storedEntry('C:/escaped.py', code)]), 'path-escape'),
    wheel(
      'symbolic link out of a wheel',
      wheelOf([storedEntry('bad/link', Buffer.from('../../../../etc/passwd'), 0o120777)]),
      'link-escape',
    ),
    wheel(
      'wheel with a member twice',
      wheelOf([storedEntry('bad/__init__.py', metadata)]),
      'duplicate-member',
    ),
    wheel('wheel without METADATA', wheelOf([], { metadata: null }), 'no-metadata'),
    wheel(
      'wheel with the METADATA of another project',
      wheelOf([], { metadata: Buffer.from('Metadata-Version: 2.2\nName: other\nVersion: 1.0\n') }),
      'bad-metadata',
    ),
    wheel(
      'wheel with binary METADATA',
      wheelOf([], { metadata: Buffer.from([0, 255, 254, 10, 0]) }),
      'bad-metadata',
    ),
    wheel('wheel with a wrong RECORD', wrongRecord, 'bad-metadata'),
  ]
}

async function badSdists(): Promise<BadArchive[]> {
  const whole = await sdistOf([])
  const out: TarHeader = { name: `${stem}/link`, type: 'symlink', linkname: '../../etc/passwd' }
  const make = async (name: string, header: TarHeader, fault: ArchiveFaultWord, data?: Buffer) =>
    sdist(name, await sdistOf([[header, data]]), fault)
  return [
    sdist('truncated sdist', whole.slice(0, whole.length * 0.6), 'truncated'),
    sdist('sdist cut inside a member', gzipSync((await tarOf([])).subarray(0, 700)), 'truncated'),
    sdist('text instead of an sdist', Buffer.from('Bad gateway\n'.repeat(50)), 'not-an-archive'),
    sdist('compressed text', gzipSync('nothing to unpack '.repeat(200)), 'not-an-archive'),
    await make('sdist member above its root', { name: `${stem}/../../escaped.py` }, 'path-escape', code),
    await make('absolute sdist member', { name: '/etc/cron.d/escaped' }, 'path-escape', code),
    await make('symbolic link out of an sdist', out, 'link-escape'),
    await make('absolute symbolic link', { ...out, linkname: '/etc/passwd' }, 'link-escape'),
    await make('hard link out of an sdist', { ...out, type: 'link' }, 'link-escape'),
    await make('absolute hard link', { ...out, type: 'link', linkname: '/etc/passwd' }, 'link-escape'),
    await make(
      'character device',
      { name: `${stem}/null`, type: 'character-device', devmajor: 1, devminor: 3 },
      'special-file',
    ),
    await make('block device', { name: `${stem}/disk`, type: 'block-device', devmajor: 8 }, 'special-file'),
    await make('named pipe', { name: `${stem}/pipe`, type: 'fifo' }, 'special-file'),
    await make('sdist with a member twice', { name: `${stem}/PKG-INFO` }, 'duplicate-member', code),
  ]
}

export function wheel(name: string, bytes: Uint8Array<ArrayBuffer>, fault: ArchiveFaultWord): BadArchive {
  return { name, filename: `${stem}-py3-none-any.whl`, kind: 'wheel', bytes, fault }
}

export function sdist(name: string, bytes: Uint8Array<ArrayBuffer>, fault: ArchiveFaultWord): BadArchive {
  return { name, filename: `${stem}.tar.gz`, kind: 'sdist', bytes, fault }
}

export function wheelOf(
  extra: ZipEntry[],
  changes: { metadata?: Uint8Array | null; record?: string } = {},
): Uint8Array<ArrayBuffer> {
  const own = changes.metadata === undefined ? metadata : changes.metadata
  const files: [string, Uint8Array][] = [
    ['bad/__init__.py', code],
    ...(own === null ? [] : [[`${info}/METADATA`, own] satisfies [string, Uint8Array]]),
    [`${info}/WHEEL`, wheelFile],
  ]
  const record =
    changes.record ??
    [...files.map(([path, data]) => recordLine(path, data)), ...extra.map(entry => `${entry.name},,\n`)].join(
      '',
    )
  return writeZip([
    ...files.map(([path, data]) => deflatedEntry(path, data)),
    ...extra,
    deflatedEntry(`${info}/RECORD`, Buffer.from(`${record}${info}/RECORD,,\n`)),
  ])
}

type TarMember = [header: TarHeader, data?: Buffer | undefined]

async function tarOf(extra: TarMember[]): Promise<Buffer<ArrayBuffer>> {
  const tar = pack()
  const own: TarMember[] = [
    [{ name: `${stem}/PKG-INFO` }, metadata],
    [{ name: `${stem}/bad/__init__.py` }, code],
  ]
  for (const [header, data] of [...own, ...extra])
    data === undefined ? tar.entry({ ...header, mtime: time }) : tar.entry({ ...header, mtime: time }, data)
  tar.finalize()
  return buffer(tar)
}

async function sdistOf(extra: TarMember[]): Promise<Uint8Array<ArrayBuffer>> {
  return gzipSync(await tarOf(extra))
}
