import { Transform } from 'node:stream'
import { FaultFound } from './archive-fault.ts'

const block = 512
/** `git archive` writes one field of 52 bytes. */
const globalBytes = 4_096
const globalFlag = 'g'.charCodeAt(0)
const [sumStart, sumEnd] = [148, 156]

/**
 * Passes the bytes of a tar archive on, up to a number of them: one that is all headers, or goes on behind its end, has
 * no member that says how large it is. The reader copies global fields (POSIX pax, type `g`) for each extended header,
 * so a large set of them is a fault: 4 MB of them and a thousand headers once took half an hour.
 */
export function tarCeiling(bytes: number): Transform {
  let total = 0
  let rest: Buffer = Buffer.alloc(0)
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      total += chunk.length
      if (total > bytes) {
        done(new FaultFound('unpacks-too-large', `more than ${bytes} bytes with all headers`))
        return
      }
      const joined = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
      let at = 0
      for (; at + block <= joined.length; at += block)
        if (joined[at + sumEnd] === globalFlag && isLargeGlobal(joined.subarray(at, at + block))) {
          done(new FaultFound('not-an-archive', `global fields of more than ${globalBytes} bytes`))
          return
        }
      rest = Buffer.from(joined.subarray(at))
      done(null, chunk)
    },
  })
}

/** Any block may be a header, as no member is followed here; one of content has no checksum of its own in it. */
function isLargeGlobal(header: Buffer): boolean {
  const stored = header.subarray(sumStart, sumEnd)
  const sum = header.reduce((sum, byte) => sum + byte, 8 * 32) - stored.reduce((sum, byte) => sum + byte, 0)
  const isBinary = ((stored[0] ?? 0) & 0x80) !== 0
  const said = isBinary ? stored.readUInt32BE(4) : Number.parseInt(octal(stored), 8)
  if (said !== sum) return false
  const size = header.subarray(124, 136)
  return !/^[0-7]+$/.test(octal(size)) || Number.parseInt(octal(size), 8) > globalBytes
}

function octal(field: Buffer): string {
  return field
    .toString('latin1')
    .replace(/^ *\0*/, '')
    .replace(/[ \0].*$/s, '')
}
