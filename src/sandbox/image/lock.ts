import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { PytiError } from '../../errors.ts'
import { sha256 } from '../../wire/canonical.ts'
import { Sha256 } from '../../wire/job.ts'

export const LockedPackage = z.strictObject({
  name: z.string(),
  version: z.string(),
  architecture: z.string(),
  /** Of the `.deb` file's bytes. */
  sha256: Sha256,
})
export type LockedPackage = z.infer<typeof LockedPackage>

/** Every package of a guest image, so that a build elsewhere or later gives the same image or says why not. */
export const Lock = z.strictObject({
  schema: z.literal('pyti.lock/1'),
  recipe: z.string(),
  base: z.array(LockedPackage),
  /** One list per entry of the recipe's `boot`. */
  boot: z.array(z.array(LockedPackage)),
})
export type Lock = z.infer<typeof Lock>

export interface LockFile {
  lock: Lock
  /** Of the lock file's bytes: `sha256sum` shows the same. */
  sha256: string
}

export interface Drift {
  package: string
  locked: string | undefined
  found: string | undefined
}

/** @returns undefined when there is no such file @throws PytiError `lock-malformed` */
export async function readLock(path: string): Promise<LockFile | undefined> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
  return parseLock(text, path)
}

/** @throws PytiError `lock-malformed` */
export function parseLock(text: string, path: string): LockFile {
  try {
    return { lock: Lock.parse(JSON.parse(text)), sha256: sha256(Buffer.from(text)) }
  } catch (cause) {
    throw new PytiError('lock-malformed', `${path} is not a lock file`, {
      hint: 'restore it, or write a new one with `pyti image lock`',
      cause,
    })
  }
}

/** One line per package, so that a change of the lock reads well as a diff. */
export function printLock(lock: Lock): string {
  const list = (packages: LockedPackage[], indent: string) =>
    `[\n${packages.map(entry => `${indent}  ${JSON.stringify(entry)}`).join(',\n')}\n${indent}]`
  const boot = lock.boot.map(packages => `    ${list(packages, '    ')}`).join(',\n')
  return `{
  "schema": ${JSON.stringify(lock.schema)},
  "recipe": ${JSON.stringify(lock.recipe)},
  "base": ${list(lock.base, '  ')},
  "boot": [\n${boot}\n  ]\n}\n`
}

/** Reads what `sha256sum` printed over apt's archive folder, whose files are called `NAME_VERSION_ARCHITECTURE.deb`. */
export function parsePackageSums(text: string): LockedPackage[] {
  const packages = text
    .split('\n')
    .filter(line => line !== '')
    .map(line => {
      const [, sum, name, version, architecture] =
        /^([0-9a-f]{64}) [ *]([^_/]+)_([^_/]+)_([^_/]+)\.deb$/.exec(line) ?? []
      if (!sum || !name || !version || !architecture)
        throw new PytiError(
          'image-incomplete',
          `cannot read the sum of a Debian package: ${line.slice(0, 200)}`,
        )
      return { name, version: decodeURIComponent(version), architecture, sha256: sum }
    })
  return packages.sort((a, b) => (packageKey(a) < packageKey(b) ? -1 : 1))
}

/** What differs between the locked packages and those a build really got, by name. */
export function compareLock(locked: LockedPackage[], found: LockedPackage[]): Drift[] {
  const before = new Map(locked.map(entry => [packageKey(entry), entry]))
  const after = new Map(found.map(entry => [packageKey(entry), entry]))
  return [...new Set([...before.keys(), ...after.keys()])].sort().flatMap(key => {
    const was = before.get(key)
    const is = after.get(key)
    if (was && is && was.version === is.version && was.sha256 === is.sha256) return []
    const sameVersion = was?.version === is?.version
    const describe = (entry: LockedPackage | undefined) =>
      entry && (sameVersion ? `${entry.version} (${entry.sha256.slice(0, 12)})` : entry.version)
    return [{ package: key, locked: describe(was), found: describe(is) }]
  })
}

const shown = 10

/** The first drifts in words. */
export function printDrift(drifts: Drift[]): string {
  const lines = drifts
    .slice(0, shown)
    .map(drift => `${drift.package}: locked ${drift.locked ?? 'not at all'}, found ${drift.found ?? 'none'}`)
  if (drifts.length > shown) lines.push(`and ${drifts.length - shown} more`)
  return lines.join('; ')
}

const packageKey = ({ name, architecture }: LockedPackage) => `${name}:${architecture}`
