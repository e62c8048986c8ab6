import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { crc32 } from 'node:zlib'
import { type Entry, getFileNameLowLevel, openPromise, type ZipFile } from 'yauzl'
import { FaultFound } from './archive-fault.ts'
import { type Member, type MemberCheck, show } from './archive-members.ts'
import { isHostTrouble } from './download-body.ts'
import type { WantedTexts } from './wanted-texts.ts'

const fileTypeMask = 0o170000
const regularMode = 0o100000
const directoryMode = 0o040000
const symlinkMode = 0o120000
const madeByUnix = 3

/**
 * Reads every file in a zip file as a stream: first what the directory declares, then what really comes out.
 * @returns SHA-256 of each file in unpadded base64url, by path
 * @throws FaultFound, or the signal's reason
 */
export async function walkZip(
  path: string,
  check: MemberCheck,
  texts: WantedTexts,
  signal: AbortSignal | undefined,
): Promise<Map<string, string>> {
  const digests = new Map<string, string>()
  const zip = await openZip(path)
  try {
    const files: { entry: Entry; name: string; path: string }[] = []
    for await (const entry of entriesOf(zip)) {
      signal?.throwIfAborted()
      const name = nameOf(entry)
      const type = typeOf(entry, name)
      const target = type === 'symlink' ? await readTarget(zip, entry, name) : {}
      const path = check.add({ name, type, size: entry.uncompressedSize, ...target })
      if (path !== undefined && type === 'file') files.push({ entry, name, path })
    }
    check.finish()
    for (const { entry, name, path } of files) {
      const text = texts.wants(path, entry.uncompressedSize) ? texts.open(path) : undefined
      const hash = createHash('sha256')
      await readMember(zip, entry, name, signal, chunk => {
        check.read(chunk.length, name)
        text?.write(chunk)
        hash.update(chunk)
      })
      text?.end()
      digests.set(path, hash.digest('base64url'))
    }
  } finally {
    zip.close()
  }
  return digests
}

/** Unpacks one member of a zip file as a stream. @throws FaultFound */
export async function* readZipMember(path: string, wanted: string): AsyncGenerator<Buffer> {
  const zip = await openZip(path)
  try {
    for await (const entry of entriesOf(zip)) {
      if (nameOf(entry) !== wanted) continue
      for await (const chunk of await zip.openReadStreamPromise(entry)) yield chunk as Buffer
      return
    }
  } finally {
    zip.close()
  }
  throw new FaultFound('no-metadata', `no member ${show(wanted)}`)
}

async function openZip(path: string): Promise<ZipFile> {
  try {
    return await openPromise(path, { decodeStrings: false, autoClose: false })
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause) throw cause
    const start = await firstBytes(path)
    throw start === 'PK\x03\x04'
      ? new FaultFound('truncated', 'the zip file has no central directory')
      : new FaultFound('not-an-archive', 'not a zip file')
  }
}

async function* entriesOf(zip: ZipFile): AsyncGenerator<Entry> {
  try {
    for await (const entry of zip.eachEntry()) yield entry
  } catch (cause) {
    if (cause instanceof FaultFound || isHostTrouble(cause)) throw cause
    throw new FaultFound('not-an-archive', 'the central directory of the zip file is damaged')
  }
}

function nameOf(entry: Entry): string {
  try {
    return getFileNameLowLevel(entry.generalPurposeBitFlag, entry.fileNameRaw, entry.extraFields, true)
  } catch {
    throw new FaultFound('not-an-archive', 'a member has no readable name')
  }
}

function typeOf(entry: Entry, name: string): Member['type'] {
  const unix = entry.versionMadeBy >>> 8 === madeByUnix
  const mode = unix ? (entry.externalFileAttributes >>> 16) & fileTypeMask : 0
  if (mode === symlinkMode) return 'symlink'
  if (mode !== 0 && mode !== regularMode && mode !== directoryMode)
    throw new FaultFound('special-file', show(name))
  return name.endsWith('/') ? 'directory' : 'file'
}

async function readTarget(zip: ZipFile, entry: Entry, name: string): Promise<{ target: string }> {
  if (entry.uncompressedSize > 4_096)
    throw new FaultFound('link-escape', `${show(name)} has an endless target`)
  const chunks: Uint8Array[] = []
  await readMember(zip, entry, name, undefined, chunk => chunks.push(chunk))
  return { target: Buffer.concat(chunks).toString('utf8') }
}

async function readMember(
  zip: ZipFile,
  entry: Entry,
  name: string,
  signal: AbortSignal | undefined,
  onChunk: (chunk: Uint8Array) => void,
): Promise<void> {
  if (!entry.canDecodeFileData())
    throw new FaultFound('not-an-archive', `${show(name)} is encrypted or packed by an unknown method`)
  let sum = 0
  let stream: Readable | undefined
  try {
    stream = await zip.openReadStreamPromise(entry)
    for await (const chunk of stream) {
      signal?.throwIfAborted()
      sum = crc32(chunk, sum)
      onChunk(chunk)
    }
  } catch (cause) {
    signal?.throwIfAborted()
    if (cause instanceof FaultFound || isHostTrouble(cause)) throw cause
    if (cause instanceof Error && cause.message.startsWith('too many bytes'))
      throw new FaultFound('unpacks-too-large', `${show(name)} unpacks to more than it declares`)
    throw new FaultFound('not-an-archive', `${show(name)} is damaged`)
  } finally {
    stream?.destroy()
  }
  if (sum !== entry.crc32) throw new FaultFound('not-an-archive', `${show(name)} has a wrong checksum`)
}

async function firstBytes(path: string): Promise<string> {
  const file = await open(path)
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(4), 0, 4, 0)
    return buffer.toString('latin1', 0, bytesRead)
  } finally {
    await file.close()
  }
}
