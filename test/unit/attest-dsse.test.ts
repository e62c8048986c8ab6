import assert from 'node:assert/strict'
import { test } from 'node:test'
import { attestationId, openEnvelope, pae, sign, statementType } from '../../src/attest/dsse.ts'
import { canonicalJson, parseCanonical, sha256 } from '../../src/wire/canonical.ts'
import type { Envelope } from '../../src/wire/envelope.ts'
import { testIdentity } from '../helpers/raw-data.ts'

const rfc = testIdentity(
  Uint8Array.from(Buffer.from('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60', 'hex')),
)
const other = testIdentity('other')
const type = 'http://example.com/HelloWorld'
const payload = Buffer.from('hello world')

test('pre-authentication encoding of the DSSE specification', () => {
  assert.equal(
    Buffer.from(pae(type, payload)).toString(),
    'DSSEv1 29 http://example.com/HelloWorld 11 hello world',
  )
})

test('lengths count bytes', () => {
  assert.equal(Buffer.from(pae('t\u00fc', Buffer.from('\u20ac'))).toString(), 'DSSEv1 3 t\u00fc 3 \u20ac')
  assert.equal(Buffer.from(pae('', new Uint8Array())).toString(), 'DSSEv1 0  0 ')
})

test('Ed25519 vector: RFC 8032 test key over the DSSE example', async () => {
  const envelope = await sign(type, payload, rfc)
  assert.deepEqual(envelope, {
    payloadType: type,
    payload: 'aGVsbG8gd29ybGQ=',
    signatures: [
      {
        keyid: 'SHA256:bbXpuKG6zhzdmnxq256TlqzFBzRl2f6OOg722cYNbU8',
        sig: '4DHX3Zn4qpBKvEj7maE8O9u9bjXEnPLLnyXVUJ2PXJR8DSLcL3QDpFvfJOj3pB/SPHsl6Jg4boxsMb6KvuYABw==',
      },
    ],
  })
  assert.deepEqual(Buffer.from(await openEnvelope(envelope, rfc.publicKey, type)), payload)
  assert.equal(attestationId(envelope), sha256(pae(type, payload)))
})

const good = await sign(statementType, payload, rfc)
const [signature] = good.signatures
assert(signature)

for (const [what, envelope, code] of [
  ['another payload', { ...good, payload: 'aGVsbG8gd29ybGE=' }, 'bad-signature'],
  ['another payload type', { ...good, payloadType: 'application/json' }, 'bad-envelope'],
  ['no signature', { ...good, signatures: [] }, 'bad-envelope'],
  ['two signatures', { ...good, signatures: [signature, signature] }, 'bad-envelope'],
  ['an empty keyid', { ...good, signatures: [{ ...signature, keyid: '' }] }, 'bad-envelope'],
  [
    'a keyid that is a peer id',
    { ...good, signatures: [{ ...signature, keyid: rfc.peerId }] },
    'bad-envelope',
  ],
  ['base64 with other trailing bits', { ...good, payload: 'aGVsbG8gd29ybGR=' }, 'bad-envelope'],
  ['base64 without padding', { ...good, payload: 'aGVsbG8gd29ybGQ' }, 'bad-envelope'],
  ['base64 with a line break', { ...good, payload: 'aGVsbG8g\nd29ybGQ=' }, 'bad-envelope'],
  [
    'URL-safe base64',
    { ...good, signatures: [{ ...signature, sig: signature.sig.replace(/\//g, '_').replace(/\+/g, '-') }] },
    'bad-envelope',
  ],
  [
    'a short signature',
    { ...good, signatures: [{ ...signature, sig: signature.sig.slice(0, 84) }] },
    'bad-signature',
  ],
] satisfies [string, Envelope, string][])
  test(`an envelope with ${what} is refused as ${code}`, async () => {
    await assert.rejects(openEnvelope(envelope, rfc.publicKey), { code })
  })

test('an envelope is refused under another key', async () => {
  await assert.rejects(openEnvelope(good, other.publicKey), { code: 'bad-envelope' })
  const relabelled = { ...good, signatures: [{ ...signature, keyid: 'SHA256:x' }] }
  await assert.rejects(openEnvelope(relabelled, other.publicKey), { code: 'bad-envelope' })
})

test('the id of an attestation does not depend on its signature', () => {
  assert.equal(attestationId({ ...good, signatures: [] }), attestationId(good))
})

/** RFC 8785 section 3.2.2 to 3.2.4 and its string sorting sample, as far as integers and strings go. */
test('canonical JSON follows RFC 8785', () => {
  assert.equal(
    canonicalJson({
      '\u20ac': 'Euro Sign',
      '\r': 'Carriage Return',
      '\ufb33': 'Hebrew Letter Dalet With Dagesh',
      '1': 'One',
      '\ud83d\ude00': 'Emoji: Grinning Face',
      '\u0080': 'Control',
      '\u00f6': 'Latin Small Letter O With Diaeresis',
    }),
    '{"\\r":"Carriage Return","1":"One","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis",' +
      '"\u20ac":"Euro Sign","\ud83d\ude00":"Emoji: Grinning Face","\ufb33":"Hebrew Letter Dalet With Dagesh"}',
  )
  assert.equal(
    canonicalJson({ string: '\u20ac$\u000f\nA\'B"\\\\"/', literals: [null, true, false] }),
    '{"literals":[null,true,false],"string":"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
  )
  assert.equal(canonicalJson([56, { d: true, '10': null, '1': [] }]), '[56,{"1":[],"10":null,"d":true}]')
  assert.equal(
    canonicalJson({
      '1': { f: { f: 'hi', F: 5 }, '\n': 56 },
      '10': {},
      '': 'empty',
      a: {},
      '111': [{ e: 'yes', E: 'no' }],
      A: {},
    }),
    '{"":"empty","1":{"\\n":56,"f":{"F":5,"f":"hi"}},"10":{},"111":[{"E":"no","e":"yes"}],"A":{},"a":{}}',
  )
})

for (const text of [
  '{"a":1,"a":1}',
  '{"b":1,"a":2}',
  '{"a": 1}',
  '[1.0]',
  '[1e2]',
  '[-0]',
  '[9007199254740993]',
  '["\\u0061"]',
  '["\\ud800"]',
  '{"a":1}\n',
  '\ufeff{}',
  '',
  '[1e400]',
])
  test(`${JSON.stringify(text)} is not canonical`, () => {
    assert.throws(() => parseCanonical(Buffer.from(text)), { code: 'not-canonical' })
  })
