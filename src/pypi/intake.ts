import type { Clock } from '../clock.ts'
import { isCode, messageOf, PytiError } from '../errors.ts'
import type { Logger } from '../logger.ts'
import type { Job } from '../wire/job.ts'
import type { IntakeStable, LockedPackage } from '../wire/raw-data.ts'
import { inspectArchive } from './archive.ts'
import type { UvSettings } from './compile.ts'
import type { DownloadCache } from './download.ts'
import type { IndexClient } from './index-client.ts'
import type { LockedFile } from './lock.ts'
import { collectRequirements } from './requirements.ts'
import { resolve } from './resolve.ts'
import { admitsPython } from './specifiers.ts'

export interface InputFile {
  filename: string
  path: string
  sha256: string
}

export interface PreparedInputs {
  /** Equal bytes for every honest volunteer: all lists are sorted. */
  intake: IntakeStable
  /** The wheels of all groups, each once, sorted by name; not the subject. */
  files: InputFile[]
  /** For people; never compared. */
  notes: string[]
  resolveMilliseconds: number
  downloadMilliseconds: number
}

export interface IntakeProgress {
  step: 'inspect' | 'resolve' | 'download'
  done: number
  total: number
}

const parallelDownloads = 4
const maximumNotes = 100
const maximumUnresolved = 1_000
/** Of all of them as JSON: beside what the guest may hand over, raw data has to stay below `limits.rawDataBytes`. */
const unresolvedBytes = 1024 * 1024

/**
 * Works out on the host what a job needs: looks into the subject, reads its requirements, locks and downloads them.
 * Nothing of the subject or its requirements is run or unpacked to disk.
 * @throws PytiError of the index client, `resolve` or the download cache; or the signal's reason
 */
export async function prepareInputs(options: {
  job: Job
  /** The subject's file; its digest is checked already. */
  subjectPath: string
  index: IndexClient
  uv: UvSettings
  cache: Pick<DownloadCache, 'fetch'>
  /** Exists; used for short-lived files. */
  workDir: string
  clock: Clock
  log: Logger
  signal?: AbortSignal
  onProgress?: (progress: IntakeProgress) => void
}): Promise<PreparedInputs> {
  const { job, clock, onProgress = () => {} } = options
  const { kind, filename, project } = job.subject
  const withSignal = options.signal ? { signal: options.signal } : {}

  onProgress({ step: 'inspect', done: 0, total: 1 })
  const look = await inspectArchive(options.subjectPath, kind, filename, withSignal)
  if (look.fault !== undefined) return faulty(look.fault, look.detail)

  onProgress({ step: 'resolve', done: 0, total: 1 })
  const resolveStart = clock.now()
  const wanted = collectRequirements(look.texts, kind, project)
  const { python, glibc } = job.profile
  const resolution = await resolve({
    ...options,
    python,
    glibc,
    cutoff: job.indexCutoff,
    project,
    groups: { build: wanted.build, run: wanted.run, test: job.tasks.includes('unittest') ? wanted.test : [] },
  })
  const resolveMilliseconds = spanSince(resolveStart, clock)

  const downloadStart = clock.now()
  const { packages } = resolution
  const files = await download([...packages.build, ...packages.run, ...packages.test], options)
  const unresolved = [...wanted.refused, ...resolution.unresolved]
    .map(({ group, requirement }) => ({ group, requirement: shortText(requirement, 1_000) }))
    .sort((a, b) => compareText(a.group, b.group) || compareText(a.requirement, b.requirement))
  const notes = [...wanted.notes, ...resolution.notes]
  if (!admitsPython(wanted.requiresPython, python))
    notes.push(`Requires-Python ${wanted.requiresPython} does not admit ${python}`)
  return {
    intake: {
      archive: 'ok',
      cutoff: resolution.cutoff,
      packages: { build: lockOf(packages.build), run: lockOf(packages.run), test: lockOf(packages.test) },
      unresolved: fitting(unresolved.slice(0, maximumUnresolved)),
    },
    files,
    notes: notes.slice(0, maximumNotes).map(note => shortText(note, 1_000)),
    resolveMilliseconds,
    downloadMilliseconds: spanSince(downloadStart, clock),
  }
}

async function download(
  locked: LockedFile[],
  options: Pick<Parameters<typeof prepareInputs>[0], 'cache' | 'signal' | 'onProgress'>,
): Promise<InputFile[]> {
  const unique = [...new Map(locked.map(file => [file.filename, file])).values()].sort((a, b) =>
    compareText(a.filename, b.filename),
  )
  const stop = new AbortController()
  const signal = options.signal ? AbortSignal.any([options.signal, stop.signal]) : stop.signal
  const files: InputFile[] = []
  const queue = unique.values()
  let done = 0
  const work = async () => {
    for (const file of queue) {
      const path = await options.cache.fetch(file, { signal }).catch(cause => {
        throw isCode(cause, 'file-missing', 'hash-mismatch', 'too-large')
          ? dependencyFailed(file, cause)
          : cause
      })
      files.push({ filename: file.filename, path, sha256: file.sha256 })
      options.onProgress?.({ step: 'download', done: ++done, total: unique.length })
    }
  }
  try {
    await Promise.all(Array.from({ length: parallelDownloads }, work))
  } catch (error) {
    stop.abort(error)
    throw error
  }
  return files.sort((a, b) => compareText(a.filename, b.filename))
}

/** Told apart from the same said of the distribution itself. */
function dependencyFailed({ filename }: LockedFile, cause: unknown): PytiError {
  return new PytiError('dependency-unavailable', `the dependency ${filename}: ${messageOf(cause)}`, { cause })
}

function faulty(archive: IntakeStable['archive'], detail: string | undefined): PreparedInputs {
  const empty = { build: [], run: [], test: [] }
  return {
    intake: {
      archive,
      ...(detail === undefined ? {} : { archiveDetail: detail }),
      cutoff: 'none',
      packages: empty,
      unresolved: [],
    },
    files: [],
    notes: [],
    resolveMilliseconds: 0,
    downloadMilliseconds: 0,
  }
}

function lockOf(files: LockedFile[]): LockedPackage[] {
  return files.map(({ name, version, filename, sha256 }) => ({ name, version, filename, sha256 }))
}

/** A clock may be set back meanwhile. */
function spanSince(start: number, clock: Clock): number {
  return Math.max(0, clock.now() - start)
}

/** The first that fit. */
function fitting<T>(rows: T[]): T[] {
  let room = unresolvedBytes
  const end = rows.findIndex(row => {
    room -= Buffer.byteLength(JSON.stringify(row)) + 1
    return room < 0
  })
  return end === -1 ? rows : rows.slice(0, end)
}

/** Raw data holds no half of a character, and a cut may leave one. */
function shortText(text: string, length: number): string {
  return text.slice(0, length).toWellFormed()
}

/** By code unit, not by locale: every machine sorts alike. */
function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
