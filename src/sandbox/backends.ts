import { readFile, stat } from 'node:fs/promises'
import { release } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { messageOf, PytiError } from '../errors.ts'
import { noteUse } from '../unused.ts'
import { digestOf } from '../wire/canonical.ts'
import type { GuestPlan } from '../wire/guest.ts'
import type { Backend } from '../wire/job.ts'
import { GuestRecord } from '../wire/raw-data.ts'
import type { Image } from './image/store.ts'
import { writeAtomically } from './image/store.ts'
import { kvmDriver, tcgDriver } from './qemu.ts'
import { runGuest } from './run-guest.ts'
import { umlDriver } from './uml.ts'
import type { Driver } from './vm.ts'

/** In order of preference: hardware virtualisation, native speed, anything that boots. */
export const drivers: readonly Driver[] = [kvmDriver, umlDriver, tcgDriver]

const Probe = z.strictObject({
  backend: z.enum(['kvm', 'uml', 'tcg']),
  works: z.boolean(),
  /** Why not, or what it showed. */
  detail: z.string(),
  bootMilliseconds: z.int().optional(),
})
export type Probe = z.infer<typeof Probe>

/** A job that asks for nothing: booting a guest, handing over and ending is all. */
export const emptyPlan: GuestPlan = {
  schema: 'pyti.plan/2',
  subject: { project: 'nothing', version: '1', filename: 'nothing-1.tar.gz', kind: 'sdist' },
  tasks: [],
  packages: { build: [], run: [], test: [] },
  incomplete: [],
  limits: { taskSeconds: 10, memoryMiB: 256, processes: 64, logBytes: 4096, outputBytes: 65_536 },
  hashSeed: 0,
  network: 'dead',
  clockDays: [],
  seed: '0'.repeat(32),
}

interface ProbeContext {
  image: Image
  runDir: string
  /** Folder in which results are kept. */
  cacheDir: string
  signal?: AbortSignal
}

/**
 * Boots a guest on one backend and lets it run a job without tasks. A device file or an installed program proves
 * nothing: this machine's /dev/kvm opens and stock kernels hang on it.
 */
export async function probeBackend(driver: Driver, context: ProbeContext): Promise<Probe> {
  const { backend } = driver
  const missing = await driver.missing()
  if (missing) return { backend, works: false, detail: missing }
  try {
    const output = await runGuest({
      driver,
      image: context.image,
      plan: emptyPlan,
      files: [],
      clockMs: Date.now(),
      memoryMiB: 256,
      diskMiB: 64,
      wallSeconds: 15,
      runDir: context.runDir,
      ...(context.signal && { signal: context.signal }),
    })
    const record = GuestRecord.parse(JSON.parse(output.items.get('guest.json')?.toString() ?? ''))
    return {
      backend,
      works: true,
      detail: `guest kernel ${output.hello.kernel}, Python ${record.python}`,
      bootMilliseconds: output.bootMilliseconds,
    }
  } catch (error) {
    context.signal?.throwIfAborted()
    const lastWords =
      error instanceof PytiError
        ? String(error.details.console ?? '')
            .split('\n')
            .at(-1)
        : ''
    return {
      backend,
      works: false,
      detail: `${messageOf(error)}${lastWords ? ` (${lastWords.trim()})` : ''}`,
    }
  }
}

/** As `probeBackend`, remembered per host kernel, QEMU build and image. A failure is tried again after an hour. */
export async function probeBackendCached(driver: Driver, context: ProbeContext): Promise<Probe> {
  const missing = await driver.missing()
  if (missing) return { backend: driver.backend, works: false, detail: missing }
  const qemu = await stat('/usr/bin/qemu-system-x86_64').catch(() => undefined)
  const key = digestOf({
    image: context.image.id,
    host: release(),
    qemu: qemu ? `${qemu.size} ${Math.trunc(qemu.mtimeMs)}` : 'none',
    root: process.getuid?.() === 0,
  })
  const path = join(context.cacheDir, `${driver.backend}-${key.slice(0, 24)}.json`)
  const age = Date.now() - ((await stat(path).catch(() => undefined))?.mtimeMs ?? 0)
  const known = Probe.safeParse(
    await readFile(path, 'utf8')
      .then(JSON.parse)
      .catch(() => undefined),
  )
  if (known.success && (known.data.works || age < 3_600_000)) {
    // The age of a failure says when to try again.
    if (known.data.works) await noteUse(path, Date.now())
    return known.data
  }
  const probe = await probeBackend(driver, context)
  await writeAtomically(path, JSON.stringify(probe))
  return probe
}

/**
 * The first backend that boots here, or the one that was asked for.
 * @throws PytiError `vm-unavailable` with every backend's reason
 */
export async function chooseBackend(context: ProbeContext, forced?: Backend): Promise<Driver> {
  const reasons: string[] = []
  for (const driver of drivers) {
    if (forced && driver.backend !== forced) continue
    const probe = await probeBackendCached(driver, context)
    if (probe.works) return driver
    reasons.push(`${driver.backend}: ${probe.detail}`)
  }
  throw new PytiError('vm-unavailable', `no VM backend works on this machine (${reasons.join('; ')})`, {
    hint: 'run `pyti doctor` for what is missing and how to install it',
  })
}
