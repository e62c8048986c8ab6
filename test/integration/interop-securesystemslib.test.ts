import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { z } from 'zod'
import { pae } from '../../src/attest/dsse.ts'
import { fingerprint } from '../../src/attest/keys.ts'
import type { Envelope } from '../../src/wire/envelope.ts'
import { bundleOf, coordinator, honestReport, signVote } from '../helpers/bundle.ts'
import { hostPython, runHost } from '../helpers/host-program.ts'
import { testIdentity, testRawData } from '../helpers/raw-data.ts'
import { securesystemslib } from '../helpers/securesystemslib.ts'

const python = await hostPython()
const library = python.reason ? { folder: '', reason: python.reason } : await securesystemslib(python.path)
const program = join(import.meta.dirname, '../fixtures/interop/verify_dsse.py')

interface Case {
  envelope: Envelope
  keyid: string
  public: string
}
const caseOf = (envelope: Envelope, key: Uint8Array, keyid = fingerprint(key)): Case => ({
  envelope,
  keyid,
  public: Buffer.from(key).toString('hex'),
})
const Answers = z.array(z.strictObject({ pae: z.string(), verdict: z.string() }))

async function ask(cases: Case[]): Promise<z.infer<typeof Answers>> {
  const { stdout, stderr } = await runHost(python.path, [program], {
    env: { PYTHONPATH: library.folder, PYTHONDONTWRITEBYTECODE: '1' },
    input: JSON.stringify(cases),
  })
  assert.equal(stderr, '')
  return Answers.parse(JSON.parse(stdout))
}

const identities = ['alice', 'bob', 'carol'].map(name => testIdentity(name))
const votes = await Promise.all(
  identities.map((identity, seed) => signVote({ identity, rawData: testRawData({ seed }) })),
)
const bundle = Buffer.from(await bundleOf(votes, honestReport(votes))).toString()
const report: Envelope = JSON.parse(bundle.slice(0, bundle.indexOf('\n')))
const honest = [
  caseOf(report, coordinator.publicKey),
  ...votes.map(({ envelope }, index) => caseOf(envelope, identities[index]?.publicKey ?? new Uint8Array())),
]

describe('securesystemslib', { skip: library.reason }, () => {
  it('accepts a report and the statements of its volunteers, over the bytes that we sign', async () => {
    const answers = await ask(honest)
    assert.deepEqual(
      answers,
      honest.map(({ envelope }) => ({
        pae: Buffer.from(pae(envelope.payloadType, Buffer.from(envelope.payload, 'base64'))).toString('hex'),
        verdict: '1 accepted',
      })),
    )
  })

  it('refuses changed ones, and other keys', async () => {
    const [signature] = report.signatures
    assert.ok(signature)
    const payload = Buffer.from(report.payload, 'base64').toString()
    const changed = payload.replace('"verdict":"clean"', '"verdict":"observed"')
    assert.notEqual(changed, payload)
    const flipped = Buffer.from(signature.sig, 'base64')
    flipped.writeUInt8(flipped.readUInt8(40) ^ 1, 40)
    const mallory = testIdentity('mallory').publicKey
    const of = (envelope: Envelope) => caseOf(envelope, coordinator.publicKey)
    const answers = await ask([
      of({ ...report, payload: Buffer.from(changed).toString('base64') }),
      of({ ...report, payloadType: 'application/json' }),
      of({ ...report, signatures: [{ ...signature, sig: flipped.toString('base64') }] }),
      of({ ...report, signatures: [] }),
      caseOf(report, mallory),
      caseOf(report, mallory, fingerprint(coordinator.publicKey)),
    ])
    assert.deepEqual(
      answers.map(({ verdict }) => verdict),
      Array.from({ length: 6 }, () => 'VerificationError'),
    )
  })
})
