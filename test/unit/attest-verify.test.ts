import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeBundle, encodeBundle } from '../../src/attest/bundle.ts'
import { checkNames } from '../../src/attest/checks.ts'
import { cosign, formatCheckpoint } from '../../src/attest/log/checkpoint.ts'
import { addSignature, formatVkey, parseNote, signNote } from '../../src/attest/log/note.ts'
import { parseProof } from '../../src/attest/log/proof-file.ts'
import { policyOf } from '../../src/attest/policy.ts'
import { purlOf, type ReportStatement } from '../../src/attest/report-statement.ts'
import { type VerifyOptions, verifyBundle } from '../../src/attest/verify.ts'
import { openRules } from '../../src/consensus/classes.ts'
import { evaluate } from '../../src/report/evaluate.ts'
import { canonicalBytes } from '../../src/wire/canonical.ts'
import { jobId } from '../../src/wire/job.ts'
import {
  bundleOf,
  coordinator,
  honestReport,
  proofsOf,
  signAs,
  signVote,
  testLog,
  testLogKey,
} from '../helpers/bundle.ts'
import { testIdentity, testJob, testRawData, testSubject, withTask } from '../helpers/raw-data.ts'

const job = testJob()
const people = Array.from({ length: 8 }, (_, index) => testIdentity(`volunteer ${index}`))
const votes = await Promise.all(
  people.slice(0, 3).map((identity, seed) => signVote({ identity, rawData: testRawData({ job, seed }) })),
)
const honest = honestReport(votes)
const good = await bundleOf(votes, honest)
const trusted: VerifyOptions = { trustedKeys: [coordinator.peerId] }

async function failures(bytes: Uint8Array, options: VerifyOptions = trusted): Promise<string[]> {
  const { ok, checks } = await verifyBundle(bytes, options)
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

test('a good bundle passes every check', async () => {
  const { sha256, size } = job.subject
  const witness = testIdentity('witness')
  const witnesses = [formatVkey('witness.example', 4, witness.publicKey)]
  const { report, rawData, blobs, proofs } = decodeBundle(good)
  const { checkpoint } = parseProof(proofs[0] ?? '')
  const line = await cosign(parseNote(checkpoint).text, 1_764_000_000, {
    ...witness,
    name: 'witness.example',
  })
  const seen = addSignature(checkpoint, line)
  const witnessed = encodeBundle({
    report,
    rawData,
    blobs: [...blobs.values()],
    proofs: proofs.map(proof => proof.replace(checkpoint, seen)),
  })
  const result = await verifyBundle(witnessed, {
    ...trusted,
    logKey: testLogKey,
    witnesses,
    seenCheckpoint: checkpoint,
    distribution: { sha256, size },
  })
  assert.deepEqual(
    result.checks.filter(check => check.state !== 'ok').map(check => check.name),
    ['root'],
  )
  assert.equal(result.ok, true)
  assert.equal(result.evaluation?.verdict, 'clean')
  assert.equal(result.reportKey, coordinator.peerId)
  assert.deepEqual(
    result.volunteers.map(one => one.agreeing),
    [true, true, true],
  )
})

test('what nothing was given for is unknown, in plain sight', async () => {
  const { ok, checks } = await verifyBundle(good)
  assert.equal(ok, true)
  assert.deepEqual(
    checks.filter(check => check.state === 'unknown').map(check => check.name),
    ['coordinator-key', 'log-key', 'root', 'witnesses', 'log-consistency', 'distribution'],
  )
})

test('the order of the lines means nothing', async () => {
  const lines = Buffer.from(good).toString().trimEnd().split('\n')
  assert.equal(lines.length, 11)
  const turned = Buffer.from(`${lines.reverse().join('\n')}\n`)
  assert.deepEqual(await failures(turned), [])
  const { report, rawData, blobs, proofs } = decodeBundle(turned)
  assert.deepEqual(encodeBundle({ report, rawData, blobs: [...blobs.values()], proofs }), good)
})

const wrongTest = { a: 'failed' } as const
const dissenter = withTask(testRawData({ job, seed: 9 }), 'build', { status: 'failed', reason: 'exit-code' })
const withDissent = await Promise.all(
  people.slice(0, 8).map((identity, seed) =>
    signVote({
      identity,
      role: seed < 3 ? 'seat' : 'panel',
      rawData: seed === 2 ? dissenter : testRawData({ job, seed }),
    }),
  ),
)

test('a dissent is part of the bundle', async () => {
  const result = await verifyBundle(await bundleOf(withDissent, honestReport(withDissent)), trusted)
  assert.equal(result.ok, true)
  assert.equal(result.volunteers.filter(one => !one.agreeing).length, 1)
})

test('a report that leaves out a dissenting attestation it has received', async () => {
  const without = honestReport(withDissent.filter((_, n) => n !== 2).map(vote => ({ ...vote, role: 'seat' })))
  assert.deepEqual(await failures(await bundleOf(withDissent, without)), [
    'raw-data-complete',
    'log-inclusion',
  ])
})

test('a bundle that leaves out the dissent the report names', async () => {
  const report = honestReport(withDissent)
  const rest = withDissent.filter((_, n) => n !== 2)
  assert.deepEqual(await failures(await bundleOf(rest, report)), ['raw-data-complete', 'log-inclusion'])
})

test('a report that counts a dissent as agreement', async () => {
  const report = honestReport(withDissent)
  const { inputAttestations, excluded } = report.predicate
  const moved = [
    ...inputAttestations,
    ...excluded.map(({ id, reason: _, ...voice }) => ({ digest: { sha256: id }, annotations: voice })),
  ]
  moved.sort((a, b) => (a.digest.sha256 < b.digest.sha256 ? -1 : 1))
  const predicate = { ...report.predicate, inputAttestations: moved, excluded: [] }
  assert.deepEqual(await failures(await bundleOf(withDissent, { ...report, predicate })), ['agreement'])
})

test('a dissent that no panel has looked into', async () => {
  const three = withDissent.slice(0, 3)
  const report = honestReport(withDissent)
  const { inputAttestations, excluded } = report.predicate
  const ids = three.map(vote => vote.attestation)
  const predicate = {
    ...report.predicate,
    inputAttestations: inputAttestations.filter(one => ids.includes(one.digest.sha256)),
    excluded,
    rawLog: { ...report.predicate.rawLog, toIndex: 5 },
  }
  const wanting = { ...trusted, minimumVolunteers: 2 }
  assert.deepEqual(await failures(await bundleOf(three, { ...report, predicate }), wanting), ['agreement'])
})

test('what one volunteer alone saw is never left out', async () => {
  const minority = [{ id: withDissent[2]?.attestation ?? '', verdict: 'suspicious' as const }]
  const report = honestReport(withDissent)
  const bytes = await bundleOf(withDissent, { ...report, predicate: { ...report.predicate, minority } })
  assert.deepEqual(await failures(bytes), ['agreement'])
})

test('an evaluation that does not follow from the raw data', async () => {
  const evaluation = { ...honest.predicate.evaluation, verdict: 'suspicious' as const }
  assert.deepEqual(await failures(await altered(predicate => ({ ...predicate, evaluation }))), ['evaluation'])
})

test('an evaluation of other raw data', async () => {
  const evaluation = evaluate({ rawData: [testRawData({ job, tests: wrongTest })], flaky: [] })
  assert.deepEqual(await failures(await altered(predicate => ({ ...predicate, evaluation }))), ['evaluation'])
})

test('a verification result that does not follow from the evaluation', async () => {
  const bytes = await altered(predicate => ({ ...predicate, verificationResult: 'FAILED' as const }))
  assert.deepEqual(await failures(bytes), ['evaluation'])
})

test('a report made by other rules', async () => {
  const policy = { ...policyOf(), digest: { sha256: '0'.repeat(64) } }
  assert.deepEqual(await failures(await altered(predicate => ({ ...predicate, policy }))), ['evaluation'])
})

test('a test called flaky that nobody saw flicker', async () => {
  const [name = ''] = Object.keys(votes[0]?.rawData.tasks.unittest?.stable.tests ?? {})
  assert.deepEqual(await failures(await altered(predicate => ({ ...predicate, flaky: [name] }))), [
    'agreement',
  ])
})

test('an altered evaluation, signed by a key of the forger under its own name', async () => {
  const forger = testIdentity('forger')
  const verifier = { ...honest.predicate.verifier, id: `urn:pyti:coordinator:${forger.peerId}` }
  const evaluation = { ...honest.predicate.evaluation, verdict: 'suspicious' as const }
  const report = { ...honest, predicate: { ...honest.predicate, verifier, evaluation } }
  assert.deepEqual(await failures(await bundleOf(votes, report, forger)), ['coordinator-key', 'evaluation'])
  assert.deepEqual(await failures(await bundleOf(votes, report, forger), {}), ['evaluation'])
})

test('a report signed by another key than it names', async () => {
  assert.deepEqual(await failures(await bundleOf(votes, honest, testIdentity('forger'))), [
    'report-signature',
  ])
})

test('raw data signed by another key than the volunteer it names', async () => {
  const [first, ...rest] = votes
  assert(first)
  const statement = JSON.parse(Buffer.from(first.envelope.payload, 'base64').toString())
  const envelope = await signAs(testIdentity('forger'), statement)
  assert.deepEqual(await failures(await bundleOf([{ ...first, envelope }, ...rest], honest)), [
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
  assert.deepEqual(await failures(bytes), ['raw-data-complete', 'log-inclusion'])
})

test('one volunteer with three envelopes is one volunteer', async () => {
  const [only] = people
  assert(only)
  const thrice = await Promise.all(
    [1, 2, 3].map(seed => signVote({ identity: only, rawData: testRawData({ job, seed }) })),
  )
  const inputAttestations = thrice
    .map(({ attestation, volunteer }, n) => ({
      digest: { sha256: attestation },
      annotations: { volunteer, role: 'seat' as const, operator: volunteer, weight: 4_000, logIndex: 2 + n },
    }))
    .sort((a, b) => (a.digest.sha256 < b.digest.sha256 ? -1 : 1))
  const report = { ...honest, predicate: { ...honest.predicate, inputAttestations } }
  assert.deepEqual(await failures(await bundleOf(thrice, report)), ['distinct-volunteers', 'agreement'])
})

test('the threshold is the reader\u2019s', async () => {
  assert.deepEqual(await failures(good, { ...trusted, minimumVolunteers: 4 }), ['distinct-volunteers'])
  const two = votes.slice(0, 2)
  const small = await bundleOf(two, honestReport(two, job, { ...openRules, quorum: 2, seats: 2 }))
  assert.deepEqual(await failures(small), ['distinct-volunteers'])
  assert.deepEqual(await failures(small, { ...trusted, minimumVolunteers: 2 }), [])
})

test('a lax quorum is not enough for a reader who wants three volunteers', async () => {
  const report = honestReport(votes, job, { ...openRules, quorum: 1 })
  assert.deepEqual(await failures(await bundleOf(votes, report)), ['distinct-volunteers'])
})

test('machines of one operator are one volunteer', async () => {
  const owned = honest.predicate.inputAttestations.map(({ digest, annotations }) => ({
    digest,
    annotations: { ...annotations, operator: 'somebody' },
  }))
  const report = { ...honest, predicate: { ...honest.predicate, inputAttestations: owned } }
  assert.deepEqual(await failures(await bundleOf(votes, report)), ['distinct-volunteers', 'agreement'])
})

test('a coordinator that votes itself', async () => {
  const own = await Promise.all(
    [coordinator, ...people.slice(0, 2)].map((identity, seed) =>
      signVote({ identity, rawData: testRawData({ job, seed }) }),
    ),
  )
  assert.deepEqual(await failures(await bundleOf(own, honestReport(own))), ['distinct-volunteers'])
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
  assert.deepEqual(await failures(bytes), ['nonce'])
})

test('another job', async () => {
  const bytes = await withStatement(said => ({
    ...said,
    predicate: { ...said.predicate, task: { ...said.predicate.task, id: '0'.repeat(64) } },
  }))
  assert.deepEqual(await failures(bytes), ['nonce'])
})

test('another guest image', async () => {
  const bytes = await withStatement(said => ({
    ...said,
    predicate: { ...said.predicate, runner: [{ name: 'guest-image', digest: { sha256: '0'.repeat(64) } }] },
  }))
  assert.deepEqual(await failures(bytes), ['nonce'])
})

test('another subject', async () => {
  const bytes = await withStatement(said => ({
    ...said,
    subject: [{ name: 'other-1.0.tar.gz', digest: { sha256: '0'.repeat(64) } }],
  }))
  assert.deepEqual(await failures(bytes), ['subject'])
})

test('observations that are not those of the raw data', async () => {
  const bytes = await withStatement(said => ({
    ...said,
    predicate: { ...said.predicate, observations: said.predicate.observations.slice(0, 1) },
  }))
  assert.deepEqual(await failures(bytes), ['raw-data-complete'])
})

test('raw data of an earlier go at the same file', async () => {
  const earlier = testJob({ nonce: 'f'.repeat(32) })
  const replayed = await Promise.all(
    people
      .slice(0, 3)
      .map((identity, seed) => signVote({ identity, rawData: testRawData({ job: earlier, seed }) })),
  )
  assert.deepEqual(await failures(await bundleOf(replayed, honestReport(replayed, job))), [
    'nonce',
    'raw-data-complete',
  ])
})

test('a job whose id is not its digest', async () => {
  const definition = { ...job, nonce: 'f'.repeat(32) }
  const failed = await failures(
    await altered(predicate => ({ ...predicate, job: { ...predicate.job, definition } })),
  )
  assert(failed.includes('job-id'))
})

test('a report about another file than its job', async () => {
  const other = testSubject({ filename: 'other-1.0.tar.gz' })
  const definition = { ...job, subject: other }
  const failed = await failures(
    await altered(predicate => ({
      ...predicate,
      job: { id: jobId(definition), definition },
      resourceUri: purlOf(other),
    })),
  )
  assert(failed.includes('subject'))
})

test('another file at hand', async () => {
  const { sha256, size } = job.subject
  assert.deepEqual(await failures(good, { ...trusted, distribution: { sha256: '0'.repeat(64), size } }), [
    'distribution',
  ])
  assert.deepEqual(await failures(good, { ...trusted, distribution: { sha256, size: size + 1 } }), [
    'distribution',
  ])
})

test('attestations out of order or repeated', async () => {
  const reversed = await altered(predicate => ({
    ...predicate,
    inputAttestations: [...predicate.inputAttestations].reverse(),
  }))
  assert.deepEqual(await failures(reversed), ['report-statement'])
})

test('a missing, an extra and a changed blob', async () => {
  const report = await signAs(coordinator, honest)
  const rawData = votes.map(vote => vote.envelope)
  const blobs = votes.map(vote => vote.blob)
  const extra = canonicalBytes(testRawData({ job, seed: 99 }))
  const proofs = await proofsOf(votes, report, honest)
  for (const changed of [blobs.slice(1), [...blobs, extra], [extra, ...blobs.slice(1)]])
    assert.deepEqual(await failures(encodeBundle({ report, rawData, blobs: changed, proofs })), [
      'raw-data-complete',
    ])
})

test('a package URL is escaped', () => {
  assert.equal(
    purlOf({ project: 'a', version: '1!2.0+local', filename: 'a-1!2.0+local-py3-none-any.whl' }),
    'pkg:pypi/a@1%212.0%2Blocal?file_name=a-1%212.0%2Blocal-py3-none-any.whl',
  )
})

test('a report and raw data that the log does not hold', async () => {
  const { report, rawData, blobs, proofs } = decodeBundle(good)
  const parts = { report, rawData, blobs: [...blobs.values()] }
  assert.deepEqual(await failures(encodeBundle({ ...parts, proofs: [] })), ['log-inclusion'])
  for (let at = 0; at < proofs.length; at += 1)
    assert.deepEqual(await failures(encodeBundle({ ...parts, proofs: proofs.toSpliced(at, 1) })), [
      'log-inclusion',
    ])
  const elsewhere = await proofsOf(
    votes,
    await signAs(coordinator, { ...honest, predicateType: 'x' }),
    honest,
  )
  assert.deepEqual(await failures(encodeBundle({ ...parts, proofs: elsewhere })), ['log-inclusion'])
})

test('raw data that was logged after the report', async () => {
  const rawLog = { ...honest.predicate.rawLog, toIndex: 3 }
  assert.deepEqual(await failures(await altered(predicate => ({ ...predicate, rawLog }))), ['log-inclusion'])
})

test('another log than the trusted one, and a log that has forked', async () => {
  const other = formatVkey('other.example', 1, coordinator.publicKey)
  assert.deepEqual(await failures(good, { ...trusted, logKey: other }), ['log-key'])
  assert.deepEqual(await failures(good, { ...trusted, logKey: testLogKey }), [])
  const forked = await signNote(
    formatCheckpoint({ origin: testLog.name, size: 6, root: Buffer.alloc(32, 7) }),
    testLog,
  )
  assert.deepEqual(await failures(good, { ...trusted, seenCheckpoint: forked }), ['log-consistency'])
})

test('witnesses that are wanted and did not sign', async () => {
  const witness = formatVkey('witness.example', 4, coordinator.publicKey)
  assert.deepEqual(await failures(good, { ...trusted, witnesses: [witness] }), ['witnesses'])
  assert.deepEqual(await failures(good, { ...trusted, witnesses: [witness], minimumWitnesses: 0 }), [])
})
