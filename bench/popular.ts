// Popular projects, wheel and sdist, each in a VM: what builds, installs, imports, has tests that run and pass, and what
// is judged above `observed`. One JSON line per file is added to FILE as soon as it is known, its raw data to FILE.raw/; what
// FILE holds is not run again. At the end all of FILE is printed as Markdown; --table does only that, --again judges all
// raw data anew before, by the rules as they are now.
//
//   node bench/popular.ts [--out popular.jsonl] [--only six,flask] [--limit 10] [--jobs 2] [--kind sdist|wheel|both]
//     [--tasks a,b] [--task-seconds 300] [--backend uml] [--python 3.13] [--table] [--again]
import { appendFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { gunzipSync, gzipSync } from 'node:zlib'
import { z } from 'zod'
import { cutoffFor } from '../src/cli/index-cutoff.ts'
import { findRecipe } from '../src/cli/recipes.ts'
import { shutdownSignal } from '../src/cli/shutdown.ts'
import type { Target } from '../src/cli/targets.ts'
import { messageOf } from '../src/errors.ts'
import { evaluate } from '../src/report/evaluate.ts'
import { DistributionKind, TaskName, taskNames } from '../src/wire/job.ts'
import { RawData } from '../src/wire/raw-data.ts'
import { inParallel } from './direct.ts'
import { describeMachine } from './machine.ts'
import { PopularRow, rowOf } from './popular-row.ts'
import { markdownOf } from './popular-table.ts'
import { type DirectBench, withDirect } from './with-direct.ts'

const { values } = parseArgs({
  options: {
    out: { type: 'string', default: 'popular.jsonl' },
    only: { type: 'string' },
    limit: { type: 'string' },
    jobs: { type: 'string', default: String(availableParallelism()) },
    kind: { type: 'string', default: 'both' },
    tasks: { type: 'string', default: taskNames.join() },
    'task-seconds': { type: 'string', default: '300' },
    backend: { type: 'string' },
    python: { type: 'string' },
    table: { type: 'boolean', default: false },
    again: { type: 'boolean', default: false },
  },
})
const signal = shutdownSignal()
const say = (line: string) => process.stderr.write(`${line}\n`)
const Projects = z.strictObject({
  date: z.iso.date(),
  chosen: z.string(),
  pure: z.array(z.string()),
  compiled: z.array(z.string()),
})
const kinds = values.kind === 'both' ? DistributionKind.options : [DistributionKind.parse(values.kind)]

interface Wanted {
  project: string
  group: PopularRow['group']
}

const rows = await readRows()
if (values.again) for (const [key, row] of rows) rows.set(key, await judgeAgain(row))
const wanted = values.table || values.again ? [] : await wantedProjects()
if (wanted.length > 0)
  try {
    await withDirect(
      { backends: values.backend === undefined ? [] : [values.backend], python: values.python, signal },
      bench => runAll(bench, wanted),
    )
  } catch (error) {
    if (!signal.aborted) throw error
    say('stopped; the same command goes on from here')
    process.exitCode = 130
  }
console.log(markdownOf([...rows.values()]))
const guests = [...rows.values()].flatMap(({ backend, python }) =>
  backend === undefined || python === undefined ? [] : [`${backend} with Python ${python}`],
)
console.log(
  `guests: ${[...new Set(guests)].sort().join(', ') || 'none'}; ${Object.entries(describeMachine())
    .map(entry => entry.join(' '))
    .join(', ')}`,
)

async function wantedProjects(): Promise<Wanted[]> {
  const path = join(import.meta.dirname, 'popular-projects.json')
  const listed = Projects.parse(JSON.parse(await readFile(path, 'utf8')))
  const only = values.only?.split(',')
  return (['pure', 'compiled'] as const)
    .flatMap(group => listed[group].map(project => ({ project, group })))
    .filter(({ project }) => only === undefined || only.includes(project))
    .slice(0, values.limit === undefined ? undefined : Number(values.limit))
}

/** The last line about a file counts. */
async function readRows(): Promise<Map<string, PopularRow>> {
  const text = await readFile(values.out, 'utf8').catch(() => '')
  const lines = text.split('\n').filter(line => line.startsWith('{'))
  return new Map(
    lines.map(line => PopularRow.parse(JSON.parse(line))).map(row => [`${row.project} ${row.kind}`, row]),
  )
}

async function runAll(bench: DirectBench, projects: Wanted[]): Promise<void> {
  const settled = Date.parse((await findRecipe(bench.image.manifest.python)).settled)
  await inParallel(projects, Number(values.jobs), async ({ project, group }) => {
    const missing = kinds.filter(kind => {
      const known = rows.get(`${project} ${kind}`)
      return known === undefined || known.failure !== undefined
    })
    if (missing.length === 0) return
    for (const target of await findOrSay(bench, project, missing)) {
      const row = await runOne(bench, target, group, settled)
      rows.set(`${project} ${row.kind}`, row)
      await appendFile(values.out, `${JSON.stringify(row)}\n`)
      say(
        `${row.filename}: ${row.failure ?? row.verdict}${row.loud?.map(text => `\n  ${text}`).join('') ?? ''}`,
      )
    }
  })
}

async function findOrSay(bench: DirectBench, project: string, wantedKinds: DistributionKind[]) {
  try {
    return await bench.find(project, wantedKinds)
  } catch (error) {
    signal.throwIfAborted()
    say(`${project}: ${messageOf(error)}`)
    return []
  }
}

async function runOne(
  { direct, drivers }: DirectBench,
  target: Target,
  group: PopularRow['group'],
  settled: number,
): Promise<PopularRow> {
  const { project, version, filename, kind } = target.subject
  try {
    const indexCutoff = cutoffFor('upload', target.uploadTime, settled, Date.now())
    const prepared = await direct.prepare({
      target,
      tasks: values.tasks.split(',').map(task => TaskName.parse(task)),
      taskSeconds: Number(values['task-seconds']),
      ...(indexCutoff !== undefined && { indexCutoff }),
    })
    const { rawData } = await direct.run(prepared, drivers[0]?.backend ?? 'uml')
    await mkdir(`${values.out}.raw`, { recursive: true })
    await writeFile(rawPath(filename), gzipSync(JSON.stringify(rawData)))
    return rowOf(group, evaluate({ rawData: [rawData], flaky: [] }), rawData)
  } catch (error) {
    signal.throwIfAborted()
    return { project, version, filename, kind, group, failure: messageOf(error) }
  }
}

function rawPath(filename: string): string {
  return join(`${values.out}.raw`, `${filename}.json.gz`)
}

async function judgeAgain(row: PopularRow): Promise<PopularRow> {
  const bytes = await readFile(rawPath(row.filename)).catch(() => undefined)
  if (!bytes) return row
  const rawData = RawData.parse(JSON.parse(gunzipSync(bytes).toString()))
  return rowOf(row.group, evaluate({ rawData: [rawData], flaky: [] }), rawData)
}
