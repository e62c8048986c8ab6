import type { CloseDocument, TaskDocument } from '../../src/attest/documents.ts'
import type { Entry } from '../../src/attest/log/entry.ts'
import { ballotOf } from '../../src/consensus/ballot.ts'
import { acrossJobs, answerOf, decide } from '../../src/consensus/decide.ts'
import type { StoredJob } from '../../src/coordinator/state.ts'
import type { BlobStore, Write } from '../../src/store/store.ts'
import { canonicalJson, sha256 } from '../../src/wire/canonical.ts'
import { type Lie, told } from './sim-answers.ts'
import type { JobModel } from './sim-job-model.ts'
import type { People } from './sim-people.ts'
import { isShown } from './sim-samples.ts'

/** Jobs on bundled samples: what they were made of, what came out, and that nothing of it gets out. */
export interface SampleModel {
  /** The coordinator had one made. */
  onMade(): void
  /** Once the log and the jobs have been told of the same batch. */
  onBatch(writes: readonly Write[], leaves: readonly { index: number; entry: Entry }[]): void
  /** The end of any job. */
  onClose(close: CloseDocument, task: TaskDocument | undefined): void
  /** What is missing when everything has been quiet for long. */
  missing(): string[]
  figures(): SampleFigures
}

export interface SampleFigures {
  /** Jobs of samples. */
  samples: number
  /** Those that one more volunteer was asked to run. */
  repeated: number
  /** Those that referees were asked about, as what was agreed on was not the truth. */
  tried: number
}

export interface SampleModelOptions {
  fault(what: string): void
  jobs: Pick<JobModel, 'jobs' | 'castsOf'>
  withdrawn: ReadonlySet<string>
  blobs: BlobStore
  people: People
  /** Whether it always tells what it found. */
  isHonest(volunteer: string): boolean
  /** Looks at something between two events. */
  later(look: () => Promise<void>): void
  /** A sample goes on: a good moment for a crash. */
  onTurn(): void
}

export function createSampleModel(options: SampleModelOptions): SampleModel {
  const { fault, blobs, people } = options
  const { jobs, castsOf } = options.jobs
  const files = new Map<string, string>()
  const truths = new Map<string, string>()
  const agreed = new Set<string>()
  const seen = new Map<string, StoredJob>()
  /** Job -> the one that repeats it. */
  const repeats = new Map<string, string>()
  const trials = new Set<string>()
  const asked = new Set<string>()
  const lies = [...new Map(people.characters.flatMap(({ lie }) => (lie ? [[lie.name, lie]] : []))).values()]
  let made = 0
  let wrong = 0

  const digest = (job: StoredJob, lie?: Lie) => {
    const ballot = ballotOf(told(job.job, lie))
    return sha256(answerOf(job.known ? acrossJobs(ballot) : ballot))
  }

  const onNew = (job: StoredJob, say: (what: string) => void) => {
    const { sha256: file, size } = job.job.subject
    const { known, sample } = job
    const about = files.get(file)
    if (about !== undefined && known?.of !== about) say(`it is about the file of sample ${about}`)
    if (known?.trial) trials.add(known.of)
    else if (known) {
      if (repeats.has(known.of)) say(`job ${known.of} is repeated once more`)
      repeats.set(known.of, job.id)
    }
    if (!sample) return
    files.set(file, job.id)
    truths.set(job.id, canonicalJson(sample))
    options.later(async () => {
      if ((await blobs.size(file)) !== size) say('its file is not there')
    })
  }

  const onJob = (job: StoredJob) => {
    const say = (what: string) => fault(`sample job ${job.id.slice(0, 8)}: ${what}`)
    const { id, phase, sample, known, report, bundle } = job
    const before = seen.get(id)
    if (!before) onNew(job, say)
    seen.set(id, job)
    if (phase === 'agreed' && !sample && !known) agreed.add(id)
    const isOne = truths.has(id) || (known !== undefined && truths.has(known.of))
    if (!isOne) return
    if (before?.phase !== phase || before.repeatedBy !== job.repeatedBy) options.onTurn()
    if (truths.has(id) && canonicalJson(sample ?? {}) !== truths.get(id)) say('its truth is another one')
    if (report !== undefined || bundle !== undefined || phase === 'reported') say('it gets a report')
  }

  return {
    onMade() {
      made += 1
      if (made > agreed.size) fault(`${made} samples were made after ${agreed.size} agreed jobs`)
      options.onTurn()
    },
    onBatch(writes, leaves) {
      for (const { entry } of leaves)
        if (entry.kind === 'report' && files.has(entry.subject ?? ''))
          fault('the log has a report on a sample')
      for (const write of writes) {
        if (write.type === 'delete') continue
        const [space, id = '', ...rest] = write.key.split('/')
        if (space === 'job') onJob(write.value as StoredJob)
        if (space === 'audit') asked.add(id)
        const named = space === 'report' ? (write.value as { job: string }).job : id
        if ((space === 'report' && truths.has(named)) || (space === 'signed' && files.has(named)))
          fault(`${[space, id, ...rest].join('/')} is about a sample`)
      }
    },
    onClose(close, task) {
      const job = jobs.get(close.job)
      const say = (what: string) => fault(`end of sample job ${close.job.slice(0, 8)}: ${what}`)
      const isSample = truths.has(close.job)
      if (isSample !== (task?.sample === true)) say(`the log says ${task?.sample} of it`)
      if (close.outcome === 'sample' && !isSample) say('it is none')
      if (!job) return
      const of = isSample ? close.job : (job.known?.of ?? '')
      if (!truths.has(of)) return
      if (isSample && close.outcome !== 'sample' && close.outcome !== 'unresolved')
        say(`the log calls it ${close.outcome}`)
      const isLie = close.accepted !== undefined && close.accepted !== digest(job)
      if (isLie && people.ring < job.rules.quorum && isSample) say('a lie was accepted')
      for (const change of close.changes)
        if (change.type === 'answered' && change.result === 'refuted' && options.isHonest(change.volunteer))
          if (!isLie) say(`${change.volunteer} is refuted for nothing`)
      if (!isSample || close.outcome !== 'sample' || !job.sample || close.accepted === undefined) return
      const { sample } = job
      const lie = isLie ? lies.find(one => digest(job, one) === close.accepted) : undefined
      const decision = decide(castsOf(job), job.rules)
      const flaky = decision.kind === 'accept' ? decision.flaky : []
      const isFound = isShown(sample, job.job, lie, flaky)
      if (isFound === repeats.has(close.job))
        say(isFound ? 'it was lied about, and is repeated' : 'nobody repeats it')
      if (!isFound && jobs.get(close.job)?.repeatedBy !== repeats.get(close.job))
        say('another job repeats it')
      if (!isFound || job.draw?.referees === 0) return
      wrong += 1
      options.later(async () => {
        if (!asked.has(close.job)) say('no referee is asked')
      })
    },
    missing() {
      const untried = [...asked].filter(
        job => truths.has(job) && !trials.has(job) && !options.withdrawn.has(job),
      )
      return untried.map(job => `no referee ran sample ${job}`)
    },
    figures: () => ({
      samples: truths.size,
      repeated: [...repeats.keys()].filter(of => truths.has(of)).length,
      tried: wrong,
    }),
  }
}
