import { encodeBundle } from '../../src/attest/bundle.ts'
import { attestationId, type Signer, sign, statementType } from '../../src/attest/dsse.ts'
import { type RawDataStatement, rawDataStatement } from '../../src/attest/raw-statement.ts'
import { type ReportStatement, reportStatement } from '../../src/attest/report-statement.ts'
import { ballotOf } from '../../src/consensus/ballot.ts'
import { decide, defaultRules, type Rules } from '../../src/consensus/decide.ts'
import { evaluate } from '../../src/report/evaluate.ts'
import { canonicalBytes, sha256 } from '../../src/wire/canonical.ts'
import type { Envelope } from '../../src/wire/commands.ts'
import type { Job } from '../../src/wire/job.ts'
import type { RawData } from '../../src/wire/raw-data.ts'
import { type TestIdentity, testIdentity, testJob } from './raw-data.ts'

export const coordinator = testIdentity('coordinator')

export interface TestVote {
  identity: TestIdentity
  rawData: RawData
  /** Changes what the volunteer signs. */
  statement?: (statement: RawDataStatement) => RawDataStatement
}

export interface SignedVote {
  volunteer: string
  attestation: string
  envelope: Envelope
  blob: Uint8Array
  rawData: RawData
}

export async function signVote({
  identity,
  rawData,
  statement = same => same,
}: TestVote): Promise<SignedVote> {
  const said = rawDataStatement({
    volunteer: identity.peerId,
    rawData,
    round: 0,
    startedOn: '2026-11-20T12:01:00Z',
    finishedOn: '2026-11-20T12:02:00Z',
    salt: sha256(identity.peerId).slice(0, 32),
  })
  const envelope = await signAs(identity, statement(said))
  const blob = canonicalBytes(rawData)
  return { volunteer: identity.peerId, attestation: attestationId(envelope), envelope, blob, rawData }
}

/** The report an honest coordinator makes of these votes. */
export function honestReport(
  votes: SignedVote[],
  job: Job = testJob(),
  rules: Rules = defaultRules,
): ReportStatement {
  const decision = decide(
    votes.map(({ volunteer, rawData }) => ({ volunteer, ballot: ballotOf(rawData) })),
    rules,
  )
  if (decision.kind !== 'accept') throw new Error(`the votes are not accepted: ${JSON.stringify(decision)}`)
  const agreeing = votes.filter(vote => decision.agreeing.includes(vote.volunteer))
  return reportStatement({
    reportKey: coordinator.peerId,
    software: 'pyti 0.1.0',
    timeVerified: '2026-11-20T12:03:00Z',
    job,
    agreeing,
    dissenting: votes.filter(vote => !agreeing.includes(vote)),
    flaky: decision.flaky,
    evaluation: evaluate({ rawData: agreeing.map(vote => vote.rawData), flaky: decision.flaky }),
    rules,
  })
}

export async function bundleOf(
  votes: SignedVote[],
  report: ReportStatement,
  signer: Signer = coordinator,
): Promise<Uint8Array> {
  return encodeBundle({
    report: await signAs(signer, report),
    rawData: votes.map(vote => vote.envelope),
    blobs: votes.map(vote => vote.blob),
  })
}

export function signAs(signer: Signer, statement: unknown): Promise<Envelope> {
  return sign(statementType, canonicalBytes(statement), signer)
}
