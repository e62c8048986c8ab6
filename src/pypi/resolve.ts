import { isCode, PytiError } from '../errors.ts'
import type { Logger } from '../logger.ts'
import type { IntakeStable } from '../wire/raw-data.ts'
import { type Compiled, compile, type UvSettings } from './compile.ts'
import type { IndexClient } from './index-client.ts'
import { type LockedFile, parseLock } from './lock.ts'
import { parseRequirement } from './requirement.ts'
import type { Group } from './requirements.ts'
import { type Attempt, solve } from './solve.ts'

export interface Resolution {
  /** Sorted by name; `test` is the whole environment of the tests, `run` included; empty when no tests are asked for. */
  packages: Record<Group, LockedFile[]>
  unresolved: { group: Group; requirement: string }[]
  cutoff: IntakeStable['cutoff']
  /** The `pylock.toml` of each group that has requirements. */
  pylock: Partial<Record<Group, string>>
  notes: string[]
}

const maximumCalls = 12
const pagesToAsk = 3

/**
 * Locks each group to wheels of the index as it was at `cutoff`. No package is built and no code of one is run.
 * Requirements that have no solution are left out and listed. The subject never appears in the
 * locks of `run` and `test`: there its own file is installed.
 * @param options.project normalised name of the subject
 * @throws what `compile`, `parseLock` and the index client throw
 */
export async function resolve(options: {
  uv: UvSettings
  index: IndexClient
  /** `3.13` */
  python: string
  glibc: string
  /** RFC 3339 */
  cutoff: string
  project: string
  groups: Record<Group, string[]>
  workDir: string
  signal?: AbortSignal
  log: Logger
}): Promise<Resolution> {
  const { uv, python, glibc, project, groups, workDir, signal, log } = options
  const cutoff = await cutoffFor(Object.values(groups).flat(), options)
  const result: Resolution = {
    packages: { build: [], run: [], test: [] },
    unresolved: [],
    cutoff,
    pylock: {},
    notes: [],
  }

  async function lock(group: Group, fixed: string[], requirements: string[]): Promise<string[]> {
    if (fixed.length + requirements.length === 0) return []
    // In a build environment the subject is a package like any other.
    const exclude = group === 'build' ? [] : [project]
    const attempt = async (some: string[]): Promise<Attempt<string>> => {
      const compiled = await compile(uv, {
        requirements: [...fixed, ...some],
        python,
        glibc,
        exclude,
        workDir,
        ...(cutoff === 'applied' ? { cutoff: options.cutoff } : {}),
        ...(signal ? { signal } : {}),
      })
      return asAttempt(compiled, group, log)
    }
    const { value, dropped } = await solve(requirements, attempt, maximumCalls)
    if (value !== undefined) {
      result.pylock[group] = value
      result.packages[group] = parseLock(value, { python, glibc }).filter(
        ({ name }) => !exclude.includes(name),
      )
    }
    result.unresolved.push(...dropped.map(requirement => ({ group, requirement })))
    return requirements.filter(requirement => !dropped.includes(requirement))
  }

  const [, run] = await Promise.all([lock('build', [], groups.build), lock('run', [], groups.run)])
  if (groups.test.length > 0) await lock('test', run, groups.test)
  if (cutoff === 'unavailable')
    result.notes.push('the index gives no upload times: the newest versions were taken')
  return result
}

function asAttempt(compiled: Compiled, group: Group, log: Logger): Attempt<string> {
  if (compiled.ok) return { ok: true, value: compiled.pylock }
  log.debug('no solution', { group, reason: compiled.reason })
  return compiled
}

/** Under a cut-off uv takes a file without upload time for absent: better none than an empty index. */
async function cutoffFor(
  requirements: string[],
  { index, signal }: { index: IndexClient; signal?: AbortSignal },
): Promise<Resolution['cutoff']> {
  if (requirements.length === 0) return 'none'
  for (const text of requirements.slice(0, pagesToAsk)) {
    const parsed = parseRequirement(text)
    if (parsed.type !== 'named')
      throw new PytiError('bad-requirement', `not a requirement: ${text.slice(0, 200)}`)
    try {
      const { files } = await index.project(parsed.requirement.name, signal)
      if (files.length > 0)
        return files.some(file => file.uploadTime !== undefined) ? 'applied' : 'unavailable'
    } catch (error) {
      if (!isCode(error, 'project-not-found')) throw error
    }
  }
  return 'applied'
}
