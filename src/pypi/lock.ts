import { parse } from 'smol-toml'
import { z } from 'zod'
import { PytiError } from '../errors.ts'
import { DistributionFilename, type GuestPlatform, Sha256 } from '../wire/job.ts'
import type { LockedPackage } from '../wire/raw-data.ts'
import { normalizeName, tryParseFilename } from './names.ts'
import { splitCredentials } from './redact.ts'
import { bestWheel } from './tags.ts'

/** A locked package and where its wheel is now. */
export interface LockedFile extends LockedPackage {
  url: string
  size?: number
}

const Wheel = z.object({
  name: DistributionFilename.optional(),
  url: z.url({ protocol: /^https?$/ }),
  size: z.int().min(0).optional(),
  hashes: z.object({ sha256: Sha256.optional() }),
})
const Lock = z.object({
  'lock-version': z.string().regex(/^1\.\d+$/),
  packages: z
    .array(
      z.object({
        name: z.string().max(200),
        version: z.string().max(200),
        wheels: z.array(Wheel).default([]),
      }),
    )
    .max(2_000)
    .default([]),
})

/**
 * Reads a `pylock.toml` (PEP 751) made for one interpreter: one wheel for each package, sorted by name.
 * @throws PytiError `bad-lock` | `no-hash`
 */
export function parseLock(text: string, guest: GuestPlatform): LockedFile[] {
  let lock: z.infer<typeof Lock>
  try {
    lock = Lock.parse(parse(text))
  } catch (cause) {
    throw new PytiError('bad-lock', 'uv gave a lock file that is not PEP 751, version 1', { cause })
  }
  return lock.packages
    .map(({ name, version, wheels }) => {
      const candidates = wheels.flatMap(wheel => {
        const filename = wheel.name ?? decodeURIComponent(new URL(wheel.url).pathname.split('/').at(-1) ?? '')
        const parsed = tryParseFilename(filename)
        return parsed ? [{ file: { ...wheel, filename }, parsed }] : []
      })
      const wheel = bestWheel(candidates, guest)
      if (!wheel)
        throw new PytiError(
          'bad-lock',
          `the lock has no wheel of ${name} ${version} for CPython ${guest.python} on Linux`,
        )
      const { sha256 } = wheel.hashes
      if (sha256 === undefined)
        throw new PytiError('no-hash', `the index gives no SHA-256 for ${wheel.filename}`, {
          hint: 'use an index that does: files without one cannot be checked',
        })
      const { url } = splitCredentials(wheel.url)
      const size = wheel.size === undefined ? {} : { size: wheel.size }
      return { name: normalizeName(name), version, filename: wheel.filename, sha256, url, ...size }
    })
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
}
