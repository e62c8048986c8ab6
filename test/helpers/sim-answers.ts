import type { Random } from '../../bench/sabotage/random.ts'
import { ballotOf } from '../../src/consensus/ballot.ts'
import { answerOf } from '../../src/consensus/decide.ts'
import type { JobRequest } from '../../src/coordinator/new-job.ts'
import { canonicalBytes, sha256 } from '../../src/wire/canonical.ts'
import { type Job, jobId, taskNames } from '../../src/wire/job.ts'
import type { RawData, TestOutcome } from '../../src/wire/raw-data.ts'
import { event, testRawData, testSubject, withEvents, withTask } from './raw-data.ts'

/** What the packages of the simulation are like; the name says it. */
export const natures = ['plain', 'broken', 'flaky', 'harmful'] as const
export type Nature = (typeof natures)[number]

export function simRequest(nature: Nature, number: number): JobRequest {
  const project = `${nature}-${number}`
  const filename = `${project}-1.0.tar.gz`
  const subject = testSubject({ project, filename, sha256: sha256(filename) })
  return { subject, origin: 'index', tasks: [...taskNames] }
}

const passing = {
  'tests/test_sample.py::test_add': 'passed',
  'tests/test_sample.py::test_sub': 'passed',
} as const
const natureOf = (job: Job) => natures.find(nature => job.subject.project.startsWith(nature)) ?? 'plain'
const harm = (where: string) => event('bait-left', `ssh-key base64 in POST https://${where}.test/in`)

/** What every honest volunteer finds, but for the outcome of flaky tests. */
export function truth(job: Job, outcome: TestOutcome = 'passed'): RawData {
  const nature = natureOf(job)
  const broken = nature === 'broken' ? 'failed' : nature === 'flaky' ? outcome : 'passed'
  const rawData = testRawData({ job, tests: { ...passing, 'tests/test_sample.py::test_mul': broken } })
  return nature === 'harmful' ? withEvents(rawData, 'import', harm('collector')) : rawData
}

/** The answer that a report on the job has to rest on. */
export function trueAnswer(job: Job): string {
  return answerOf(ballotOf(truth(job)))
}

/** Outcomes that may be reported as they are: flaky ones are found to be flaky, or not, by chance. */
export function isTrueOutcome(job: Job, test: string, outcome: TestOutcome): boolean {
  if (outcome === 'flaky' || (natureOf(job) === 'flaky' && test.endsWith('mul'))) return true
  return truth(job).tasks.unittest?.stable.tests[test] === outcome
}

/** Volunteers that tell the same lie name it alike. */
export interface Lie {
  kind: 'files' | 'tests' | 'harm' | 'fails'
  name: string
}

/** What a volunteer says about a job, and the blobs that it has to keep ready. */
export interface Answer {
  rawData: RawData
  blobs: Uint8Array[]
}

export function answer(volunteer: string, job: Job, random: Random, lie: Lie | undefined): Answer {
  const outcome = random.chance(0.5) ? 'passed' : 'failed'
  const log = Buffer.from(`build log of ${volunteer} for ${jobId(job)}`)
  const attachments = [{ name: 'logs/build.txt', sha256: sha256(log), size: log.length }]
  const rawData = { ...told(job, lie, outcome), attachments }
  return { rawData, blobs: [log, canonicalBytes(rawData)] }
}

/** What somebody says about a job, who lies or does not. */
export function told(job: Job, lie: Lie | undefined, outcome: TestOutcome = 'passed'): RawData {
  const found = truth(job, outcome)
  if (!lie) return found
  if (lie.kind === 'fails') return withTask(found, 'build', { status: 'failed', reason: 'exit-code' })
  if (lie.kind === 'harm') return withEvents(found, 'install', harm(sha256(lie.name).slice(0, 12)))
  if (lie.kind === 'files')
    return withTask(found, 'install', {
      files: [{ path: '{site}/x', sha256: sha256(lie.name + jobId(job)) }],
    })
  const tests = { ...found.tasks.unittest?.stable.tests, 'tests/test_sample.py::test_add': 'failed' as const }
  const broken = { status: 'failed', reason: 'tests-failed', exitCode: 1, tests } as const
  return withTask(found, 'unittest', broken)
}
