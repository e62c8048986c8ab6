import { decodeBundle } from '../../src/attest/bundle.ts'
import { rawDataDigest, rawDataOf, readTestimonies } from '../../src/attest/testimony.ts'
import { verifyBundle } from '../../src/attest/verify.ts'
import { ballotOf } from '../../src/consensus/ballot.ts'
import { answerOf, decide } from '../../src/consensus/decide.ts'
import type { StoredJob } from '../../src/coordinator/state.ts'
import { isTrueOutcome, trueAnswer } from './sim-answers.ts'

export interface ReportModelOptions {
  fault(what: string): void
  reportKey: string
  logKey: string
  witnesses: readonly string[]
  /** So many of them must have signed. */
  threshold: number
  /** Most distinct operators that tell one and the same lie. */
  ring: number
}

/** Reads a published bundle as a stranger would who knows what the file is really like. */
export async function checkReport(
  job: StoredJob,
  bytes: Uint8Array,
  { fault, reportKey, logKey, witnesses, threshold, ring }: ReportModelOptions,
): Promise<void> {
  const say = (what: string) =>
    fault(`report of job ${job.id.slice(0, 8)} (${job.job.subject.project}): ${what}`)
  const { quorum } = job.rules
  const { checks, report } = await verifyBundle(bytes, {
    logKey,
    witnesses,
    minimumWitnesses: threshold,
    trustedKeys: [reportKey],
    minimumVolunteers: quorum,
  })
  for (const check of checks) if (check.state === 'failed') say(`${check.name}: ${check.detail}`)
  if (!report) return say('there is none')
  const bundle = decodeBundle(bytes)
  const testimonies = await readTestimonies(bundle.rawData)
  const agreeing = new Set(report.predicate.inputAttestations.map(one => one.digest.sha256))
  const casts = testimonies.map(testimony => {
    const blob = bundle.blobs.get(rawDataDigest(testimony)) ?? new Uint8Array()
    return { ...testimony, ballot: ballotOf(rawDataOf(testimony, blob, job.job)) }
  })
  const winners = casts.filter(({ attestation }) => agreeing.has(attestation))
  if (ring >= quorum) return
  for (const { volunteer, ballot } of winners)
    if (answerOf(ballot) !== trueAnswer(job.job)) say(`it rests on the lie of ${volunteer}`)
  const [first] = winners
  if (!first) return say('nobody agrees')
  const decision = decide(
    winners.map(({ volunteer, ballot }) => {
      const seat = job.seats.find(one => one.volunteer === volunteer)
      return { volunteer, ballot, role: 'seat', cluster: volunteer, weight: seat?.weight ?? 0 }
    }),
    { ...job.rules, odds: 0, seats: 1, quorum: 1, maxSeats: 1, spotReferees: 0 },
  )
  if (decision.kind !== 'accept') return
  const dissents = new Map(decision.testDissents.map(({ test, accepted }) => [test, accepted]))
  for (const [test, outcome] of Object.entries(first.ballot.tests)) {
    const accepted = decision.flaky.includes(test) ? 'flaky' : (dissents.get(test) ?? outcome)
    if (!isTrueOutcome(job.job, test, accepted)) say(`${test} is said to be ${accepted}`)
  }
}
