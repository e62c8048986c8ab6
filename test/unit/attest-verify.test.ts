import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeBundle, encodeBundle } from '../../src/attest/bundle.ts'
import { checkNames } from '../../src/attest/checks.ts'
import { policyOf } from '../../src/attest/policy.ts'
import { purlOf, type ReportStatement } from '../../src/attest/report-statement.ts'
import { type VerifyOptions, verifyBundle } from '../../src/attest/verify.ts'
import { evaluate } from '../../src/report/evaluate.ts'
import { canonicalBytes } from '../../src/wire/canonical.ts'
import { jobId } from '../../src/wire/job.ts'
import { bundleOf, coordinator, honestReport, signAs, signVote } from '../helpers/bundle.ts'
import { testIdentity, testJob, testRawData, testSubject, withTask } from '../helpers/raw-data.ts'

const job = testJob()
const people = Array.from({ length: 7 }, (_, index) => testIdentity(`volunteer ${index}`))
const votes = await Promise.all(
  people.slice(0, 3).map((identity, seed) => signVote({ identity, rawData: testRawData({ job, seed }) })),
)
const honest = honestReport(votes)
const good = await bundleOf(votes, honest)
const trusted: VerifyOptions = { trustedKeys: [coordinator.peerId] }

function failures(bytes: Uint8Array, options: VerifyOptions = trusted): string[] {
  const { ok, checks } = verifyBundle(bytes, options)
  const failed = checks.filter(check => check.state === 'failed').map(check => check.name)
  assert.deepEqual(
    checks.map(check => check.name),
    [...checkNames],
  )
  assert.equal(ok, failed.length === 0)
  return failed
}

/** A report altered by someone who holds the report key. */
async function altered(change: (report: ReportStatement['predicate']) => ReportStatement['predicate']) {
  return bundleOf(votes, { ...honest, predicate: change(honest.predicate) })
}

test('a good bundle passes every check', () => {
  const { sha256, size } = job.subject
  const result = verifyBundle(good, { ...trusted, distribution: { sha256, size } })
  assert.deepEqual(
    result.checks.filter(check => check.state !== 'ok'),
    [],
  )
  assert.equal(result.ok, true)
  assert.equal(result.evaluation?.verdict, 'clean')
  assert.equal(result.reportKey, coordinator.peerId)
  assert.deepEqual(
    result.volunteers.map(one => one.agreeing),
    [true, true, true],
  )
})

test('what nothing was given for is unknown, in plain sight', () => {
  const { ok, checks } = verifyBundle(good)
  assert.equal(ok, true)
  assert.deepEqual(
    checks.filter(check => check.state === 'unknown').map(check => check.name),
    ['coordinator-key', 'distribution'],
  )
})

test('the order of the lines means nothing', () => {
  const lines = Buffer.from(good).toString().trimEnd().split('\n')
  assert.equal(lines.length, 7)
  const turned = Buffer.from(`${lines.reverse().join('\n')}\n`)
  assert.deepEqual(failures(turned), [])
  const { report, rawData, blobs } = decodeBundle(turned)
  assert.deepEqual(encodeBundle({ report, rawData, blobs: [...blobs.values()] }), good)
})

const wrongTest = { a: 'failed' } as const
const dissenter = withTask(testRawData({ job, seed: 9 }), 'build', { status: 'failed', reason: 'exit-code' })
const withDissent = await Promise.all(
  people
    .slice(0, 6)
    .map((identity, seed) =>
      signVote({ identity, rawData: seed === 5 ? dissenter : testRawData({ job, seed }) }),
    ),
)

test('a dissent is part of the bundle', async () => {
  const result = verifyBundle(await bundleOf(withDissent, honestReport(withDissent)), trusted)
  assert.equal(result.ok, true)
  assert.equal(result.volunteers.filter(one => !one.agreeing).length, 1)
})

test('a report that leaves out a dissenting attestation it has received', async () => {
  const without = honestReport(withDissent.slice(0, 5))
  assert.deepEqual(failures(await bundleOf(withDissent, without)), ['raw-data-complete'])
})

test('a bundle that leaves out the dissent the report names', async () => {
  const report = honestReport(withDissent)
  assert.deepEqual(failures(await bundleOf(withDissent.slice(0, 5), report)), ['raw-data-complete'])
})

test('a report that counts a dissent as agreement', async () => {
  const report = honestReport(withDissent)
  const { inputAttestations, excluded } = report.predicate
  const moved = [
    ...inputAttestations,
    ...excluded.map(({ id, volunteer }) => ({ digest: { sha256: id }, annotations: { volunteer } })),
  ]
  moved.sort((a, b) => (a.digest.sha256 < b.digest.sha256 ? -1 : 1))
  const predicate = { ...report.predicate, inputAttestations: moved, excluded: [] }
  assert.deepEqual(failures(await bundleOf(withDissent, { ...report, predicate })), ['agreement'])
})

test('agreement that is too small for its dissent', async () => {
  const four = [...withDissent.slice(0, 3), ...withDissent.slice(5)]
  const report = honestReport(four.slice(0, 3))
  const excluded = four
    .slice(3)
    .map(({ attestation, volunteer }) => ({ id: attestation, volunteer, reason: 'dissent' as const }))
  const bytes = await bundleOf(four, { ...report, predicate: { ...report.predicate, excluded } })
  assert.deepEqual(failures(bytes), ['agreement'])
})

test('an evaluation that does not follow from the raw data', async () => {
  const evaluation = { ...honest.predicate.evaluation, verdict: 'suspicious' as const }
  assert.deepEqual(failures(await altered(predicate => ({ ...predicate, evaluation }))), ['evaluation'])
})

test('an evaluation of other raw data', async () => {
  const evaluation = evaluate({ rawData: [testRawData({ job, tests: wrongTest })], flaky: [] })
  assert.deepEqual(failures(await altered(predicate => ({ ...predicate, evaluation }))), ['evaluation'])
})

test('a verification result that does not follow from the evaluation', async () => {
  const bytes = await altered(predicate => ({ ...predicate, verificationResult: 'FAILED' as const }))
  assert.deepEqual(failures(bytes), ['evaluation'])
})

test('a report made by other rules', async () => {
  const policy = { ...policyOf(), digest: { sha256: '0'.repeat(64) } }
  assert.deepEqual(failures(await altered(predicate => ({ ...predicate, policy }))), ['evaluation'])
})

test('a test called flaky that nobody saw flicker', async () => {
  const [name = ''] = Object.keys(votes[0]?.rawData.tasks.unittest?.stable.tests ?? {})
  assert.deepEqual(failures(await altered(predicate => ({ ...predicate, flaky: [name] }))), ['agreement'])
})

test('an altered evaluation, signed by a key of the forger under its own name', async () => {
  const forger = testIdentity('forger')
  const verifier = { ...honest.predicate.verifier, id: `urn:pyti:coordinator:${forger.peerId}` }
  const evaluation = { ...honest.predicate.evaluation, verdict: 'suspicious' as const }
  const report = { ...honest, predicate: { ...honest.predicate, verifier, evaluation } }
  assert.deepEqual(failures(await bundleOf(votes, report, forger)), ['coordinator-key', 'evaluation'])
  assert.deepEqual(failures(await bundleOf(votes, report, forger), {}), ['evaluation'])
})

test('a report signed by another key than it names', async () => {
  assert.deepEqual(failures(await bundleOf(votes, honest, testIdentity('forger'))), ['report-signature'])
})

test('raw data signed by another key than the volunteer it names', async () => {
  const [first, ...rest] = votes
  assert(first)
  const statement = JSON.parse(Buffer.from(first.envelope.payload, 'base64').toString())
  const envelope = await signAs(testIdentity('forger'), statement)
  assert.deepEqual(failures(await bundleOf([{ ...first, envelope }, ...rest], honest)), [
    'raw-data-signatures',
  ])
})

test('swapped volunteers in the report', async () => {
  const bytes = await altered(predicate => {
    const names = predicate.inputAttestations.map(input => input.annotations).reverse()
    const inputAttestations = predicate.inputAttestations.map((input, index) => ({
      ...input,
      annotations: names[index] ?? input.annotations,
    }))
    return { ...predicate, inputAttestations }
  })
  assert.deepEqual(failures(bytes), ['raw-data-complete'])
})

test('one volunteer with three envelopes is one volunteer', async () => {
  const [only] = people
  assert(only)
  const thrice = await Promise.all(
    [1, 2, 3].map(seed => signVote({ identity: only, rawData: testRawData({ job, seed }) })),
  )
  const inputAttestations = thrice
    .map(({ attestation, volunteer }) => ({ digest: { sha256: attestation }, annotations: { volunteer } }))
    .sort((a, b) => (a.digest.sha256 < b.digest.sha256 ? -1 : 1))
  const report = { ...honest, predicate: { ...honest.predicate, inputAttestations } }
  assert.deepEqual(failures(await bundleOf(thrice, report)), ['distinct-volunteers', 'agreement'])
})

test('the threshold is the reader\u2019s', async () => {
  assert.deepEqual(failures(good, { ...trusted, minimumVolunteers: 4 }), ['distinct-volunteers'])
  const two = votes.slice(0, 2)
  const small = await bundleOf(two, honestReport(two, job, { quorum: 2, maxSeats: 3 }))
  assert.deepEqual(failures(small), ['distinct-volunteers'])
  assert.deepEqual(failures(small, { ...trusted, minimumVolunteers: 2 }), [])
})

test('a lax quorum cannot outvote a dissent for a reader who wants three volunteers', async () => {
  const four = [...withDissent.slice(0, 3), ...withDissent.slice(5)]
  const report = honestReport(four, job, { quorum: 1, maxSeats: 7 })
  assert.deepEqual(failures(await bundleOf(four, report)), ['distinct-volunteers'])
})

test('a coordinator that votes itself', async () => {
  const own = await Promise.all(
    [coordinator, ...people.slice(0, 2)].map((identity, seed) =>
      signVote({ identity, rawData: testRawData({ job, seed }) }),
    ),
  )
  assert.deepEqual(failures(await bundleOf(own, honestReport(own))), ['distinct-volunteers'])
})

/** Three votes of which the first says something else in its statement. */
async function withStatement(change: Parameters<typeof signVote>[0]['statement']) {
  const [first] = people
  assert(first && change)
  const odd = await signVote({ identity: first, rawData: testRawData({ job, seed: 0 }), statement: change })
  const three = [odd, ...votes.slice(1)]
  return bundleOf(three, honestReport(three))
}

test('a wrong nonce', async () => {
  const bytes = await withStatement(said => ({
    ...said,
    predicate: { ...said.predicate, task: { ...said.predicate.task, nonce: 'f'.repeat(32) } },
  }))
  assert.deepEqual(failures(bytes), ['nonce'])
})

test('another job', async () => {
  const bytes = await withStatement(said => ({
    ...said,
    predicate: { ...said.predicate, task: { ...said.predicate.task, id: '0'.repeat(64) } },
  }))
  assert.deepEqual(failures(bytes), ['nonce'])
})

test('another guest image', async () => {
  const bytes = await withStatement(said => ({
    ...said,
    predicate: { ...said.predicate, runner: [{ name: 'guest-image', digest: { sha256: '0'.repeat(64) } }] },
  }))
  assert.deepEqual(failures(bytes), ['nonce'])
})

test('another subject', async () => {
  const bytes = await withStatement(said => ({
    ...said,
    subject: [{ name: 'other-1.0.tar.gz', digest: { sha256: '0'.repeat(64) } }],
  }))
  assert.deepEqual(failures(bytes), ['subject'])
})

test('observations that are not those of the raw data', async () => {
  const bytes = await withStatement(said => ({
    ...said,
    predicate: { ...said.predicate, observations: said.predicate.observations.slice(0, 1) },
  }))
  assert.deepEqual(failures(bytes), ['raw-data-complete'])
})

test('raw data of an earlier go at the same file', async () => {
  const earlier = testJob({ nonce: 'f'.repeat(32) })
  const replayed = await Promise.all(
    people
      .slice(0, 3)
      .map((identity, seed) => signVote({ identity, rawData: testRawData({ job: earlier, seed }) })),
  )
  assert.deepEqual(failures(await bundleOf(replayed, honestReport(replayed, job))), [
    'nonce',
    'raw-data-complete',
  ])
})

test('a job whose id is not its digest', async () => {
  const definition = { ...job, nonce: 'f'.repeat(32) }
  const failed = failures(
    await altered(predicate => ({ ...predicate, job: { ...predicate.job, definition } })),
  )
  assert(failed.includes('job-id'))
})

test('a report about another file than its job', async () => {
  const other = testSubject({ filename: 'other-1.0.tar.gz' })
  const definition = { ...job, subject: other }
  const failed = failures(
    await altered(predicate => ({
      ...predicate,
      job: { id: jobId(definition), definition },
      resourceUri: purlOf(other),
    })),
  )
  assert(failed.includes('subject'))
})

test('another file at hand', () => {
  const { sha256, size } = job.subject
  assert.deepEqual(failures(good, { ...trusted, distribution: { sha256: '0'.repeat(64), size } }), [
    'distribution',
  ])
  assert.deepEqual(failures(good, { ...trusted, distribution: { sha256, size: size + 1 } }), ['distribution'])
})

test('attestations out of order or repeated', async () => {
  const reversed = await altered(predicate => ({
    ...predicate,
    inputAttestations: [...predicate.inputAttestations].reverse(),
  }))
  assert.deepEqual(failures(reversed), ['report-statement'])
})

test('a missing, an extra and a changed blob', async () => {
  const report = await signAs(coordinator, honest)
  const rawData = votes.map(vote => vote.envelope)
  const blobs = votes.map(vote => vote.blob)
  const extra = canonicalBytes(testRawData({ job, seed: 99 }))
  for (const changed of [blobs.slice(1), [...blobs, extra], [extra, ...blobs.slice(1)]])
    assert.deepEqual(failures(encodeBundle({ report, rawData, blobs: changed })), ['raw-data-complete'])
})

test('a package URL is escaped', () => {
  assert.equal(
    purlOf({ project: 'a', version: '1!2.0+local', filename: 'a-1!2.0+local-py3-none-any.whl' }),
    'pkg:pypi/a@1%212.0%2Blocal?file_name=a-1%212.0%2Blocal-py3-none-any.whl',
  )
})
