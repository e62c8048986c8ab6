import assert from 'node:assert/strict'
import fc from 'fast-check'
import { decodeBundle } from '../../src/attest/bundle.ts'
import { openEnvelope, unverifiedPayload } from '../../src/attest/dsse.ts'
import { RawDataStatement } from '../../src/attest/raw-statement.ts'
import { ReportStatement } from '../../src/attest/report-statement.ts'
import { parseStatement } from '../../src/attest/statement.ts'
import { readRawData, readTestimony } from '../../src/attest/testimony.ts'
import { verifyBundle } from '../../src/attest/verify.ts'
import { canonicalBytes } from '../../src/wire/canonical.ts'
import { Envelope } from '../../src/wire/envelope.ts'
import { bundleOf, coordinator, honestReport, signAs, signVote } from '../helpers/bundle.ts'
import { fuzz, mutatedBytes, mutatedJson, outcomeOf } from '../helpers/fuzz.ts'
import { testIdentity, testRawData } from '../helpers/raw-data.ts'

const votes = await Promise.all(
  ['one', 'two', 'three'].map((name, at) =>
    signVote({ identity: testIdentity(name), rawData: testRawData({ seed: at }) }),
  ),
)
const [vote = assert.fail('no vote')] = votes
const report = honestReport(votes)
const bundle = await bundleOf(votes, report)
const options = { trustedKeys: [coordinator.peerId] }
assert.ok((await verifyBundle(bundle, options)).ok, 'the bundle is good before it is changed')
const same = (one: Uint8Array, other: Uint8Array) => Buffer.compare(one, other) === 0

fuzz(
  'no byte of a bundle changes unseen',
  fc.tuple(fc.nat(bundle.length - 1), fc.integer({ min: 1, max: 255 })),
  100,
  async ([at, mask]) => {
    const changed = Uint8Array.from(bundle)
    changed[at] = (changed[at] ?? 0) ^ mask
    assert.equal((await verifyBundle(changed, options)).ok, false, `byte ${at} ^ ${mask}`)
  },
)

fuzz(
  'a mutated bundle is refused, and verification never throws',
  mutatedBytes([bundle]),
  100,
  async bytes => {
    await outcomeOf(['bad-bundle', 'bad-envelope'], () => decodeBundle(bytes))
    const { ok, checks } = await verifyBundle(bytes, options)
    assert.equal(ok && !same(bytes, bundle), false, 'another bundle is good')
    for (const { detail } of checks) assert.ok(detail.length <= 1_100)
  },
)

const lines = Buffer.from(bundle)
  .toString('utf8')
  .trimEnd()
  .split('\n')
  .map(line => JSON.parse(line))
fuzz(
  'a bundle of mutated lines is refused',
  fc.tuple(fc.nat(lines.length - 1), mutatedJson(lines)),
  100,
  async ([at, line]) => {
    const changed = lines.with(at, line).map(each => JSON.stringify(each) ?? '')
    const bytes = Buffer.from(`${changed.join('\n')}\n`)
    const { ok } = await verifyBundle(bytes, options)
    assert.equal(ok && !same(bytes, bundle), false)
  },
)

const refusals = ['bad-envelope', 'bad-signature', 'bad-key', 'bad-statement', 'bad-peer-id']
fuzz('a mutated envelope is not opened', mutatedJson([vote.envelope]), 400, async value => {
  const { value: envelope } = Envelope.safeParse(value).success
    ? { value: Envelope.parse(value) }
    : { value: undefined }
  if (envelope === undefined) return
  await outcomeOf(refusals, () => unverifiedPayload(envelope))
  const opened = await outcomeOf(refusals, () => openEnvelope(envelope, testIdentity('one').publicKey))
  const read = await outcomeOf(refusals, () => readTestimony(envelope))
  if (opened.value || read.value) assert.deepEqual(envelope, vote.envelope)
})

fuzz(
  'no bit of an envelope changes unseen',
  fc.tuple(fc.constantFrom('payload', 'sig', 'keyid', 'payloadType'), fc.nat(), fc.nat(6)),
  300,
  async ([field, at, bit]) => {
    const [signature = assert.fail('unsigned')] = vote.envelope.signatures
    const flip = (text: string) => {
      const place = at % text.length
      return `${text.slice(0, place)}${String.fromCharCode(text.charCodeAt(place) ^ (1 << bit))}${text.slice(place + 1)}`
    }
    const inner = field === 'sig' || field === 'keyid'
    const changed: Envelope = inner
      ? { ...vote.envelope, signatures: [{ ...signature, [field]: flip(signature[field]) }] }
      : { ...vote.envelope, [field]: flip(vote.envelope[field === 'payload' ? 'payload' : 'payloadType']) }
    const { refused } = await outcomeOf(refusals, () => readTestimony(changed))
    assert.ok(refused !== undefined, `${field} ${at} ${bit}`)
  },
)

const payload = Buffer.from(vote.envelope.payload, 'base64')
fuzz(
  'a statement is read only in its one form',
  fc.oneof(
    mutatedBytes([payload, canonicalBytes(report)]),
    mutatedJson([JSON.parse(payload.toString()), report]).map(value =>
      Buffer.from(JSON.stringify(value) ?? ''),
    ),
  ),
  500,
  async bytes => {
    for (const schema of [RawDataStatement, ReportStatement]) {
      const { value } = await outcomeOf(['bad-statement'], () => parseStatement(schema, bytes))
      if (value !== undefined) assert.ok(same(canonicalBytes(value), bytes))
    }
  },
)

fuzz(
  'a signed statement of any form is read or refused',
  mutatedJson([JSON.parse(payload.toString())]),
  150,
  async value => {
    let envelope: Envelope
    try {
      envelope = await signAs(testIdentity('one'), value)
    } catch {
      return
    }
    await outcomeOf(refusals, () => readTestimony(envelope))
  },
)

fuzz(
  'raw data is read only in its one form',
  fc.oneof(
    mutatedBytes([vote.blob]),
    mutatedJson([vote.rawData]).map(value => Buffer.from(JSON.stringify(value) ?? '')),
  ),
  400,
  async bytes => {
    const { value } = await outcomeOf(['bad-raw-data'], () => readRawData(bytes))
    if (value !== undefined) assert.ok(same(canonicalBytes(value), bytes))
  },
)
