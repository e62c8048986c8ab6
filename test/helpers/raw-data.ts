import { createHash, createPrivateKey, createPublicKey, sign } from 'node:crypto'
import { peerIdFromPublicKey } from '../../src/peer-id.ts'
import { sha256 } from '../../src/wire/canonical.ts'
import { type Job, jobId, type Subject, type TaskName, taskNames } from '../../src/wire/job.ts'
import {
  type Event,
  type FileChange,
  observers,
  type RawData,
  type TaskRecords,
  type TestOutcome,
} from '../../src/wire/raw-data.ts'

/** An Ed25519 key that is the same in every run. Signs as `attest/dsse.ts` wants it. */
export interface TestIdentity {
  readonly peerId: string
  readonly publicKey: Uint8Array
  sign(message: Uint8Array): Uint8Array
}

const pkcs8Prefix = Buffer.from('302e020100300506032b657004220420', 'hex')

/** @param seed 32 bytes, or any text that is hashed to them */
export function testIdentity(seed: string | Uint8Array): TestIdentity {
  const bytes = typeof seed === 'string' ? createHash('sha256').update(seed).digest() : seed
  const privateKey = createPrivateKey({
    key: Buffer.concat([pkcs8Prefix, bytes]),
    format: 'der',
    type: 'pkcs8',
  })
  const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' })
  const publicKey = Uint8Array.from(spki.subarray(-32))
  return {
    publicKey,
    peerId: peerIdFromPublicKey(publicKey),
    sign: message => Uint8Array.from(sign(null, message, privateKey)),
  }
}

export function testSubject(change: Partial<Subject> = {}): Subject {
  return {
    project: 'sample',
    version: '1.0',
    filename: 'sample-1.0.tar.gz',
    kind: 'sdist',
    sha256: sha256('sample-1.0.tar.gz'),
    size: 17,
    ...change,
  }
}

export function testJob(change: Partial<Job> = {}): Job {
  return {
    schema: 'pyti.job/2',
    subject: testSubject(),
    origin: 'index',
    tasks: taskNames.filter(task => task !== 'clocks'),
    profile: {
      image: sha256('image'),
      python: '3.13',
      glibc: '2.41',
      backend: 'any',
      vcpus: 1,
      memoryMiB: 1_024,
      diskMiB: 2_048,
      taskSeconds: 300,
      wallSeconds: 1_800,
      network: 'dead',
      clockDays: [],
      hashSeed: 7,
    },
    indexCutoff: '2026-11-20T12:00:00Z',
    nonce: '000102030405060708090a0b0c0d0e0f',
    ...change,
  }
}

/** Of a job that asks for the task `clocks` too. */
export function clocksJob(days: number[] = [30]): Job {
  const job = testJob()
  return { ...job, tasks: [...taskNames], profile: { ...job.profile, clockDays: days } }
}

const nothingSeen = { changes: [], changesOmitted: 0, events: [], eventsOmitted: 0 }

/**
 * Raw data of a run in which every task of the job passed. `seed` varies only the volatile halves, as two honest volunteers do.
 */
export function testRawData(
  options: { job?: Job; seed?: number; tests?: Record<string, TestOutcome> } = {},
): RawData {
  const job = options.job ?? testJob()
  const seed = options.seed ?? 1
  const tests = options.tests ?? {
    'tests/test_sample.py::test_add': 'passed',
    'tests/test_sample.py::test_windows': 'skipped',
  }
  const broken = Object.values(tests).some(outcome => outcome === 'failed' || outcome === 'error')
  const volatile = { milliseconds: 1_000 + seed, log: 'logs/build.txt' }
  const { project, version } = job.subject
  const module = project.replaceAll('-', '_')
  return {
    schema: 'pyti.raw-data/3',
    job: jobId(job),
    nonce: job.nonce,
    subject: job.subject,
    intake: {
      stable: {
        archive: 'ok',
        cutoff: 'applied',
        packages: { build: [], run: [], test: [] },
        unresolved: [],
      },
      volatile: {
        index: 'http://index.test/simple/',
        resolveMilliseconds: 40 + seed,
        downloadMilliseconds: 90 + seed,
        notes: [],
      },
    },
    guest: {
      stable: { image: job.profile.image, python: `${job.profile.python}.5`, observers: [...observers] },
      volatile: {
        backend: 'uml',
        kernel: '6.12.0',
        bootMilliseconds: 700 + seed,
        totalMilliseconds: 9_000 + seed,
      },
    },
    tasks: ofTasks(job.tasks, {
      static: {
        stable: {
          status: 'passed',
          ...nothingSeen,
          ruleset: '1',
          findings: [],
          findingsOmitted: 0,
          grades: { 'metadata-description': 'passed' },
        },
        volatile,
      },
      build: {
        stable: {
          status: 'passed',
          ...nothingSeen,
          wheel: {
            filename: `${module}-${version}-py3-none-any.whl`,
            files: [{ path: `${module}/__init__.py`, sha256: sha256('init') }],
          },
        },
        volatile,
      },
      install: {
        stable: {
          status: 'passed',
          ...nothingSeen,
          files: [{ path: `{site}/${module}/__init__.py`, sha256: sha256('init') }],
          filesOmitted: 0,
          conflicts: [],
        },
        volatile,
      },
      start: { stable: { status: 'passed', ...nothingSeen }, volatile },
      import: {
        stable: {
          status: 'passed',
          ...nothingSeen,
          modules: [{ name: module, outcome: 'passed' }],
          modulesOmitted: 0,
        },
        volatile,
      },
      scripts: {
        stable: { status: 'passed', ...nothingSeen, scripts: [], scriptsOmitted: 0 },
        volatile,
      },
      unittest: {
        stable: {
          status: broken ? 'failed' : 'passed',
          ...(broken ? { reason: 'tests-failed' } : {}),
          exitCode: broken ? 1 : 0,
          ...nothingSeen,
          runner: 'pytest',
          tests,
          testsOmitted: 0,
        },
        volatile,
      },
      quality: {
        stable: {
          status: 'passed',
          ...nothingSeen,
          tools: [
            {
              tool: 'pylint',
              version: '3.3.4',
              status: 'completed',
              counts: { C0114: 2 },
              messages: [
                ['C0114', `${module}/__init__.py`, 1, 0],
                ['C0114', `${module}/extra.py`, 1, 0],
              ],
              messagesOmitted: 0,
            },
          ],
          linesOfCode: 120,
        },
        volatile,
      },
      clocks: {
        stable: {
          status: 'passed',
          ...nothingSeen,
          shifts: job.profile.clockDays.map(days => ({ days, modules: [], tests: [], events: [] })),
        },
        volatile,
      },
      idle: { stable: { status: 'passed', ...nothingSeen }, volatile },
      uninstall: { stable: { status: 'passed', ...nothingSeen, left: [] }, volatile },
    }),
    attachments: [{ name: 'logs/build.txt', sha256: sha256(`log ${seed}`), size: 10 }],
  }
}

function ofTasks(tasks: readonly TaskName[], records: Required<TaskRecords>): TaskRecords {
  return Object.fromEntries(tasks.map(task => [task, records[task]]))
}

/** A copy of the raw data with one task's stable half changed. */
export function withTask<T extends keyof RawData['tasks']>(
  rawData: RawData,
  task: T,
  change: Partial<NonNullable<RawData['tasks'][T]>['stable']>,
): RawData {
  const entry = rawData.tasks[task]
  if (entry === undefined) throw new Error(`raw data has no ${task}`)
  const changed = { ...entry, stable: { ...entry.stable, ...change } }
  return { ...rawData, tasks: { ...rawData.tasks, [task]: changed } }
}

export function fileChange(path: string, change: Partial<FileChange> = {}): FileChange {
  return { path, kind: 'added', type: 'file', sha256: sha256(path), ...change }
}

export function event(kind: Event['kind'], what: string, change: Partial<Event> = {}): Event {
  return { kind, what, times: 'once', ...change }
}

/** A copy of the raw data in which the task did something more. */
export function withEvents(rawData: RawData, task: TaskName, ...events: Event[]): RawData {
  const before = rawData.tasks[task]?.stable.events ?? []
  return withTask(rawData, task, { events: [...before, ...events] })
}
