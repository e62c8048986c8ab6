// Where the time of a whole `pyti test` goes: coordinator and volunteers as processes, one job, from the start of the
// program to the last node's end, as a table and a picture. A sample is served by an embedded index, so that no foreign
// server's time is in it. With `bench/waterfall*.ts` copied in it also runs on older states of the software.
//
//   node bench/waterfall.ts SAMPLE|PROJECT [--volunteers 3] [--kind sdist] [--backend uml] [--out docs/waterfall.svg] [--label TEXT] [--json]
import { access, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { parseArgs } from 'node:util'
import { findUv } from '../src/cli/host-tools.ts'
import { ensureImage } from '../src/cli/image.ts'
import { findPaths, repositoryDir } from '../src/cli/paths.ts'
import { runDistributions } from '../src/cli/run-distributions.ts'
import { shutdownSignal } from '../src/cli/shutdown.ts'
import { findTargets } from '../src/cli/targets.ts'
import { systemClock } from '../src/clock.ts'
import { silentLogger } from '../src/logger.ts'
import { startEmbeddedIndex } from '../src/pypi/embedded-index.ts'
import { createIndexClient } from '../src/pypi/index-client.ts'
import { makeAll } from '../src/pypi/make-distribution.ts'
import { findIndex } from '../src/pypi/pip-config.ts'
import { chooseBackend } from '../src/sandbox/backends.ts'
import { type DistributionKind, taskNames } from '../src/wire/job.ts'
import {
  CommandLane,
  coordinatorLane,
  criticalPath,
  type Lane,
  type Seen,
  stages,
  volunteerLane,
} from './waterfall-lanes.ts'
import { drawWaterfall } from './waterfall-svg.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    volunteers: { type: 'string', default: '3' },
    kind: { type: 'string', default: 'sdist' },
    backend: { type: 'string' },
    out: { type: 'string' },
    label: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
})
const what = positionals[0]
if (what === undefined) throw new Error('name a sample of samples/ or a project on the index')
const backends = ['kvm', 'uml', 'tcg'] as const
const kinds: DistributionKind[] = [values.kind === 'wheel' ? 'wheel' : 'sdist']
const signal = shutdownSignal()
const outDir = await mkdtemp(join(tmpdir(), 'pyti-waterfall-'))
try {
  await show(await watchRun())
} catch (error) {
  if (!signal.aborted) throw error
  process.stderr.write('stopped; nothing is left running\n')
  process.exitCode = 130
} finally {
  await rm(outDir, { recursive: true, force: true })
}

interface Run {
  filename: string
  backend: string
  verdict: string
  vms: { at: number; node: string; state: string; pid: number }[]
  lanes: [command: Lane, coordinator: Lane, ...volunteers: Lane[]]
}

async function watchRun(): Promise<Run> {
  const command = new CommandLane(stages.program)
  const sample = basename(what ?? '')
  const isSample = await access(join(repositoryDir, 'samples', sample, 'sample.json')).then(
    () => true,
    () => false,
  )
  if (!isSample) return watchOn(undefined, what ?? '', command)
  command.next(stages.serving)
  const distributions = await makeAll(join(repositoryDir, 'samples'))
  const index = await startEmbeddedIndex({ distributions, clock: systemClock })
  try {
    return await watchOn(index.url, `pyti-sample-${sample}`, command)
  } finally {
    await index.close()
  }
}

/** The steps of `pyti test` (src/cli/commands/test.ts), each with its time. */
async function watchOn(indexUrl: string | undefined, project: string, command: CommandLane): Promise<Run> {
  const paths = findPaths()
  command.next(stages.image)
  const image = await ensureImage(paths, { signal })
  command.next(stages.target)
  const { url } = await findIndex({ env: process.env, ...(indexUrl !== undefined && { override: indexUrl }) })
  const client = createIndexClient({ url, clock: systemClock, log: silentLogger })
  const { python } = image.manifest
  // `python` is for older states of the software.
  const wanted = { client: async () => client, guest: image.manifest, python, kinds, signal }
  const [target] = await findTargets(project, wanted)
  if (!target) throw new Error(`${project} has no ${kinds[0]}`)
  command.next(stages.backend)
  const forced = backends.find(name => name === values.backend)
  const { backend } = await chooseBackend(
    { image, runDir: paths.run, cacheDir: paths.probes, signal },
    forced,
  )
  command.next(stages.uv)
  await findUv(paths, silentLogger, signal)
  command.next(stages.nodes)

  const born = performance.now()
  const volunteers = Number(values.volunteers)
  const seen: Seen[] = []
  const births = new Map<string, number>()
  let verdict = 'none'
  let lastLine = born
  let up = 0
  await runDistributions({
    paths,
    volunteers,
    backend,
    python,
    targets: [target],
    tasks: [...taskNames],
    outDir,
    color: false,
    signal,
    ...(indexUrl !== undefined && { index: indexUrl }),
    progress: {
      line() {
        lastLine = performance.now()
      },
      print() {},
      event(node, event) {
        const at = performance.now()
        seen.push({ at, node, event })
        if (event.event === 'ready') {
          if (node === 'coordinator')
            for (let number = 1; number <= volunteers; number++) births.set(`volunteer-${number}`, at)
          // A volunteer called later was announced by a line.
          else if (!births.has(node)) births.set(node, lastLine)
          if (++up === volunteers + 1) command.next(stages.submitting, at)
        }
        if (event.event !== 'job') return
        if (event.phase === 'queued') command.next(stages.volunteers, at)
        if (event.phase === 'agreed') command.next(stages.report, at)
      },
      end() {},
    },
    onResult({ summary }) {
      verdict = summary.verdict
      command.next(stages.stopping)
    },
  })
  const names = [...births.keys()]
  return {
    filename: target.subject.filename,
    backend,
    verdict,
    vms: seen.flatMap(({ at, node, event }) =>
      event.event === 'vm' ? [{ at, node, state: event.state, pid: event.pid }] : [],
    ),
    lanes: [
      command.end(),
      coordinatorLane(born, seen),
      ...names.map(name => volunteerLane(name, births.get(name) ?? born, seen)),
    ],
  }
}

async function show({ filename, backend, verdict, vms, lanes }: Run): Promise<void> {
  const [command, , ...volunteers] = lanes
  const whole = command.segments.at(-1)?.to ?? 0
  const critical = criticalPath(command, volunteers)
  // The command's wait for the volunteers is what they do meanwhile.
  const own = command.segments.filter(segment => segment.stage !== stages.volunteers)
  const sums = sumStages([...own, ...volunteers.flatMap(lane => lane.segments)])
  const onPath = sumStages(critical.segments)
  const title = `${values.label ? `${values.label}: ` : ''}${filename}, ${volunteers.length} volunteers, ${backend}: ${(whole / 1000).toFixed(1)} s`
  if (values.out !== undefined) await writeFile(values.out, drawWaterfall(title, lanes, whole))
  if (values.json) {
    console.log(
      JSON.stringify({
        schema: 'pyti.bench.waterfall/1',
        title,
        backend,
        verdict,
        whole,
        critical,
        lanes,
        vms,
      }),
    )
    return
  }
  const all = [...sums.values()].reduce((sum, ms) => sum + ms, 0)
  const row = (name: string, ...cells: string[]) =>
    console.log(name.padEnd(34) + cells.map(cell => cell.padStart(10)).join(''))
  console.log(`\n${title}\nverdict ${verdict}; the end waited for ${critical.through}\n`)
  row('stage', 'sum, s', 'share', 'path, s', 'of path')
  for (const [stage, ms] of [...sums].sort((a, b) => (onPath.get(b[0]) ?? 0) - (onPath.get(a[0]) ?? 0))) {
    const path = onPath.get(stage) ?? 0
    row(stage, (ms / 1000).toFixed(2), percent(ms / all), (path / 1000).toFixed(2), percent(path / whole))
  }
  row('all', (all / 1000).toFixed(2), '', (whole / 1000).toFixed(2), '')
}

function sumStages(segments: Lane['segments']): Map<string, number> {
  const sums = new Map<string, number>()
  for (const { stage, from, to } of segments) sums.set(stage, (sums.get(stage) ?? 0) + to - from)
  return sums
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`
}
