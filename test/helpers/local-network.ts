import { execFile } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { NodeEvent } from '../../src/cli/events.ts'
import { ensureImage } from '../../src/cli/image.ts'
import { findPaths } from '../../src/cli/paths.ts'
import { defaultRecipe } from '../../src/cli/recipes.ts'
import {
  type DistributionResult,
  type RunOptions,
  runDistributions,
} from '../../src/cli/run-distributions.ts'
import { findTargets, type Target } from '../../src/cli/targets.ts'
import { systemClock } from '../../src/clock.ts'
import { silentLogger } from '../../src/logger.ts'
import { createIndexClient } from '../../src/pypi/index-client.ts'
import { chooseBackend } from '../../src/sandbox/backends.ts'
import type { DistributionKind } from '../../src/wire/job.ts'
import { taskNames } from '../../src/wire/job.ts'

export const paths = findPaths()

/** The backend real tests use: the one a volunteer on this machine would. */
export async function testDriver() {
  const image = await ensureImage(paths, { quiet: true })
  return { image, driver: await chooseBackend({ image, runDir: paths.run, cacheDir: paths.probes }) }
}

export async function targetsOn(
  indexUrl: string,
  projects: string[],
  kinds: DistributionKind[] = ['sdist', 'wheel'],
): Promise<Target[]> {
  const client = createIndexClient({ url: indexUrl, clock: systemClock, log: silentLogger })
  const targets: Target[] = []
  for (const project of projects)
    targets.push(
      ...(await findTargets(project, {
        client: async () => client,
        guest: await defaultRecipe(),
        kinds,
      })),
    )
  return targets
}

/** Host process ids of every VM that `runAll` saw start. */
export const vms = new Set<number>()

/** Runs targets through real coordinator and volunteer processes; results by file name. */
export async function runAll(
  targets: Target[],
  options: Partial<Pick<RunOptions, 'volunteers' | 'index' | 'taskSeconds' | 'onResult' | 'signal'>> & {
    onEvent?: (event: NodeEvent) => void
  },
): Promise<Map<string, DistributionResult>> {
  const { driver, image } = await testDriver()
  const outDir = await mkdtemp(join(tmpdir(), 'pyti-test-'))
  const results = new Map<string, DistributionResult>()
  try {
    await runDistributions({
      paths,
      targets,
      volunteers: 3,
      backend: driver.backend,
      python: image.manifest.python,
      tasks: [...taskNames],
      outDir,
      color: false,
      progress: {
        line() {},
        print() {},
        event(_node, event) {
          if (event.event === 'vm') vms.add(event.pid)
          options.onEvent?.(event)
        },
        end() {},
      },
      signal: AbortSignal.timeout(20 * 60_000),
      ...options,
      onResult: result => {
        results.set(result.target.subject.filename, result)
        options.onResult?.(result)
      },
    })
  } finally {
    await rm(outDir, { recursive: true, force: true })
  }
  return results
}

export function alive(pids: Iterable<number>): number[] {
  return [...pids].filter(pid => {
    try {
      return process.kill(pid, 0)
    } catch {
      return false
    }
  })
}

/** VM and job folders whose process is gone. */
export async function strayFolders(): Promise<string[]> {
  const names = await readdir(paths.run).catch(() => [])
  return names.filter(name => {
    const owner = Number(/^(?:vm|job)-(\d+)-/.exec(name)?.[1] ?? Number.NaN)
    return !Number.isNaN(owner) && (owner === process.pid || alive([owner]).length === 0)
  })
}

/** Runs the real command line. */
export function pyti(
  args: string[],
  options: { env?: Record<string, string>; cwd?: string } = {},
): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise(resolve => {
    execFile(
      process.execPath,
      [join(import.meta.dirname, '../../src/cli/main.ts'), ...args],
      { env: { ...process.env, ...options.env }, cwd: options.cwd, maxBuffer: 64 * 1024 * 1024 },
      (error, stdout, stderr) =>
        resolve({ code: typeof error?.code === 'number' ? error.code : error ? 1 : 0, stdout, stderr }),
    )
  })
}
