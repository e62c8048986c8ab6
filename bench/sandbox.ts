// What the sandbox costs, each figure beside the same work without a VM in the same run where there is such a thing, and
// beside its target. Says met or not met and never fails for time. The native job needs root (a chroot).
//
//   node bench/sandbox.ts [--backend uml --backend tcg] [--runs 9] [--jobs 3] [--soak 10000] [--json]
//     [--only starts|waiting|transfer|jobs|two ...]
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { ensureImage } from '../src/cli/image.ts'
import { findPaths } from '../src/cli/paths.ts'
import { shutdownSignal } from '../src/cli/shutdown.ts'
import { messageOf } from '../src/errors.ts'
import { allowedCpus } from '../src/sandbox/allowed-cpus.ts'
import { drivers, probeBackendCached } from '../src/sandbox/backends.ts'
import type { Image } from '../src/sandbox/image/store.ts'
import type { Driver } from '../src/sandbox/vm.ts'
import { Backend } from '../src/wire/job.ts'
import { type Figure, type Row, rowOf, tableOf } from './figures.ts'
import { describeMachine, withFolder } from './machine.ts'
import { measureSampleJob, measureTwoAtOnce } from './measure-jobs.ts'
import { measureSoak, measureStarts, measureWaiting } from './measure-starts.ts'
import { measureTransfer } from './measure-transfer.ts'
import { nativeMissing, unpackBase } from './native.ts'
import type { Bench } from './vms.ts'

const { values } = parseArgs({
  options: {
    backend: { type: 'string', multiple: true },
    runs: { type: 'string', default: '9' },
    jobs: { type: 'string', default: '3' },
    memory: { type: 'string', default: '512' },
    disk: { type: 'string', default: '512' },
    soak: { type: 'string' },
    only: { type: 'string', multiple: true },
    json: { type: 'boolean', default: false },
  },
})
const signal = shutdownSignal()
const paths = findPaths()
const leftOut: Record<string, string> = {}
const say = (line: string) => process.stderr.write(`${line}\n`)

try {
  const image = await ensureImage(paths, { signal })
  await withFolder(paths.run, dir => benchAll(image, dir))
} catch (error) {
  if (!signal.aborted) throw error
  say('stopped; nothing is left running')
  process.exitCode = 130
}

async function benchAll(image: Image, dir: string): Promise<void> {
  const machine = describeMachine()
  const missing = nativeMissing()
  if (missing) say(missing)
  const root = missing === undefined ? await unpackBase(image, dir, signal) : undefined
  const backends: Record<string, Row[]> = {}
  for (const driver of await workingDrivers(image)) {
    const figures = await benchBackend(driver, image, dir, root)
    const rows = figures.filter(({ samples }) => samples.length > 0).map(rowOf)
    backends[driver.backend] = rows
    if (!values.json) console.log(`\n${driver.backend}, ${image.manifest.name}\n\n${tableOf(rows)}`)
  }
  const { memory, disk } = values
  const settings = {
    memoryMiB: Number(memory),
    diskMiB: Number(disk),
    image: image.id,
    name: image.manifest.name,
  }
  if (values.json)
    console.log(JSON.stringify({ schema: 'pyti.bench.sandbox/1', machine, settings, backends, leftOut }))
  else
    console.log(
      `\n${Object.entries({ ...machine, ...settings })
        .map(entry => entry.join(' '))
        .join(', ')}`,
    )
}

async function benchBackend(
  driver: Driver,
  image: Image,
  dir: string,
  root: string | undefined,
): Promise<Figure[]> {
  const bench: Bench = {
    driver,
    dir,
    signal,
    shape: { image, memoryMiB: Number(values.memory), diskMiB: Number(values.disk) },
    runs: Number(values.runs),
    jobs: Number(values.jobs),
    cpus: allowedCpus(),
    runDir: paths.run,
    templates: join(dir, 'templates'),
    say: step => say(`${driver.backend}: ${step}`),
  }
  const parts: Record<string, () => Promise<Figure[]>> = {
    starts: () => measureStarts(bench),
    waiting: () => measureWaiting(bench),
    transfer: () => measureTransfer(bench),
    jobs: () => measureSampleJob(bench, root),
    two: () => measureTwoAtOnce(bench),
    soak: () => measureSoak(bench, Number(values.soak)),
  }
  const wanted =
    values.only ?? Object.keys(parts).filter(part => part !== 'soak' || values.soak !== undefined)
  const figures: Figure[] = []
  for (const part of wanted)
    try {
      figures.push(...((await parts[part]?.()) ?? []))
    } catch (error) {
      // What else was measured is worth having; an interruption ends it all the same.
      signal.throwIfAborted()
      bench.say(`${part} failed: ${messageOf(error)}`)
      process.exitCode = 1
    }
  return figures
}

/** Those asked for, or all, as far as they boot here. */
async function workingDrivers(image: Image): Promise<Driver[]> {
  const wanted = (values.backend ?? []).map(name => Backend.parse(name))
  const working: Driver[] = []
  for (const driver of drivers) {
    if (wanted.length > 0 && !wanted.includes(driver.backend)) continue
    const probe = await probeBackendCached(driver, {
      image,
      runDir: paths.run,
      cacheDir: paths.probes,
      signal,
    })
    if (probe.works) working.push(driver)
    else {
      leftOut[driver.backend] = probe.detail
      say(`${driver.backend}: left out: ${probe.detail}`)
    }
  }
  return working
}
