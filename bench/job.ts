// One job of a sample in a VM of its own against the same tasks run natively (chroot of the same image, no sandbox) in the
// same run: a ratio per task and where the rest of the time goes. Needs root for the chroot.
//
//   node bench/job.ts [--backend uml|tcg|kvm] [--runs 3] [--sample tested]
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { ensureImage } from '../src/cli/image.ts'
import { findPaths } from '../src/cli/paths.ts'
import { shutdownSignal } from '../src/cli/shutdown.ts'
import { makeDistributions } from '../src/pypi/make-distribution.ts'
import { allowedCpus } from '../src/sandbox/allowed-cpus.ts'
import { chooseBackend } from '../src/sandbox/backends.ts'
import { Backend, taskNames } from '../src/wire/job.ts'
import { align, median } from './figures.ts'
import { withFolder } from './machine.ts'
import { nativeMissing, runNative, unpackBase } from './native.ts'
import { type BenchJob, prepareJob, runTimed } from './timed-job.ts'
import { type Bench, start, withCpus } from './vms.ts'

const { values } = parseArgs({
  options: {
    backend: { type: 'string' },
    runs: { type: 'string', default: '3' },
    sample: { type: 'string', default: 'tested' },
  },
})
const missing = nativeMissing()
if (missing !== undefined) throw new Error(missing)
const runs = Number(values.runs)
const signal = shutdownSignal()
const paths = findPaths()
const image = await ensureImage(paths, { signal })
const driver = await chooseBackend(
  { image, runDir: paths.run, cacheDir: paths.probes, signal },
  values.backend === undefined ? undefined : Backend.parse(values.backend),
)
const [sample] = await makeDistributions(join(import.meta.dirname, '../samples', values.sample))
if (!sample) throw new Error(`samples/${values.sample} makes nothing`)
const memoryMiB = 512
const job: BenchJob = { subject: sample, tasks: [...taskNames], memoryMiB }

type Times = Record<string, number>
const times: { vm: Times[]; native: Times[] } = { vm: [], native: [] }
try {
  await withFolder(paths.run, measure)
  show()
} catch (error) {
  if (!signal.aborted) throw error
  process.exitCode = 130
}

async function measure(dir: string): Promise<void> {
  const root = await unpackBase(image, dir, signal)
  const { files } = await prepareJob(job, { dir, slowness: 1 })
  const subject = files[0]?.path ?? ''
  const bench: Bench = {
    driver,
    dir,
    signal,
    runs,
    jobs: runs,
    shape: { image, memoryMiB, diskMiB: 512 },
    cpus: allowedCpus(),
    runDir: paths.run,
    templates: join(dir, 'templates'),
    say: step => process.stderr.write(`${step}\n`),
  }
  for (let run = 1; run <= runs; run++) {
    await withCpus(bench, 1, async ([cpu = 0]) => {
      const { tasks, whole } = await runNative(subject, { root, dir, tasks: job.tasks, signal })
      times.native.push({ ...tasks, 'whole job': whole })
      times.vm.push(await inVm(bench, cpu))
    })
    bench.say(`run ${run} of ${runs} done`)
  }
}

async function inVm(bench: Bench, cpu: number): Promise<Times> {
  const started = performance.now()
  const { ready, startMs } = await start(bench, cpu, 'cold')
  const done = await runTimed(ready, job, { dir: bench.dir, slowness: driver.slowness, signal })
  const whole = performance.now() - started
  const inTasks = Object.values(done.tasks).reduce((sum, ms) => sum + ms, 0)
  return {
    ...done.tasks,
    'folder, disks, jail': startMs - ready.bootMilliseconds,
    boot: ready.bootMilliseconds,
    'job disk': done.write,
    'set-up, between tasks, handing over': done.whole - inTasks,
    teardown: whole - startMs - done.write - done.whole,
    'whole job': whole,
  }
}

function show(): void {
  const rows = Object.keys(times.vm[0] ?? {}).map(key => {
    const vm = median(times.vm.map(run => run[key] ?? 0))
    const base = times.native[0]?.[key] === undefined ? 0 : median(times.native.map(run => run[key] ?? 0))
    return [key, vm.toFixed(0), base ? base.toFixed(0) : '-', base ? (vm / base).toFixed(2) : '-', '']
  })
  console.log(`\n${sample?.filename} on ${driver.backend}, medians of ${runs} runs, milliseconds\n`)
  console.log(align([['step', 'VM', 'native', 'ratio', ''], ...rows]))
}
