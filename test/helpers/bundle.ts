import { encodeBundle } from '../../src/attest/bundle.ts'
import { attestationId, type Signer, sign, statementType } from '../../src/attest/dsse.ts'
import { formatCheckpoint } from '../../src/attest/log/checkpoint.ts'
import { type Entry, formatEntry } from '../../src/attest/log/entry.ts'
import { createTree, inclusionProof, leafHash } from '../../src/attest/log/merkle.ts'
import { formatVkey, type NoteSigner, signNote } from '../../src/attest/log/note.ts'
import { formatProof } from '../../src/attest/log/proof-file.ts'
import { minorityOf } from '../../src/attest/minority.ts'
import { type RawDataStatement, rawDataStatement } from '../../src/attest/raw-statement.ts'
import { type ReportStatement, reportStatement } from '../../src/attest/report-statement.ts'
import { ballotOf } from '../../src/consensus/ballot.ts'
import { openRules } from '../../src/consensus/classes.ts'
import { leastWeight } from '../../src/consensus/credibility.ts'
import { decide, type Role, type Rules } from '../../src/consensus/decide.ts'
import { evaluate } from '../../src/report/evaluate.ts'
import { canonicalBytes, sha256 } from '../../src/wire/canonical.ts'
import type { Envelope } from '../../src/wire/envelope.ts'
import type { Job } from '../../src/wire/job.ts'
import type { RawData } from '../../src/wire/raw-data.ts'
import { type TestIdentity, testIdentity, testJob } from './raw-data.ts'

export const coordinator = testIdentity('coordinator')
const { publicKey, sign: signBytes } = testIdentity('log')
export const testLog: NoteSigner = { name: 'pyti.example/log/test', publicKey, sign: signBytes }
export const testLogKey = formatVkey(testLog.name, 1, publicKey)
/** Leaves of the test log before the first raw data: something else, and the job's task. */
const taskIndex = 1

export interface TestVote {
  identity: TestIdentity
  rawData: RawData
  role?: Role
  /** Changes what the volunteer signs. */
  statement?: (statement: RawDataStatement) => RawDataStatement
}

export interface SignedVote {
  volunteer: string
  attestation: string
  envelope: Envelope
  blob: Uint8Array
  rawData: RawData
  role: Role
}

export async function signVote({
  identity,
  rawData,
  role = 'seat',
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
  const attestation = attestationId(envelope)
  return { volunteer: identity.peerId, attestation, envelope, blob, rawData, role }
}

/** The report an honest coordinator makes of these votes. */
export function honestReport(
  votes: SignedVote[],
  job: Job = testJob(),
  rules: Rules = openRules,
): ReportStatement {
  const voices = votes.map((vote, at) => ({
    ...vote,
    operator: vote.volunteer,
    weight: leastWeight,
    logIndex: taskIndex + 1 + at,
  }))
  const decision = decide(
    voices.map(one => ({ ...one, cluster: one.operator, ballot: ballotOf(one.rawData) })),
    rules,
  )
  if (decision.kind !== 'accept' && decision.kind !== 'flaky')
    throw new Error(`the votes are not accepted: ${JSON.stringify(decision)}`)
  const unrepeated = decision.kind === 'flaky' ? decision.sections : []
  const agreeing = voices.filter(vote => decision.agreeing.includes(vote.volunteer))
  const excluded = voices.filter(vote => !agreeing.includes(vote))
  return reportStatement({
    reportKey: coordinator.peerId,
    software: 'pyti 0.1.0',
    timeVerified: '2026-11-20T12:03:00Z',
    job,
    agreeing,
    excluded,
    rawLog: { key: testLogKey, fromIndex: taskIndex, toIndex: taskIndex + 1 + votes.length },
    sequence: 1,
    minority: minorityOf(excluded),
    flaky: decision.flaky,
    unrepeated,
    evaluation: evaluate({
      rawData: agreeing.map(vote => vote.rawData),
      flaky: decision.flaky,
      unrepeated,
    }),
    rules,
  })
}

export async function bundleOf(
  votes: SignedVote[],
  statement: ReportStatement,
  signer: Signer = coordinator,
): Promise<Uint8Array> {
  const report = await signAs(signer, statement)
  return encodeBundle({
    report,
    rawData: votes.map(vote => vote.envelope),
    blobs: votes.map(vote => vote.blob),
    proofs: await proofsOf(votes, report, statement),
  })
}

/** A log of these votes and the report, and what it says of each of them. */
export async function proofsOf(
  votes: readonly SignedVote[],
  report: Envelope,
  { predicate }: ReportStatement,
): Promise<string[]> {
  const about = { subject: predicate.job.definition.subject.sha256, purl: predicate.resourceUri }
  const entries: Entry[] = [
    { kind: 'policy', id: sha256('policy') },
    { kind: 'task', id: sha256('task') },
    ...votes.map(vote => ({ kind: 'raw' as const, id: vote.attestation, ...about })),
    { kind: 'report', id: attestationId(report), ...about },
  ]
  const tree = createTree()
  for (const entry of entries) tree.append(leafHash(formatEntry(entry)))
  const head = { origin: testLog.name, size: tree.size, root: tree.root() }
  const checkpoint = await signNote(formatCheckpoint(head), testLog)
  const proofs: string[] = []
  for (let index = taskIndex + 1; index < entries.length; index += 1) {
    const proof = await inclusionProof(index, tree.size, (level, at) => tree.read(level, at))
    proofs.push(formatProof({ index, proof, checkpoint }))
  }
  return proofs
}

export function signAs(signer: Signer, statement: unknown): Promise<Envelope> {
  return sign(statementType, canonicalBytes(statement), signer)
}
