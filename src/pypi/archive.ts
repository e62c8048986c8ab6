import { posix } from 'node:path'
import type { DistributionKind } from '../wire/job.ts'
import { limits as wireLimits } from '../wire/limits.ts'
import type { ArchiveFault } from '../wire/raw-data.ts'
import { FaultFound } from './archive-fault.ts'
import { type ArchiveLimits, MemberCheck, show } from './archive-members.ts'
import { parseMetadata } from './core-metadata.ts'
import { normalizeName, tryParseFilename } from './names.ts'
import { walkTar } from './tar-archive.ts'
import { compareVersions, parseVersion } from './version.ts'
import { WantedTexts } from './wanted-texts.ts'
import { checkRecord } from './wheel-record.ts'
import { walkZip } from './zip-archive.ts'

export interface ArchiveLook {
  fault?: ArchiveFault
  /** At most 500 characters, the same on every machine. */
  detail?: string
  /** How many members were seen; all of them when there is no fault. */
  members: number
  /** Texts that requirements are read from; paths below an sdist's top folder, full paths in a wheel. */
  texts: ReadonlyMap<string, string>
}

/**
 * Looks into a wheel or sdist as a stream: nothing is unpacked to disk and nothing is run.
 * @param filename what the file is called on the index; decides between tar.gz and zip
 * @throws what reading the file throws, or the signal's reason; a bad archive is a `fault`, not an exception
 */
export async function inspectArchive(
  path: string,
  kind: DistributionKind,
  filename: string,
  options: { signal?: AbortSignal; limits?: ArchiveLimits } = {},
): Promise<ArchiveLook> {
  const { limits = wireLimits, signal } = options
  const check = new MemberCheck(limits)
  const wanted = new WantedTexts(kind, limits.metadataBytes)
  try {
    if (kind === 'wheel') {
      const digests = await walkZip(path, check, wanted, signal)
      return { members: check.count, texts: requireWheel(wanted.found, filename, digests) }
    }
    const walk = filename.endsWith('.tar.gz') ? walkTar : walkZip
    await walk(path, check, wanted, signal)
    return { members: check.count, texts: requireSdist(wanted.found, check.topFolders()) }
  } catch (cause) {
    if (!(cause instanceof FaultFound)) throw cause
    return {
      fault: cause.fault,
      detail: cause.detail.slice(0, 500).toWellFormed(),
      members: check.count,
      texts: new Map(),
    }
  }
}

/** A wheel has one `.dist-info` with METADATA and WHEEL, for the project and version of its file name. */
function requireWheel(
  texts: Map<string, string>,
  filename: string,
  digests: ReadonlyMap<string, string>,
): Map<string, string> {
  const folders = new Set([...texts.keys()].map(path => posix.dirname(path)))
  const [folder] = folders
  if (folder === undefined || folders.size > 1)
    throw new FaultFound('no-metadata', folders.size > 1 ? 'more than one .dist-info' : 'no .dist-info')
  for (const name of ['METADATA', 'WHEEL'])
    if (!texts.has(`${folder}/${name}`)) throw new FaultFound('no-metadata', `no ${name}`)
  const { name, version } = requireNameAndVersion(texts.get(`${folder}/METADATA`) ?? '', 'METADATA')
  const named = tryParseFilename(filename)
  const [inside, outside] = [parseVersion(version), parseVersion(named?.version ?? '')]
  if (normalizeName(name) !== named?.project || !inside || !outside || compareVersions(inside, outside) !== 0)
    throw new FaultFound('bad-metadata', `METADATA is of ${show(name)} ${show(version)}`)
  checkRecord(texts.get(`${folder}/RECORD`) ?? '', digests)
  return texts
}

/** An sdist has one top folder with PKG-INFO; old ones without it count when a build file is there. */
function requireSdist(texts: Map<string, string>, tops: string[]): Map<string, string> {
  if (tops.length !== 1)
    throw new FaultFound('no-metadata', `${tops.length} top-level entries instead of one folder`)
  const below = new Map([...texts].map(([path, text]) => [path.slice(path.indexOf('/') + 1), text]))
  const info = below.get('PKG-INFO')
  if (info !== undefined) requireNameAndVersion(info, 'PKG-INFO')
  else if (!below.has('pyproject.toml') && !below.has('setup.py'))
    throw new FaultFound('no-metadata', 'no PKG-INFO, pyproject.toml or setup.py')
  return below
}

function requireNameAndVersion(text: string, file: string): { name: string; version: string } {
  const { name, version } = parseMetadata(text)
  if (name === undefined || version === undefined)
    throw new FaultFound('bad-metadata', `${file} lacks Name or Version`)
  return { name, version }
}
