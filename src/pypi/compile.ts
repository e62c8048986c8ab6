import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PytiError } from '../errors.ts'
import { run } from '../exec.ts'
import { diskTroubleIn } from '../host-disk.ts'
import { pythonMissing } from './pip.ts'
import { redactText } from './redact.ts'

export interface UvSettings {
  /** Path of the binary. */
  path: string
  /** Kept between runs: uv's own cache of index pages and metadata. */
  cacheDir: string
  /** Base URL of the index; may hold credentials. */
  indexUrl: string
  caFile?: string
  /** The system's interpreter, see `findPython`; without it uv searches for one in `PATH`. */
  python?: string
  /** Only the search path and the proxy settings are taken from it. */
  env: Record<string, string | undefined>
  timeoutMs?: number
}

export interface CompileRequest {
  requirements: string[]
  /** `3.13` */
  python: string
  /** `2.41` */
  glibc: string
  /** RFC 3339; uploads after it do not exist. */
  cutoff?: string
  /** Projects that are not resolved at all: the subject, which comes from its own file. */
  exclude: string[]
  workDir: string
  signal?: AbortSignal
}

export type Compiled = { ok: true; pylock: string } | { ok: false; reason: string }

const outputBytes = 16 * 1024 * 1024
/** uv takes a project whose page answers 401 or 403 for missing: that says nothing about the project. */
const refusedByIndex = /hint: An index.{0,2000}(?:could not be queried|returned a 40\d)/s

const passed = [
  'PATH',
  'http_proxy',
  'https_proxy',
  'no_proxy',
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'ALL_PROXY',
  'NO_PROXY',
]

/**
 * One `uv pip compile` with wheels only: `--no-build` makes uv leave out sdists altogether, so no code of a package can
 * run. uv asks the system's `python3 -I` what it is; nothing else is started.
 * @returns `ok: false` when there is no solution
 * @throws PytiError `python-missing` | `index-unreachable` | `uv-failed` | `program-timeout` | `program-output` |
 * `host-out-of-disk` | `host-disk-unusable`, or the signal's reason
 */
export async function compile(uv: UvSettings, request: CompileRequest): Promise<Compiled> {
  const folder = await mkdtemp(join(request.workDir, 'resolve-'))
  try {
    const excludes = join(folder, 'excludes.txt')
    await writeFile(excludes, request.exclude.map(name => `${name}\n`).join(''))
    const ended = await run({
      file: uv.path,
      args: [
        ...[
          'pip',
          'compile',
          '--no-build',
          '--format',
          'pylock.toml',
          '--no-header',
          '--no-annotate',
          '--quiet',
        ],
        ...['--python-version', request.python, '--python-platform', platformFor(request.glibc)],
        ...['--no-config', '--no-sources', '--no-python-downloads', '--no-managed-python'],
        ...['--keyring-provider', 'disabled', '--color', 'never', '--cache-dir', uv.cacheDir],
        ...(uv.python === undefined ? [] : ['--python', uv.python]),
        ...(request.cutoff === undefined ? [] : ['--exclude-newer', request.cutoff]),
        ...['--excludes', excludes, '-'],
      ],
      env: environment(uv, folder),
      cwd: folder,
      input: request.requirements.map(line => `${line}\n`).join(''),
      timeoutMs: uv.timeoutMs ?? 120_000,
      outputBytes,
      ...(request.signal ? { signal: request.signal } : {}),
    })
    if (ended.exitCode === 0) return { ok: true, pylock: ended.stdout }
    const reason = redactText(ended.stderr).trim().slice(0, 4_000)
    const unsolved = ended.exitCode === 1 && /No solution found/.test(reason)
    if (unsolved && !refusedByIndex.test(reason)) return { ok: false, reason }
    throw failure(reason)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Built from nothing: no UV_*, PIP_* or PYTHON* of the caller gets through. The URL is not on the command line. */
function environment(uv: UvSettings, home: string): Record<string, string | undefined> {
  return {
    ...Object.fromEntries(passed.map(name => [name, uv.env[name]])),
    HOME: home,
    LC_ALL: 'C.UTF-8',
    UV_DEFAULT_INDEX: uv.indexUrl,
    UV_HTTP_TIMEOUT: '60',
    ...(uv.caFile === undefined ? {} : { SSL_CERT_FILE: uv.caFile }),
  }
}

function failure(reason: string): PytiError {
  const trouble = diskTroubleIn(reason)
  if (trouble) return trouble
  if (/No interpreter found/.test(reason)) return pythonMissing()
  if (
    refusedByIndex.test(reason) ||
    /Failed to fetch|error sending request|Failed to download|HTTP status|timed? ?out/i.test(reason)
  )
    return new PytiError('index-unreachable', `uv cannot reach the index: ${reason.slice(0, 500)}`, {
      hint: 'check the network, or name another index with --index URL or PIP_INDEX_URL',
    })
  return new PytiError('uv-failed', `uv failed: ${reason.slice(0, 1_000)}`)
}

/** uv's name of the platform; it knows glibc up to 2.40. */
function platformFor(glibc: string): string {
  return `x86_64-manylinux_2_${Math.min(40, Number(glibc.split('.')[1]))}`
}
