import type { RosterDocument } from '../../src/attest/documents.ts'
import type { Ballot } from '../../src/consensus/ballot.ts'
import { answerOf, type Cast, decide } from '../../src/consensus/decide.ts'
import { seedOf } from '../../src/consensus/draw.ts'
import {
  isFinished,
  type StoredJob,
  type SubmittedSeat,
  submittedSeats,
} from '../../src/coordinator/state.ts'
import type { Write } from '../../src/store/store.ts'
import { sha256 } from '../../src/wire/canonical.ts'

/** All jobs as the store has them, judged at every change by rules of its own. */
export interface JobModel {
  readonly jobs: ReadonlyMap<string, StoredJob>
  /** What its volunteers say. */
  castsOf(job: StoredJob): Cast[]
  onBatch(writes: readonly Write[]): void
}

export interface JobModelOptions {
  fault(what: string): void
  /** Of the job's log: whether a leaf with this id is there. */
  isLogged(id: string): boolean
  rosterAt(index: number): RosterDocument | undefined
  /** What each volunteer said of itself. */
  cpuOf(volunteer: string): string | undefined
  slotsOf(volunteer: string): number
  isBanned(volunteer: string): boolean
  maxAttempts: number
  fileComplaints: number
}

export function createJobModel(options: JobModelOptions): JobModel {
  const jobs = new Map<string, StoredJob>()
  const ballots = new Map<string, Ballot>()
  const unfinished = new Map<string, string>()

  const castsOf = (job: StoredJob): Cast[] =>
    submittedSeats(job).flatMap(({ volunteer, lease, role, operator, weight }) => {
      const ballot = ballots.get(lease)
      return ballot ? [{ volunteer, ballot, role, cluster: operator, weight }] : []
    })

  const onJob = (job: StoredJob) => {
    const fault = (what: string) => options.fault(`job ${job.id.slice(0, 8)}: ${what}`)
    const before = jobs.get(job.id)
    jobs.set(job.id, job)
    if (before) checkStep(before, job, fault)
    const counted = submittedSeats(job)
    checkCounted(job, counted, options, fault)
    const casts = castsOf(job)
    if (casts.length < counted.length) fault('a counted answer has no ballot')
    if (job.phase === before?.phase && job.report === before.report) return
    if (job.phase !== 'unresolved' && (job.phase === 'agreed' || isFinished(job)))
      checkAccepted(job, casts, fault)
    if (job.phase === 'unresolved') checkEnded(job, casts, options, fault)
    if (job.phase === 'reported' && (job.report === undefined || job.bundle === undefined))
      fault('it is reported without a report')
  }

  const checkLive = () => {
    const live = new Map<string, number>()
    for (const job of jobs.values())
      for (const seat of job.seats)
        if (seat.state === 'leased') live.set(seat.volunteer, (live.get(seat.volunteer) ?? 0) + 1)
    for (const [volunteer, count] of live)
      if (count > options.slotsOf(volunteer)) options.fault(`${volunteer} holds ${count} leases`)
  }

  return {
    jobs,
    castsOf,
    onBatch(writes) {
      const changed: StoredJob[] = []
      for (const write of writes) {
        const [space, name = '', rest = ''] = write.key.split('/')
        if (space === 'ballot' && write.type === 'put') ballots.set(rest, write.value as Ballot)
        if (space === 'unfinished')
          write.type === 'put' ? unfinished.set(rest, name) : unfinished.delete(rest)
        if (space !== 'job') continue
        if (write.type === 'delete') options.fault(`job ${name} is deleted`)
        else changed.push(write.value as StoredJob)
      }
      for (const job of changed) onJob(job)
      for (const job of changed)
        if (unfinished.has(job.id) === isFinished(jobs.get(job.id) ?? job))
          options.fault(`job ${job.id.slice(0, 8)}: it is ${job.phase}, and listed as the other`)
      if (changed.length > 0) checkLive()
    },
  }
}

type Fault = (what: string) => void

function checkStep(before: StoredJob, job: StoredJob, fault: Fault): void {
  if (isFinished(before)) fault(`it changes after its end`)
  if (before.phase === 'agreed' && !['agreed', 'reported', 'checked'].includes(job.phase))
    fault('an agreement is undone')
  if (before.report !== undefined && before.report !== job.report) fault('another report is signed')
  if (before.known && job.rules.jobClass !== before.rules.jobClass)
    fault('the class of a job changes whose answer is known')
  if (job.seats.length < before.seats.length) fault('a seat is gone')
  for (const [at, seat] of before.seats.entries()) {
    const now = job.seats[at]
    if (now?.lease !== seat.lease || now.volunteer !== seat.volunteer) fault('a seat has another owner')
    if (seat.state === 'submitted' && JSON.stringify(now) !== JSON.stringify(seat))
      fault('an answer is changed')
  }
}

function checkCounted(
  job: StoredJob,
  counted: SubmittedSeat[],
  { isLogged, rosterAt, cpuOf }: JobModelOptions,
  fault: Fault,
): void {
  const distinct = (what: string, of: (seat: SubmittedSeat) => string | undefined) => {
    if (new Set(counted.map(of)).size < counted.length) fault(`two counted answers have one ${what}`)
  }
  distinct('volunteer', seat => seat.volunteer)
  distinct('operator', seat => seat.operator)
  distinct('attestation', seat => seat.submission.attestation)
  if (new Set(counted.map(seat => cpuOf(seat.volunteer))).size > 1)
    fault('answers of two platforms are counted')
  for (const { submission } of counted)
    if (!isLogged(submission.attestation)) fault('an answer is counted that is not in the log')
  if (job.rules.jobClass === 'open') return
  if (!job.draw && job.seats.length > 0) fault('seats are taken before the draw')
  const members = job.draw && rosterAt(job.draw.roster)?.members
  const tags = new Set<string>()
  for (const { volunteer, role, weight } of counted) {
    const member = members?.find(one => one.volunteer === volunteer)
    if (!member || member.weight !== weight) fault(`${volunteer} is not in the roster as it sits`)
    else if (member.referee !== (role === 'referee' || job.known?.trial === true))
      fault(`${volunteer} is no ${role}`)
    else if (!job.known && role !== 'referee' && member.established === (role === 'shadow'))
      fault(`${volunteer} is no ${role}`)
    for (const tag of member?.tags ?? []) {
      if (tags.has(tag)) fault(`two counted answers share ${tag}`)
      tags.add(tag)
    }
  }
}

/** Again, without `decide`: what may be accepted. */
function checkAccepted({ rules }: StoredJob, casts: Cast[], fault: Fault): void {
  const { kind } = decide(casts, rules)
  if (kind !== 'accept' && kind !== 'flaky')
    fault(`it is agreed, but that does not follow: ${describe(casts, rules)}`)
  const voices = casts.filter(cast => cast.role !== 'shadow')
  const seats = voices.filter(cast => cast.role === 'seat')
  const groups = new Set(voices.map(cast => answerOf(cast.ballot)))
  if (seats.length < rules.seats || new Set(seats.map(cast => cast.cluster)).size < rules.quorum)
    fault('it is agreed without its quorum')
  if (groups.size === 1) {
    const odds = seats.reduce((product, { weight }) => product * (weight / 1_000), 1)
    if (odds < rules.odds) fault(`it is agreed with odds of ${odds}`)
    return
  }
  const role = rules.referees > 0 ? 'referee' : 'panel'
  const jurors = voices.filter(cast => cast.role === role)
  if (jurors.length < (rules.referees > 0 ? rules.referees : rules.panel))
    fault('a dissent was not looked into')
  const answers = new Set(jurors.map(cast => answerOf(cast.ballot)))
  if (kind === 'accept' && answers.size > 1) fault(`the ${role}s are not of one mind`)
  if (kind !== 'flaky') return
  const least = role === 'panel' ? 2 : 1
  const borneOut = [
    ...Map.groupBy(role === 'panel' ? voices : jurors, cast => answerOf(cast.ballot)).values(),
  ].filter(group => new Set(group.map(cast => cast.cluster)).size >= least)
  if (borneOut.length < 2) fault('it is said not to repeat, and nothing bears that out')
}

function checkEnded(job: StoredJob, casts: Cast[], options: JobModelOptions, fault: Fault): void {
  const { maxAttempts, fileComplaints } = options
  if (!job.reason) fault('it ended without a reason')
  if (job.seats.some(seat => seat.state === 'leased')) fault('it ended with leases')
  const decision = decide(casts, job.rules).kind
  const complaints = job.seats.filter(
    seat => seat.state === 'released' && (seat.end === 'hash-mismatch' || seat.end === 'file-missing'),
  )
  if (decision === 'unresolved') return
  if (job.reason?.startsWith('the roster has nobody left') && !couldSit(job, options)) return
  if (job.seats.length >= maxAttempts || complaints.length >= fileComplaints) return
  fault(`it was given up while it could go on (${decision})`)
}

/** Whether anybody on the roster of the draw could take one more seat. */
function couldSit(job: StoredJob, { rosterAt, isBanned }: JobModelOptions): boolean {
  const { draw, wantedRole, known } = job
  const members = draw ? (rosterAt(draw.roster)?.members ?? []) : []
  const sitting = new Set(submittedSeats(job).map(seat => seat.volunteer))
  const tags = new Set(members.filter(one => sitting.has(one.volunteer)).flatMap(one => one.tags))
  return members.some(({ volunteer, referee, established, operator, cpu, tags: own }) => {
    if (known?.trial || wantedRole === 'referee' ? !referee : referee) return false
    if (known ? known.without.includes(operator) : !established && !referee) return false
    if (isBanned(volunteer) || sitting.has(volunteer) || own.some(tag => tags.has(tag))) return false
    return draw?.platform.endsWith(cpu) && job.seats.filter(seat => seat.volunteer === volunteer).length < 3
  })
}

/** Whether seats were drawn from what the log says: the seed, and leaves that were there before. */
export function checkDraw(job: StoredJob, beacon: string, fault: Fault): void {
  if (job.draw && job.draw.seed !== seedOf(beacon, job.id))
    fault(`the seed of job ${job.id} is not that of its beacon`)
}

function describe(casts: readonly Cast[], rules: StoredJob['rules']): string {
  const told = casts.map(({ volunteer, role, ballot }) => {
    const tests = Object.values(ballot.tests).join()
    return `${role} ${volunteer.slice(-4)} ${sha256(answerOf(ballot)).slice(0, 4)} ${tests}`
  })
  return `${told.join('; ')}: ${JSON.stringify(decide(casts, rules))} by ${JSON.stringify(rules)}`
}
