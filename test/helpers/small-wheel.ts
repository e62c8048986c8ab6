import { buffer } from 'node:stream/consumers'
import { gzipSync } from 'node:zlib'
import { pack } from 'tar-stream'
import type { PublishedFile } from '../../src/pypi/embedded-shelf.ts'
import { deflatedEntry, writeZip } from '../../src/pypi/zip-writer.ts'

function metadata(name: string, version: string, headers: string[]): string {
  return ['Metadata-Version: 2.2', `Name: ${name}`, `Version: ${version}`, ...headers, ''].join('\n')
}

/** A wheel with nothing but metadata, `Requires-Dist: a>=1` and such as headers. */
export function smallWheel(name: string, version: string, headers: string[] = []): PublishedFile {
  const info = `${name}-${version}.dist-info`
  const files: [string, string][] = [
    [`${info}/METADATA`, metadata(name, version, headers)],
    [`${info}/WHEEL`, 'Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n'],
    [`${info}/RECORD`, ''],
  ]
  const bytes = writeZip(files.map(([path, text]) => deflatedEntry(path, Buffer.from(text))))
  return { filename: `${name}-${version}-py3-none-any.whl`, bytes }
}

/** An sdist of PKG-INFO, these headers, and these other files. */
export async function smallSdist(
  name: string,
  version: string,
  headers: string[] = [],
  files: Record<string, string> = {},
): Promise<PublishedFile> {
  const tar = pack()
  const members = { 'PKG-INFO': metadata(name, version, headers), ...files }
  for (const [path, text] of Object.entries(members))
    tar.entry({ name: `${name}-${version}/${path}`, mtime: new Date(0) }, text)
  tar.finalize()
  return { filename: `${name}-${version}.tar.gz`, bytes: gzipSync(await buffer(tar)) }
}
