import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TaskName } from '../src/wire/job.ts'
import { sampleLines, sampleTests, sampleWheel } from './bench-package.ts'
import { type Figure, median } from './figures.ts'
import { runNative } from './native.ts'
import { type BenchJob, runTimed, type TimedJob } from './timed-job.ts'
import { type Bench, start, startWarm, withCpus, withPooled } from './vms.ts'

const tasks: TaskName[] = ['install', 'import', 'unittest', 'quality']

export const sampleJob = (bench: Bench): BenchJob => ({
  subject: sampleWheel(),
  tasks,
  memoryMiB: bench.shape.memoryMiB,
})

/**
 * The sample job native, in a VM that has just been started and in one out of a pool, in turn so that a slow minute of the
 * machine meets all three.
 * @param root unpacked base image; without it there is no native side
 */
export async function measureSampleJob(bench: Bench, root: string | undefined): Promise<Figure[]> {
  const native: Awaited<ReturnType<typeof runNative>>[] = []
  const cold: (TimedJob & { startMs: number })[] = []
  const pooled: (TimedJob & { takeMs: number })[] = []
  const subject = join(bench.dir, sampleWheel().filename)
  await writeFile(subject, sampleWheel().bytes)
  for (let job = 1; job <= bench.jobs; job++) {
    bench.say(`sample job ${job} of ${bench.jobs}: native, fresh VM, pool`)
    if (root !== undefined)
      native.push(await withCpus(bench, 1, () => runNative(subject, { ...bench, root, tasks })))
    cold.push(
      await withCpus(bench, 1, async ([cpu = 0]) => {
        const { ready, startMs } = await start(bench, cpu)
        return { ...checked(await runTimed(ready, sampleJob(bench), options(bench))), startMs }
      }),
    )
    pooled.push(
      await withPooled(bench, async (ready, takeMs) => ({
        ...checked(await runTimed(ready, sampleJob(bench), options(bench))),
        takeMs,
      })),
    )
  }
  const isUml = bench.driver.backend === 'uml'
  const whole = native.length > 0 ? { native: native.map(({ whole }) => whole / 1000) } : {}
  const seconds = (times: { whole: number }[]) => times.map(time => time.whole / 1000)
  return [
    { name: 'taken from the pool', unit: 'ms', samples: pooled.map(({ takeMs }) => takeMs) },
    {
      name: 'GO to first event, from the pool',
      unit: 'ms',
      samples: pooled.map(({ firstEvent }) => firstEvent),
      target: { p50: 50 },
    },
    {
      name: 'sample job from the pool',
      unit: 's',
      samples: seconds(pooled),
      target: { p50: isUml ? 5 : 16 },
      ...whole,
    },
    ...taskFigures(pooled, native),
    {
      name: 'sample job in a fresh VM, its start included',
      unit: 's',
      samples: cold.map(({ whole, write, startMs }) => (whole + write + startMs) / 1000),
      target: { p50: isUml ? 8 : 30 },
      ...whole,
    },
    ...taskFigures(cold, native),
  ]
}

/** Two VMs on two CPUs at once against one alone. */
export async function measureTwoAtOnce(bench: Bench): Promise<Figure[]> {
  if (bench.cpus.length < 2) return []
  const ratios: number[] = []
  for (let job = 1; job <= bench.jobs; job++)
    await withCpus(bench, 2, async ([first = 0, second = 0]) => {
      bench.say(`one job alone, then two at once: ${job} of ${bench.jobs}`)
      const run = async (cpu: number) => {
        const ready = await startWarm(bench, cpu)
        return () => runTimed(ready, sampleJob(bench), options(bench))
      }
      const alone = await (await run(first))()
      const jobs = [await run(first), await run(second)]
      const together = await Promise.all(jobs.map(begin => begin()))
      ratios.push(median(together.map(({ whole }) => whole)) / alone.whole)
    })
  return [{ name: 'two jobs at once against one', unit: 'times', samples: ratios, target: { p50: 1.15 } }]
}

export const options = ({ dir, driver, signal }: Bench) => ({ dir, slowness: driver.slowness, signal })

function taskFigures(vm: TimedJob[], native: { tasks: TimedJob['tasks'] }[]): Figure[] {
  return tasks.map(task => ({
    name: `  ${task}`,
    unit: 'ms',
    samples: vm.map(job => job.tasks[task] ?? Number.NaN),
    ...(native.length > 0 && { native: native.map(run => run.tasks[task] ?? Number.NaN) }),
  }))
}

/** A job that did less than it should would look fast. */
function checked(job: TimedJob): TimedJob {
  const { unittest, quality } = job.record.tasks
  const passed = Object.values(unittest?.stable.tests ?? {}).filter(outcome => outcome === 'passed').length
  if (
    passed !== sampleTests ||
    quality?.stable.linesOfCode !== sampleLines ||
    quality.stable.status !== 'passed'
  )
    throw new Error(
      `the sample job went wrong: ${passed} tests passed, quality ${JSON.stringify(quality?.stable)}`,
    )
  return job
}
