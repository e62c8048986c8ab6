// One job in a VM against the same tasks run natively (chroot of the same image, no sandbox) in the same run: a ratio per
// task and where the rest of the time goes. Needs root for the chroot; the sample is one of ours.
//
//   node bench/job.ts [--backend uml|tcg|kvm] [--runs 3] [--sample tested]
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { ensureImage } from '../src/cli/image.ts'
import { findPaths } from '../src/cli/paths.ts'
import { makeDistributions } from '../src/pypi/make-distribution.ts'
import { chooseBackend } from '../src/sandbox/backends.ts'
import { runGuest } from '../src/sandbox/run-guest.ts'
import { Backend, taskNames } from '../src/wire/job.ts'
import { GuestRecord } from '../src/wire/raw-data.ts'

const { values } = parseArgs({
  options: {
    backend: { type: 'string' },
    runs: { type: 'string', default: '3' },
    sample: { type: 'string', default: 'tested' },
  },
})
const runs = Number(values.runs)
if (process.getuid?.() !== 0) throw new Error('the native side runs in a chroot: start this as root')

const root = join(import.meta.dirname, '..')
const paths = findPaths()
const image = await ensureImage(paths)
const driver = await chooseBackend(
  { image, runDir: paths.run, cacheDir: paths.probes },
  values.backend === undefined ? undefined : Backend.parse(values.backend),
)
const [sample] = await makeDistributions(join(root, 'samples', values.sample))
if (!sample) throw new Error(`samples/${values.sample} makes nothing`)

type Times = Record<string, number>
const times: { vm: Times[]; native: Times[] } = { vm: [], native: [] }
const dir = await mkdtemp(join(tmpdir(), 'pyti-bench-'))
try {
  const subject = join(dir, sample.filename)
  await writeFile(subject, sample.bytes)
  const nativeRoot = join(dir, 'root')
  execFileSync('unsquashfs', ['-q', '-n', '-d', nativeRoot, image.path('base')], { stdio: 'ignore' })
  for (let run = 0; run < runs; run++) {
    times.native.push(await native(subject, nativeRoot))
    times.vm.push(await inVm(subject))
    process.stderr.write(`run ${run + 1} of ${runs} done\n`)
  }
} finally {
  await rm(dir, { recursive: true, force: true })
}
show()

async function inVm(subject: string): Promise<Times> {
  const started = performance.now()
  let vmStarted = started
  const output = await runGuest({
    driver,
    image,
    plan: {
      schema: 'pyti.plan/1',
      subject: {
        project: sample?.project ?? '',
        version: sample?.version ?? '',
        filename: sample?.filename ?? '',
        kind: sample?.kind ?? 'sdist',
      },
      tasks: [...taskNames],
      packages: { build: [], run: [], test: [] },
      incomplete: [],
      limits: { taskSeconds: 180, memoryMiB: 512, processes: 128, logBytes: 65_536, outputBytes: 16_777_216 },
      hashSeed: 0,
    },
    files: [{ filename: sample?.filename ?? '', path: subject, size: sample?.bytes.length ?? 0 }],
    memoryMiB: 512,
    diskMiB: 512,
    wallSeconds: 300,
    cpu: 0,
    runDir: paths.run,
    onStart: () => {
      vmStarted = performance.now()
    },
  })
  const record = GuestRecord.parse(JSON.parse(output.items.get('guest.json')?.toString() ?? ''))
  const total = performance.now() - started
  const tasks = tasksOf(record)
  const inTasks = Object.values(tasks).reduce((sum, ms) => sum + ms, 0)
  return {
    ...tasks,
    'folder, job disk, jail': vmStarted - started,
    boot: output.bootMilliseconds,
    'between tasks': output.totalMilliseconds - output.bootMilliseconds - inTasks,
    teardown: total - (vmStarted - started) - output.totalMilliseconds,
    total,
  }
}

async function native(subject: string, nativeRoot: string): Promise<Times> {
  const logs = join(dir, 'native')
  const started = performance.now()
  const ended = spawnSync(
    'python3',
    [join(root, 'guest/tests/chroot_harness.py'), '--root', nativeRoot, '--quiet', '--logs', logs, subject],
    { encoding: 'utf8' },
  )
  if (ended.status !== 0) throw new Error(`native run failed: ${ended.stderr.slice(-2_000)}`)
  const total = performance.now() - started
  const tasks = tasksOf(GuestRecord.parse(JSON.parse(await readFile(join(logs, 'record.json'), 'utf8'))))
  return { ...tasks, total }
}

function tasksOf(record: GuestRecord): Times {
  return Object.fromEntries(taskNames.map(task => [task, record.tasks[task]?.volatile.milliseconds ?? 0]))
}

function median(all: Times[], key: string): number {
  const sorted = all.map(one => one[key] ?? 0).sort((a, b) => a - b)
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? 0
}

function show(): void {
  console.log(`\n${sample?.filename} on ${driver.backend}, medians of ${runs} runs, milliseconds\n`)
  console.log(`${'step'.padEnd(26)}${'VM'.padStart(8)}${'native'.padStart(9)}${'ratio'.padStart(8)}`)
  for (const key of Object.keys(times.vm[0] ?? {})) {
    const vm = median(times.vm, key)
    const base = times.native[0]?.[key] === undefined ? undefined : median(times.native, key)
    console.log(
      `${key.padEnd(26)}${vm.toFixed(0).padStart(8)}${(base?.toFixed(0) ?? '-').padStart(9)}${(base ? (vm / base).toFixed(2) : '-').padStart(8)}`,
    )
  }
  const sum = (all: Times[]) => taskNames.reduce((total, task) => total + median(all, task), 0)
  console.log(
    `\nratio of the tasks alone: ${(sum(times.vm) / sum(times.native)).toFixed(2)}; of the whole job: ${(median(times.vm, 'total') / median(times.native, 'total')).toFixed(2)}`,
  )
}
