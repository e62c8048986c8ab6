import { createHash } from 'node:crypto'
import { mkdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { runCommand } from '../src/exec.ts'
import { createDisk, readOutput } from '../src/sandbox/disks.ts'
import type { Image } from '../src/sandbox/image/store.ts'
import { writeJob } from '../src/sandbox/job-disk.ts'
import type { TaskName } from '../src/wire/job.ts'
import { limits } from '../src/wire/limits.ts'
import { GuestRecord } from '../src/wire/raw-data.ts'
import { type BenchJob, prepareJob, taskTimes } from './timed-job.ts'

const guestDir = join(import.meta.dirname, '../guest')

/** Why the same tasks cannot run here without a VM, if so. */
export const nativeMissing = (): string | undefined =>
  process.getuid?.() === 0 ? undefined : 'the native side runs in a chroot: start this as root'

/** Unpacks an image's base, for `runNative`. */
export async function unpackBase(image: Image, dir: string, signal: AbortSignal): Promise<string> {
  const root = join(dir, 'root')
  await runCommand(['unsquashfs', '-q', '-n', '-d', root, image.path('base')], { signal })
  return root
}

/** The agent's tasks on one file in a chroot of the same image: same work, no VM, no jail. Milliseconds. */
export async function runNative(
  subject: string,
  options: { root: string; dir: string; tasks: TaskName[]; signal: AbortSignal },
): Promise<{ tasks: Partial<Record<TaskName, number>>; whole: number }> {
  const { root, dir, tasks, signal } = options
  const logs = join(dir, 'native-logs')
  const started = performance.now()
  await runCommand(
    [
      'python3',
      join(guestDir, 'tests/chroot_harness.py'),
      '--root',
      root,
      '--quiet',
      '--logs',
      logs,
      subject,
      '--tasks',
      ...tasks,
    ],
    // Its own folder is in ours and goes with it, however it ends.
    { signal, env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', TMPDIR: dir, LANG: 'C.UTF-8' } },
  )
  const whole = performance.now() - started
  const record = GuestRecord.parse(JSON.parse(await readFile(join(logs, 'record.json'), 'utf8')))
  return { tasks: taskTimes(record), whole }
}

/** What the guest does with a job disk, by the agent's own code on a plain file. @returns milliseconds */
export async function readNatively(job: BenchJob, dir: string, signal: AbortSignal): Promise<number> {
  const disk = join(dir, 'native-job')
  const copy = `/dev/shm/pyti-bench-${process.pid}`
  await createDisk(disk, limits.jobDiskBytes)
  try {
    const { plan, files } = await prepareJob(job, { dir, slowness: 1 })
    const written = await writeJob(disk, plan, files, signal)
    await mkdir(copy)
    return await timeInPython(
      `disks.read_job(${JSON.stringify(written)}, ${JSON.stringify(disk)}, ${JSON.stringify(copy)})`,
      signal,
    )
  } finally {
    await rm(copy, { recursive: true, force: true })
    await rm(disk, { force: true })
  }
}

/** What guest and host do with results on the output disk, by their own code on a plain file. @returns milliseconds */
export async function handOverNatively(bytes: number, dir: string, signal: AbortSignal): Promise<number> {
  const disk = join(dir, 'native-output')
  await createDisk(disk, limits.guestOutputBytes)
  try {
    const written = await timeInPython(
      `disks.write_output([("log", data)], ${JSON.stringify(disk)})`,
      signal,
      `data = b"x" * ${bytes}`,
    )
    const reading = performance.now()
    const data = (await readOutput(disk, 0, bytes)) ?? Buffer.alloc(0)
    // Twice, as the session does: the item's digest and the digest of everything.
    for (let pass = 0; pass < 2; pass++) createHash('sha256').update(data).digest('hex')
    return written + performance.now() - reading
  } finally {
    await rm(disk, { force: true })
  }
}

async function timeInPython(call: string, signal: AbortSignal, first = 'pass'): Promise<number> {
  const program = `
import sys, time
sys.path.insert(0, ${JSON.stringify(join(guestDir, 'agent'))})
import disks
${first}
started = time.perf_counter()
${call}
print((time.perf_counter() - started) * 1000)`
  return Number(await runCommand(['python3', '-I', '-S', '-B', '-c', program], { signal }))
}
