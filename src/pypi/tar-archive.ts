import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { extract, type Header } from 'tar-stream'
import { FaultFound } from './archive-fault.ts'
import { type Member, type MemberCheck, show } from './archive-members.ts'
import { hasCode, isHostTrouble } from './download-body.ts'
import { tarCeiling } from './tar-ceiling.ts'
import type { WantedTexts } from './wanted-texts.ts'

const types: Record<string, Member['type']> = {
  file: 'file',
  'contiguous-file': 'file',
  directory: 'directory',
  symlink: 'symlink',
  link: 'hardlink',
}

// tar-stream's types lack this option of its README: archives from before ustar have no magic.
const lenient = { highWaterMark: 64 * 1024, allowUnknownFormat: true }

const maximumFields = 1_000

/** Reads a `.tar.gz` to its end as a stream, in bounded memory. @throws FaultFound, or the signal's reason */
export async function walkTar(
  path: string,
  check: MemberCheck,
  texts: WantedTexts,
  signal: AbortSignal | undefined,
): Promise<void> {
  const unpacking = new AbortController()
  const both = signal === undefined ? unpacking.signal : AbortSignal.any([signal, unpacking.signal])
  const members = extract(lenient)
  const unpacked = pipeline(createReadStream(path), createGunzip(), tarCeiling(check.streamBytes), members, {
    signal: both,
  })
  // Awaited below; until then a failure shows up in the loop too.
  unpacked.catch(() => {})
  try {
    for await (const entry of members) {
      const member = memberOf(entry.header)
      const name = check.add(member)
      const text =
        name !== undefined && member.type === 'file' && texts.wants(name, member.size)
          ? texts.open(name)
          : undefined
      for await (const chunk of entry) {
        if (!(chunk instanceof Uint8Array)) continue
        check.read(chunk.length, member.name)
        text?.write(chunk)
      }
      text?.end()
    }
    await unpacked
  } catch (cause) {
    unpacking.abort()
    await unpacked.catch(() => {})
    signal?.throwIfAborted()
    throw asFault(cause)
  }
  check.finish()
}

function memberOf(header: Header): Member {
  const { name, size } = header
  if (Object.keys(header.pax ?? {}).length > maximumFields)
    throw new FaultFound('not-an-archive', `${show(name)} has more than ${maximumFields} extended fields`)
  const type = types[header.type]
  if (type === undefined)
    throw new FaultFound('special-file', `${show(name)} is a ${header.type ?? 'thing unknown'}`)
  if (type === 'file' || type === 'directory') return { name, type, size }
  // Readers differ on whether bytes follow a link: what comes next would be data to one and members to another.
  if (size > 0) throw new FaultFound('special-file', `${show(name)} is a link with content`)
  return { name, type, size, target: header.linkname ?? '' }
}

function asFault(cause: unknown): unknown {
  if (cause instanceof FaultFound) return cause
  if (hasCode(cause, 'Z_BUF_ERROR')) return new FaultFound('truncated', 'the gzip stream ends early')
  if (hasCode(cause, 'Z_DATA_ERROR'))
    return new FaultFound('not-an-archive', 'not a gzip stream, or a damaged one')
  if (isHostTrouble(cause)) return cause
  const message = cause instanceof Error ? cause.message : ''
  if (/Unexpected end of data/.test(message)) return new FaultFound('truncated', 'the tar archive ends early')
  return new FaultFound('not-an-archive', 'not a tar archive, or a damaged one')
}
