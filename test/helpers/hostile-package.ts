import assert from 'node:assert/strict'
import { stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { recordLine } from '../../src/pypi/make-distribution.ts'
import { storedEntry, writeZip } from '../../src/pypi/zip-writer.ts'
import { writeJob } from '../../src/sandbox/job-disk.ts'
import type { Exit, Vm } from '../../src/sandbox/vm.ts'
import type { GuestPlan } from '../../src/wire/guest.ts'
import type { TaskName } from '../../src/wire/job.ts'
import { GuestRecord, type TaskRecords } from '../../src/wire/raw-data.ts'
import type { Arena } from './hostile-backends.ts'
import type { Trail } from './hostile-traces.ts'
import { withDirectory } from './temporary.ts'

export interface HostileFile {
  filename: string
  bytes: Uint8Array
}

/** A wheel of these files, `bomb.py` and such. */
export function wheelOf(name: string, files: Record<string, string>): HostileFile {
  const info = `${name}-1.0.dist-info`
  const members = Object.entries({
    ...files,
    [`${info}/METADATA`]: `Metadata-Version: 2.2\nName: ${name}\nVersion: 1.0\n`,
    [`${info}/WHEEL`]: 'Wheel-Version: 1.0\nGenerator: pyti 1\nRoot-Is-Purelib: true\nTag: py3-none-any\n',
  }).map(([path, text]) => [path, Buffer.from(text)] as const)
  const record = [...members.map(([path, data]) => recordLine(path, data)), `${info}/RECORD,,\n`].join('')
  const bytes = writeZip(
    [...members, [`${info}/RECORD`, Buffer.from(record)] as const].map(([path, data]) =>
      storedEntry(path, data),
    ),
  )
  return { filename: `${name}-1.0-py3-none-any.whl`, bytes }
}

export interface PackageRun {
  tasks: TaskRecords
  logs: Map<string, string>
  /** How the VM ended that was left alone after its BYE. */
  exit: Exit
}

export const memoryMiB = 192
export const outputBytes = 2 * 1024 * 1024

/** Gives one distribution of project `evil` to the product's own agent in a fresh VM. */
export async function runPackage(
  arena: Arena,
  file: HostileFile,
  options: {
    tasks: TaskName[]
    taskSeconds?: number
    wallSeconds?: number
    onWorking?: (trail: Trail) => void
  },
): Promise<PackageRun> {
  const { filename, bytes } = file
  const { taskSeconds = 20, wallSeconds = 120 } = options
  const plan: GuestPlan = {
    schema: 'pyti.plan/2',
    subject: {
      project: 'evil',
      version: '1.0',
      filename,
      kind: filename.endsWith('.whl') ? 'wheel' : 'sdist',
    },
    tasks: options.tasks,
    packages: { build: [], run: [], test: [] },
    incomplete: [],
    limits: {
      taskSeconds: arena.backend === 'tcg' ? taskSeconds * 4 : taskSeconds,
      memoryMiB,
      processes: 64,
      logBytes: 256 * 1024,
      outputBytes,
    },
    hashSeed: 0,
    network: 'dead',
    clockDays: [],
    seed: '0'.repeat(32),
  }
  return withDirectory(async folder => {
    const path = join(folder, filename)
    await writeFile(path, bytes)
    const vm = await arena.start('honest')
    const { ready, trail } = vm
    try {
      const written = await writeJob(ready.jobDisk, plan, [{ filename, path, size: (await stat(path)).size }])
      const items = await ready.session.run(written, {
        wallMs: wallSeconds * 1000 * arena.slowness,
        clockMs: Date.now(),
        outputDisk: ready.outputDisk,
        onEvent: event => {
          if (event.task === 'setup' && event.state === 'end') options.onWorking?.(trail)
        },
      })
      const exit = await ownEnd(ready.vm)
      const record = GuestRecord.parse(JSON.parse(items.get('guest.json')?.toString() ?? ''))
      const logs = new Map([...items].map(([name, data]) => [name, data.toString('utf8')]))
      return { tasks: record.tasks, logs, exit }
    } finally {
      await vm.end()
    }
  })
}

/**
 * The guest powered off by itself. User-mode Linux was seen to abort while its process ends after that (1 of 200, on a busy
 * machine): everything had been handed over by then.
 */
export function assertPoweredOff(exit: Exit): void {
  const aborted = exit.kind === 'abnormal' && exit.detail.endsWith('reboot: Power down')
  assert.ok(exit.kind === 'clean' || aborted, JSON.stringify(exit))
}

/** A guest powers off by itself after its BYE. */
async function ownEnd(vm: Vm): Promise<Exit> {
  const timer = setTimeout(() => void vm.kill(), 20_000)
  try {
    return await vm.exited
  } finally {
    clearTimeout(timer)
  }
}
