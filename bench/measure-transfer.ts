import { largeWheel, noisyWheel } from './bench-package.ts'
import type { Figure } from './figures.ts'
import { options } from './measure-jobs.ts'
import { handOverNatively, readNatively } from './native.ts'
import { type BenchJob, runTimed } from './timed-job.ts'
import { type Bench, startWarm, withCpus } from './vms.ts'

const MB = 1_000_000
const largeBytes = 50 * MB
const serialBytes = 10 * MB

/** 50 MB into the guest, 50 MB out over the output disk, 10 MB out over the serial line. */
export async function measureTransfer(bench: Bench): Promise<Figure[]> {
  const inbound = {
    subject: largeWheel(largeBytes),
    tasks: [],
    memoryMiB: bench.shape.memoryMiB,
  } satisfies BenchJob
  const times: Record<'write' | 'in' | 'nativeIn' | 'out' | 'nativeOut' | 'serial', number[]> = {
    write: [],
    in: [],
    nativeIn: [],
    out: [],
    nativeOut: [],
    serial: [],
  }
  for (let round = 1; round <= bench.jobs; round++) {
    bench.say(`50 MB in and out, round ${round} of ${bench.jobs}`)
    times.nativeIn.push(await readNatively(inbound, bench.dir, bench.signal))
    times.nativeOut.push(await handOverNatively(largeBytes, bench.dir, bench.signal))
    await withCpus(bench, 1, async ([cpu = 0]) => {
      const read = await runTimed(await startWarm(bench, cpu), inbound, options(bench))
      times.write.push(read.write)
      times.in.push(read.setupEnd)
      times.out.push(await handOver(bench, cpu, largeBytes))
      times.serial.push(await handOver(bench, cpu, serialBytes))
    })
  }
  const rates = (bytes: number, milliseconds: number[]) => milliseconds.map(ms => bytes / MB / (ms / 1000))
  return [
    { name: '50 MB onto the job disk, by the host', unit: 'MB/s', samples: rates(largeBytes, times.write) },
    {
      name: '50 MB in, GO to end of set-up',
      unit: 'MB/s',
      samples: rates(largeBytes, times.in),
      native: rates(largeBytes, times.nativeIn),
      target: { p50: 100 },
    },
    {
      name: '50 MB out, output disk',
      unit: 'MB/s',
      samples: rates(largeBytes, times.out),
      native: rates(largeBytes, times.nativeOut),
      target: { p50: 10 },
    },
    {
      name: '10 MB out, serial line',
      unit: 'MB/s',
      samples: rates(serialBytes, times.serial),
      target: { p50: 10 },
    },
  ]
}

/** A job whose log has this many bytes: from the end of its task to everything checked on the host. */
async function handOver(bench: Bench, cpu: number, bytes: number): Promise<number> {
  const job: BenchJob = {
    subject: noisyWheel(bytes),
    tasks: ['unittest'],
    memoryMiB: bench.shape.memoryMiB,
    // The runner's own few lines come on top.
    logBytes: bytes + MB,
  }
  const ready = await startWarm(bench, cpu)
  const { handOver: milliseconds, itemBytes, record } = await runTimed(ready, job, options(bench))
  if (itemBytes < bytes)
    throw new Error(
      `${itemBytes} bytes came out instead of ${bytes}: ${JSON.stringify(record.tasks.unittest?.stable)}`,
    )
  return milliseconds
}
