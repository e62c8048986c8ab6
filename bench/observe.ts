// What watching costs: the same job in VMs of the guest image and of one with all observers off and a dead network, in turns
// in the same run; per task the ratio of the medians. Says met or not met (1.5) and never fails for time.
//
//   node bench/observe.ts [--sample tested,pure] [FILE|PROJECT ...] [--kind sdist|wheel|both] [--runs 5] [--backend uml]
//     [--python 3.13] [--json]
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { findPaths } from '../src/cli/paths.ts'
import { shutdownSignal } from '../src/cli/shutdown.ts'
import type { Target } from '../src/cli/targets.ts'
import { makeAll } from '../src/pypi/make-distribution.ts'
import { DistributionKind, type TaskName, taskNames } from '../src/wire/job.ts'
import type { RawData } from '../src/wire/raw-data.ts'
import { align, median } from './figures.ts'
import { describeMachine } from './machine.ts'
import { buildUnobserved } from './unobserved.ts'
import { type DirectBench, withDirect } from './with-direct.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    sample: { type: 'string', default: 'tested' },
    kind: { type: 'string', default: 'sdist' },
    runs: { type: 'string', default: '5' },
    backend: { type: 'string' },
    python: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
})
const goal = 1.5
/** Milliseconds; below it one interrupt more or less decides. */
const telling = 50
/** Looks at no running code, so nothing in it is watched. */
const tasks = taskNames.filter(task => task !== 'static' && task !== 'clocks')
const runs = Number(values.runs)
const signal = shutdownSignal()
const kinds = values.kind === 'both' ? DistributionKind.options : [DistributionKind.parse(values.kind)]
const sides = ['observed', 'unobserved'] as const
type Times = Record<(typeof sides)[number], number[]>

interface Row {
  filename: string
  task: TaskName | 'all tasks'
  observed: number
  unobserved: number
  ratio: number
  /** Absent when the task is too short to say. */
  met?: boolean
}

const fromIndex = positionals.length > 0
const samples = fromIndex
  ? undefined
  : (await makeAll(join(import.meta.dirname, '../samples'))).filter(made =>
      values.sample.split(',').some(name => made.project === `pyti-sample-${name}`),
    )
const names = fromIndex ? positionals : [...new Set(samples?.map(made => made.project))]
if (names.length === 0) throw new Error(`no sample is called ${values.sample}`)
const rows: Row[] = []
let observers: string[] = []
await withDirect(
  {
    backends: values.backend === undefined ? [] : [values.backend],
    python: values.python,
    signal,
    ...(samples && { distributions: samples }),
  },
  async bench => {
    const targets = (await Promise.all(names.map(name => bench.find(name, [...kinds])))).flat()
    for (const target of targets) rows.push(...(await measure(bench, target)))
  },
)
if (values.json)
  console.log(
    JSON.stringify({ schema: 'pyti.bench.observe/1', machine: describeMachine(), observers, runs, rows }),
  )
else show()

async function measure({ direct, drivers, image }: DirectBench, target: Target): Promise<Row[]> {
  const { filename } = target.subject
  const images = {
    observed: image,
    unobserved: await buildUnobserved(findPaths(), { signal, python: image.manifest.python }),
  }
  const jobs = {
    observed: await direct.prepare({ target, tasks, network: 'sinkhole' }),
    unobserved: await direct.prepare({ target, tasks, network: 'dead' }),
  }
  const backend = drivers[0]?.backend ?? 'uml'
  const times = new Map<Row['task'], Times>()
  for (let run = 1; run <= runs; run++)
    for (const side of sides) {
      const { rawData } = await direct.run(jobs[side], backend, { image: images[side], warmed: true })
      if (side === 'observed') observers = rawData.guest.stable.observers
      else if (rawData.guest.stable.observers.some(name => name !== 'changes'))
        throw new Error(`the other image still watches: ${rawData.guest.stable.observers}`)
      add(times, side, rawData)
      process.stderr.write(`${filename}: run ${run} of ${runs}, ${side}\n`)
    }
  return [...times].map(([task, { observed, unobserved }]) => {
    const [left, right] = [median(observed), median(unobserved)]
    const ratio = left / Math.max(1, right)
    const row = { filename, task, observed: left, unobserved: right, ratio }
    return left < telling ? row : { ...row, met: ratio <= goal }
  })
}

function add(times: Map<Row['task'], Times>, side: (typeof sides)[number], rawData: RawData): void {
  let whole = 0
  const note = (task: Row['task'], milliseconds: number) => {
    const entry = times.get(task) ?? { observed: [], unobserved: [] }
    entry[side].push(milliseconds)
    times.set(task, entry)
  }
  for (const task of tasks) {
    const record = rawData.tasks[task]
    if (!record || record.stable.status === 'not-run') continue
    whole += record.volatile.milliseconds
    note(task, record.volatile.milliseconds)
  }
  note('all tasks', whole)
}

function show(): void {
  for (const filename of new Set(rows.map(row => row.filename))) {
    console.log(`\n${filename}, medians of ${runs} runs, milliseconds; observers: ${observers.join(', ')}\n`)
    const lines = rows
      .filter(row => row.filename === filename)
      .map(row => [
        row.task,
        row.observed.toFixed(0),
        row.unobserved.toFixed(0),
        row.ratio.toFixed(2),
        row.met === undefined ? 'too short to say' : `<= ${goal}: ${row.met ? 'met' : 'NOT MET'}`,
      ])
    console.log(align([['task', 'observed', 'unobserved', 'ratio', 'goal'], ...lines]))
  }
  const machine = Object.entries(describeMachine()).map(entry => entry.join(' '))
  console.log(`\n${machine.join(', ')}`)
}
