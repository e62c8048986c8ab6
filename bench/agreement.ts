// Whether honest runs of one job say the same: every distribution runs in fresh VMs, twice or more (A against A, and one
// backend against the other when several are named), and the voted halves are compared field by field.
//
//   node bench/agreement.ts PROJECT[==VERSION]... | --samples | --mimics [PROJECT...]  [--runs 2] [--backend uml --backend tcg] [--jobs 1]
//     [--kind sdist|wheel|both] [--tasks a,b] [--network dead|sinkhole] [--clock-days 30,400] [--task-seconds 300]
//     [--python 3.13] [--json]
//
// Ends with status 1 when fewer than 97 % are equal.
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { shutdownSignal } from '../src/cli/shutdown.ts'
import { messageOf } from '../src/errors.ts'
import { makeAll, type SampleDistribution } from '../src/pypi/make-distribution.ts'
import { DistributionKind, Profile, TaskName, taskNames } from '../src/wire/job.ts'
import { type AgreementRow, compareRuns, type Run, shareEqual, tableOfAgreement } from './agreement-rows.ts'
import { inParallel } from './direct.ts'
import { describeMachine } from './machine.ts'
import { makeAllMimics } from './mimic-distributions.ts'
import { type DirectBench, withDirect } from './with-direct.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    samples: { type: 'boolean', default: false },
    mimics: { type: 'boolean', default: false },
    runs: { type: 'string', default: '2' },
    jobs: { type: 'string', default: '1' },
    backend: { type: 'string', multiple: true, default: [] },
    kind: { type: 'string', default: 'both' },
    tasks: { type: 'string' },
    network: { type: 'string', default: 'sinkhole' },
    'clock-days': { type: 'string', default: '' },
    'task-seconds': { type: 'string', default: '300' },
    python: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
})
const wanted = 0.97
const clockDays = values['clock-days'].split(',').filter(Boolean).map(Number)
const settings = {
  tasks: values.tasks === undefined ? taskNames : values.tasks.split(',').map(task => TaskName.parse(task)),
  network: Profile.shape.network.parse(values.network),
  clockDays,
  taskSeconds: Number(values['task-seconds']),
}
const kinds = values.kind === 'both' ? DistributionKind.options : [DistributionKind.parse(values.kind)]
const signal = shutdownSignal()
const say = (line: string) => process.stderr.write(`${line}\n`)
const rows: AgreementRow[] = []

const distributions = await ownDistributions()
const names =
  distributions && positionals.length === 0
    ? [...new Set(distributions.map(made => made.project).filter(isAsked))]
    : positionals
if (names.length === 0) throw new Error('name projects, or say --samples or --mimics')
await withDirect(
  { backends: values.backend, python: values.python, signal, ...(distributions && { distributions }) },
  async bench => {
    const targets = (await Promise.all(names.map(name => bench.find(name, [...kinds])))).flat()
    await inParallel(targets, Number(values.jobs), target => compare(bench, target))
  },
)
const share = shareEqual(rows)
if (values.json)
  console.log(JSON.stringify({ schema: 'pyti.bench.agreement/1', machine: describeMachine(), share, rows }))
else console.log(tableOfAgreement(rows))
if (!(share >= wanted)) process.exitCode = 1

async function compare(bench: DirectBench, target: Awaited<ReturnType<DirectBench['find']>>[number]) {
  const { filename } = target.subject
  try {
    const prepared = await bench.direct.prepare({ target, ...settings })
    const runs: Run[] = []
    for (let run = 1; run <= Number(values.runs); run++)
      for (const { backend } of bench.drivers) {
        const { rawData } = await bench.direct.run(prepared, backend)
        runs.push({ backend, rawData })
      }
    for (const row of compareRuns(filename, runs)) tell(row)
  } catch (error) {
    signal.throwIfAborted()
    tell({ filename, between: 'not run', differences: [], failure: messageOf(error) })
  }
}

function tell(row: AgreementRow): void {
  rows.push(row)
  const { filename, between, differences, failure } = row
  const result = failure ?? (differences.length === 0 ? 'equal' : `UNEQUAL\n  ${differences.join('\n  ')}`)
  say(`${filename} (${between}): ${result}`)
}

/** The samples are served beside the mimics, as some need them. */
function isAsked(project: string): boolean {
  return !values.mimics || !project.startsWith('pyti-sample-')
}

async function ownDistributions(): Promise<SampleDistribution[] | undefined> {
  const samples = join(import.meta.dirname, '../samples')
  if (values.mimics) return [...(await makeAll(samples)), ...(await makeAllMimics(samples))]
  return values.samples ? makeAll(samples) : undefined
}
