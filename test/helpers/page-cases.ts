import assert from 'node:assert/strict'
import type { CheckName } from '../../src/attest/checks.ts'
import { fingerprint } from '../../src/attest/keys.ts'
import { peerIdFromPublicKey } from '../../src/peer-id.ts'
import { canonicalJson } from '../../src/wire/canonical.ts'
import type { Envelope } from '../../src/wire/envelope.ts'
import { bundleOf, coordinator, honestReport, signAs, signVote } from './bundle.ts'
import { testIdentity, testJob, testRawData } from './raw-data.ts'

export interface PageCase {
  name: string
  bytes: Uint8Array
  /** This check, and maybe others that rest on it. */
  fails?: CheckName
  says?: string
}

/** Ends up in error messages and details. */
export const hostileText =
  '<img src=x onerror="document.title=\'owned\'"><script>document.title="owned"</script>'

/** What `job.subject` of the cases is the digest of. */
export const distributionText = 'sample-1.0.tar.gz'

/** A good bundle, and changed ones with the checks that must fail for them. */
export async function pageCases(): Promise<PageCase[]> {
  const job = testJob()
  const votes = await Promise.all(
    [0, 1, 2].map(seed =>
      signVote({ identity: testIdentity(`volunteer ${seed}`), rawData: testRawData({ job, seed }) }),
    ),
  )
  const honest = honestReport(votes, job)
  const good = await bundleOf(votes, honest)
  const lines = Buffer.from(good).toString().trimEnd().split('\n')
  const whole = (some: readonly string[]) => Buffer.from(`${some.join('\n')}\n`)
  const altered = (predicate: Partial<typeof honest.predicate>) =>
    bundleOf(votes, { ...honest, predicate: { ...honest.predicate, ...predicate } })
  const changed = (index: number, change: (line: Envelope) => Envelope) =>
    whole(lines.with(index, canonicalJson(change(JSON.parse(lines[index] ?? '')))))

  const hostile = { ...honest, predicate: { ...honest.predicate, resourceUri: hostileText } }

  return [
    { name: 'good', bytes: good },
    {
      name: 'a flipped bit in the signature of the report',
      bytes: changed(0, flipSignature),
      fails: 'report-signature',
    },
    {
      name: 'a flipped bit in the signature of a volunteer',
      bytes: changed(1, flipSignature),
      fails: 'raw-data-signatures',
    },
    {
      name: 'a key of small order',
      bytes: changed(1, withSmallOrderKey),
      fails: 'raw-data-signatures',
      says: 'not of prime order',
    },
    {
      name: 'another verdict',
      bytes: await altered({ evaluation: { ...honest.predicate.evaluation, verdict: 'suspicious' } }),
      fails: 'evaluation',
    },
    { name: 'a missing statement', bytes: whole(lines.toSpliced(1, 1)), fails: 'raw-data-complete' },
    { name: 'missing raw data', bytes: whole(lines.toSpliced(6, 1)), fails: 'raw-data-complete' },
    { name: 'a cut end', bytes: good.subarray(0, -1), fails: 'bundle-form' },
    {
      name: 'HTML in a signed report',
      bytes: whole(lines.with(0, canonicalJson(await signAs(coordinator, hostile)))),
      fails: 'job-id',
      says: hostileText,
    },
    {
      name: 'HTML as a name',
      bytes: whole([canonicalJson({ ...JSON.parse(lines[0] ?? ''), [hostileText]: 1 })]),
      fails: 'bundle-form',
      says: hostileText,
    },
  ]
}

function flipSignature(envelope: Envelope): Envelope {
  const [signature] = envelope.signatures
  assert(signature)
  const bytes = Buffer.from(signature.sig, 'base64')
  bytes[9] = (bytes[9] ?? 0) ^ 1
  return { ...envelope, signatures: [{ ...signature, sig: bytes.toString('base64') }] }
}

/** The same statement by a volunteer whose key is of small order, so that one signature fits many messages. */
function withSmallOrderKey({ payload, payloadType, signatures }: Envelope): Envelope {
  const key = Uint8Array.of(1, ...new Uint8Array(31))
  const statement = JSON.parse(Buffer.from(payload, 'base64').toString())
  statement.predicate.volunteer = peerIdFromPublicKey(key)
  const [signature] = signatures
  assert(signature)
  return {
    payload: Buffer.from(canonicalJson(statement)).toString('base64'),
    payloadType,
    signatures: [{ ...signature, keyid: fingerprint(key) }],
  }
}
