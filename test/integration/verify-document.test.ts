import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { sign, statementType } from '../../src/attest/dsse.ts'
import { canonicalJson, sha256 } from '../../src/wire/canonical.ts'
import type { Envelope } from '../../src/wire/envelope.ts'
import { bundleOf, coordinator, honestReport, signAs, signVote } from '../helpers/bundle.ts'
import { testIdentity, testRawData } from '../helpers/raw-data.ts'
import {
  alice,
  bob,
  carol,
  dave,
  fails,
  folder,
  honest,
  joined,
  linesOf,
  parse,
  passes,
  report,
  reportOf,
  script,
  skip,
  split,
  three,
} from '../helpers/verify-script.ts'

/** The bundle with one line replaced by what `change` makes of its envelope. */
function withLine(at: number, change: (envelope: Envelope) => Envelope): string {
  return joined(
    split(honest).map((line, index) => (index === at ? canonicalJson(change(parse(line))) : line)),
  )
}
const payloadOf = ({ payload }: Envelope) => Buffer.from(payload, 'base64').toString()
const withPayload = (change: (payload: string) => string) => (envelope: Envelope) => {
  const changed = change(payloadOf(envelope))
  assert.notEqual(changed, payloadOf(envelope))
  return { ...envelope, payload: Buffer.from(changed).toString('base64') }
}
function withFlippedSignature(envelope: Envelope): Envelope {
  const [signature] = envelope.signatures
  assert.ok(signature)
  const bytes = Buffer.from(signature.sig, 'base64')
  bytes.writeUInt8(bytes.readUInt8(40) ^ 1, 40)
  return { ...envelope, signatures: [{ ...signature, sig: bytes.toString('base64') }] }
}
const statementsAt = [1, 2, 3]

describe('the script of docs/verify.md', { skip }, () => {
  it('is short, and of the standard library', () => {
    assert.ok(script.split('\n').length <= 155)
    assert.deepEqual(script.match(/^(?:import|from) .*$/gm), [
      'import argparse, base64, hashlib, json, os, subprocess, sys, tempfile',
    ])
  })

  it('takes an honest report, and lines in any order', async () => {
    const said =
      /^ok: signed by .*\nok: 3 volunteers agree, 0 others; all signed\nverdict \(not computed again\): clean \(no log checked\)\n$/
    await passes(honest, said)
    await passes(Buffer.from(await bundleOf(three, honestReport(three))).toString(), said)
    await passes(joined(split(honest).reverse()), said)
  })

  it('takes a report with a dissent', async () => {
    const other = { 'tests/test_sample.py::test_add': 'failed' } as const
    const liar = await signVote({
      identity: testIdentity('liar'),
      rawData: testRawData({ seed: 9, tests: other }),
    })
    const many = [alice, bob, carol, dave]
    const statement = reportOf(many, [liar])
    await passes(await linesOf([...many, liar], statement), /4 volunteers agree, 1 others/)
  })

  it('takes a report that is compared with the release before, and no statement that it does not name', async () => {
    const before = await signVote({ identity: testIdentity('earlier'), rawData: testRawData({ seed: 7 }) })
    const { predicate } = report
    const baseline = { report: sha256('its report'), attestation: before.attestation }
    const compared = { ...report, predicate: { ...predicate, baseline } }
    await passes(await linesOf([...three, before], compared), /3 volunteers agree, 0 others/)
    await fails(await linesOf([...three, before], report), /statements are missing or too many/)
    const forged = { ...before, envelope: withFlippedSignature(before.envelope) }
    await fails(await linesOf([...three, forged], compared), /not signed by the volunteer/)
  })

  it('refuses a flipped byte in any signature', async () => {
    await fails(withLine(0, withFlippedSignature), /signature of the report does not hold/)
    for (const at of statementsAt)
      await fails(withLine(at, withFlippedSignature), /not signed by the volunteer/)
  })

  it('refuses a changed verdict, unsigned or signed by somebody else', async () => {
    const change = (payload: string) => payload.replace('"verdict":"clean"', '"verdict":"observed"')
    await fails(withLine(0, withPayload(change)), /signature of the report does not hold/)
    const { evaluation } = report.predicate
    const lie = {
      ...report,
      predicate: { ...report.predicate, evaluation: { ...evaluation, verdict: 'observed' as const } },
    }
    await fails(await linesOf(three, lie, testIdentity('mallory')), /signature of the report does not hold/)
  })

  it('refuses a missing volunteer', async () => {
    for (const at of statementsAt)
      await fails(joined(split(honest).filter((_, index) => index !== at)), /missing or too many/)
    await fails(await linesOf([alice, bob], reportOf([alice, bob])), /2 volunteers agree, 3 wanted/)
    await passes(await linesOf([alice, bob], reportOf([alice, bob])), /2 volunteers/, ['--volunteers', '2'])
    await fails(await linesOf([...three, dave], report), /missing or too many/)
  })

  it('refuses one volunteer twice', async () => {
    const again = await signVote({
      identity: testIdentity('alice'),
      rawData: testRawData({ seed: 0 }),
      statement: said => ({
        ...said,
        predicate: { ...said.predicate, task: { ...said.predicate.task, round: 1 } },
      }),
    })
    assert.notEqual(again.attestation, alice.attestation)
    await fails(await linesOf([alice, bob, again], reportOf([alice, bob, again])), /counted twice/)
    await fails(joined([...split(honest), split(honest)[1] ?? '']), /stands twice/)
  })

  it('refuses the coordinator as a volunteer', async () => {
    const own = await signVote({ identity: coordinator, rawData: testRawData({ seed: 5 }) })
    await fails(await linesOf([alice, bob, own], reportOf([alice, bob, own])), /counted twice/)
  })

  it('refuses another file, and another coordinator', async () => {
    await writeFile(join(folder, 'other.tar.gz'), 'sample-1.0.tar.gx')
    await fails(honest, /about another file/, [], 'other.tar.gz')
    await fails(honest, /names another key/, ['--key', testIdentity('mallory').peerId])
  })

  it('refuses a key that is not the peer id of an Ed25519 key', async () => {
    const { verifier } = report.predicate
    for (const id of [coordinator.peerId.replace('12D', '12E'), `1${coordinator.peerId}`]) {
      const named = { ...verifier, id: verifier.id.replace(coordinator.peerId, id) }
      const statement = { ...report, predicate: { ...report.predicate, verifier: named } }
      await fails(await linesOf(three, statement), /not the peer id/, ['--key', id])
    }
  })

  it('refuses a volunteer who speaks of another job, file or image', async () => {
    const nonce = 'f'.repeat(32)
    const lies: [RegExp, Parameters<typeof signVote>[0]['statement']][] = [
      [
        /another job/,
        said => ({ ...said, predicate: { ...said.predicate, task: { ...said.predicate.task, nonce } } }),
      ],
      [
        /another file/,
        said => ({ ...said, subject: [{ name: 'x-1.tar.gz', digest: said.subject[0].digest }] }),
      ],
      [
        /another image/,
        said => ({
          ...said,
          predicate: {
            ...said.predicate,
            runner: [{ name: 'guest-image', digest: { sha256: '0'.repeat(64) } }],
          },
        }),
      ],
    ]
    for (const [why, statement] of lies) {
      const vote = await signVote({
        identity: testIdentity('carol'),
        rawData: testRawData({ seed: 2 }),
        ...(statement ? { statement } : {}),
      })
      await fails(await linesOf([alice, bob, vote], reportOf([alice, bob, vote])), why)
    }
  })

  it('refuses raw data that is changed, missing or extra', async () => {
    const lines = split(honest)
    const blobs = lines.flatMap((line, index) => (parse(line).signatures.length === 0 ? [index] : []))
    assert.equal(blobs.length, 3)
    for (const at of blobs) {
      await fails(
        withLine(
          at,
          withPayload(payload => payload.replace('"status":"passed"', '"status":"failed"')),
        ),
        /no raw data of/,
      )
      await fails(joined(lines.filter((_, index) => index !== at)), /no raw data of/)
    }
    const extra = await linesOf([dave], reportOf([dave]))
    await fails(joined([...lines, split(extra)[2] ?? '']), /raw data that nobody signed/)
  })

  it('refuses a key that stands twice in JSON, though it is signed', async () => {
    const twice = canonicalJson(report).replace('"flaky":[]', '"flaky":[],"flaky":[]')
    const envelope = await sign(statementType, Buffer.from(twice), coordinator)
    const [, ...rest] = split(honest)
    await fails(joined([JSON.stringify(envelope), ...rest]), /has a key twice/)
    const [first = ''] = split(honest)
    await fails(joined([first.replace('{"payload"', '{"payload":"","payload"'), ...rest]), /has a key twice/)
  })

  it('refuses statements of another kind, or about two files', async () => {
    const [, ...rest] = split(honest)
    const { evaluation } = report.predicate
    const moved = { ...evaluation.subject, filename: 'sample-1.1.tar.gz' }
    const lies: [RegExp, unknown, string?][] = [
      [/unknown type/, { ...report, _type: 'https://in-toto.io/Statement/v0.1' }],
      [/KeyError/, { ...report, predicateType: 'https://pyti.example/report/v9' }],
      [/unknown kind/, report, 'application/json'],
      [/two files/, { ...report, subject: [{ ...report.subject[0], name: 'sample-1.1.tar.gz' }] }],
      [/two files/, { ...report, subject: [...report.subject, ...report.subject] }],
      [
        /two files/,
        { ...report, predicate: { ...report.predicate, evaluation: { ...evaluation, subject: moved } } },
      ],
    ]
    for (const [why, statement, type = statementType] of lies) {
      const envelope = await sign(type, Buffer.from(canonicalJson(statement)), coordinator)
      await fails(joined([canonicalJson(envelope), ...rest]), why)
    }
  })

  it('refuses raw data of another job, though its volunteer signs it for this one', async () => {
    const { nonce } = report.predicate.job.definition
    const vote = await signVote({
      identity: testIdentity('carol'),
      rawData: { ...testRawData({ seed: 2 }), nonce: 'f'.repeat(32) },
      statement: said => ({
        ...said,
        predicate: { ...said.predicate, task: { ...said.predicate.task, nonce } },
      }),
    })
    await fails(await linesOf([alice, bob, vote], reportOf([alice, bob, vote])), /raw data of another job/)
  })

  it('refuses a job that is not the one of its id, and two reports', async () => {
    const job = { ...report.predicate.job, id: '1'.repeat(64) }
    await fails(await linesOf(three, { ...report, predicate: { ...report.predicate, job } }), /job id/)
    const later = { ...report, predicate: { ...report.predicate, timeVerified: '2026-11-20T12:04:00Z' } }
    const second = canonicalJson(await signAs(coordinator, later))
    await fails(joined([...split(honest), second]), /exactly one report/)
  })
})
