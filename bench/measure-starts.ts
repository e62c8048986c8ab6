import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Figure } from './figures.ts'
import { idleCost } from './idle-cost.ts'
import { type Bench, start, warm, withCpus } from './vms.ts'

const idleSeconds = 5
const pings = 200
const pingMs = 10_000

/** Start to the guest's first answer: booted, and restored where the backend can. */
export async function measureStarts(bench: Bench): Promise<Figure[]> {
  const { driver, shape, templates, runDir, signal, runs } = bench
  bench.say(`${runs} boots`)
  const booted = await startAll(bench, 'cold')
  const figures: Figure[] = [
    {
      name: 'start to agent ready, booted',
      unit: 'ms',
      samples: booted.map(({ startMs }) => startMs),
      target: driver.backend === 'uml' ? { p50: 500, p95: 800 } : { p50: 5_000 },
    },
  ]
  if (!driver.prepare) return figures
  bench.say('making the template')
  const started = performance.now()
  await withCpus(bench, 1, async ([cpu = 0]) =>
    driver.prepare?.(shape, { templates, runDir, onCpu: work => work(cpu), signal }),
  )
  const made = performance.now() - started
  const size = await folderBytes(templates)
  bench.say(`${runs} restores`)
  const starts = await startAll(bench, 'fastest')
  const restored = starts.filter(start => start.restored)
  return [
    ...figures,
    { name: 'making the template, once', unit: 's', samples: [made / 1000] },
    { name: 'size of the template', unit: 'MB', samples: [size / 1e6] },
    {
      name: 'start to agent ready, restored',
      unit: 'ms',
      samples: restored.map(({ startMs }) => startMs),
      target: { p50: 300 },
    },
    {
      name: 'restores that had to boot instead',
      unit: 'times',
      samples: [starts.length - restored.length],
      target: { p50: 0 },
    },
  ]
}

/** Round trips over the channel, and what a VM costs that only waits. */
export async function measureWaiting(bench: Bench): Promise<Figure[]> {
  bench.say(`${pings} round trips and ${2 * idleSeconds} s of waiting`)
  return withCpus(bench, 1, async ([cpu = 0]) => {
    const { ready } = await start(bench, cpu)
    try {
      const trips = await roundTrips(bench, ready.session, pings)
      const before = await idleCost(ready.vm.pid, idleSeconds, bench.signal)
      const warming = await warm(bench, ready)
      const after = await idleCost(ready.vm.pid, idleSeconds, bench.signal)
      return [
        { name: 'control round trip', unit: 'ms', samples: trips, target: { p50: 1 } },
        { name: 'loading the tools', unit: 'ms', samples: [warming] },
        { name: 'memory of a waiting VM (PSS)', unit: 'MB', samples: [before.megabytes] },
        { name: '... its tools loaded', unit: 'MB', samples: [after.megabytes] },
        { name: 'CPU of a waiting VM', unit: '% of a CPU', samples: [before.cpuPercent] },
        { name: '... its tools loaded', unit: '% of a CPU', samples: [after.cpuPercent] },
      ]
    } finally {
      await ready.end()
    }
  })
}

/** Frames there and back without one lost: a session that misses one throws. */
export async function measureSoak(bench: Bench, frames: number): Promise<Figure[]> {
  bench.say(`${frames} frames`)
  return withCpus(bench, 1, async ([cpu = 0]) => {
    const { ready } = await start(bench, cpu, 'cold')
    try {
      const samples = await roundTrips(bench, ready.session, frames)
      return [{ name: `control round trip, ${frames} in a row`, unit: 'ms', samples, target: { p50: 1 } }]
    } finally {
      await ready.end()
    }
  })
}

async function startAll(
  bench: Bench,
  kind: 'cold' | 'fastest',
): Promise<{ startMs: number; restored: boolean }[]> {
  const starts: { startMs: number; restored: boolean }[] = []
  for (let run = 0; run < bench.runs; run++)
    await withCpus(bench, 1, async ([cpu = 0]) => {
      const { ready, startMs, restored } = await start(bench, cpu, kind)
      await ready.end()
      starts.push({ startMs, restored })
    })
  return starts
}

async function roundTrips(
  { signal }: Bench,
  session: { ping(timeoutMs: number, signal?: AbortSignal): Promise<void> },
  count: number,
): Promise<number[]> {
  const times: number[] = []
  for (let trip = 0; trip < count; trip++) {
    const sent = performance.now()
    await session.ping(pingMs, signal)
    times.push(performance.now() - sent)
  }
  return times
}

async function folderBytes(folder: string): Promise<number> {
  let sum = 0
  for (const name of await readdir(folder, { recursive: true }))
    sum += (await stat(join(folder, name)).catch(() => undefined))?.size ?? 0
  return sum
}
