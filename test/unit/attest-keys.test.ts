import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isPrimeOrderPoint } from '../../src/attest/curve.ts'
import { admitKey, fingerprint, verifySignature } from '../../src/attest/keys.ts'
import { publicKeyFromPeerId } from '../../src/peer-id.ts'
import { testIdentity } from '../helpers/raw-data.ts'

const hex = (text: string) => Uint8Array.from(Buffer.from(text, 'hex'))
/** RFC 8032 section 7.1, test 1. */
const rfc = testIdentity(hex('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60'))

test('RFC 8032 test 1: key, fingerprint as of ssh-keygen, peer id', () => {
  assert.equal(
    Buffer.from(rfc.publicKey).toString('hex'),
    'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
  )
  assert.equal(fingerprint(rfc.publicKey), 'SHA256:bbXpuKG6zhzdmnxq256TlqzFBzRl2f6OOg722cYNbU8')
  assert.equal(rfc.peerId, '12D3KooWQK1wnefoLrcVHbbnf5tLzbopUd3K3bFAoJpA7YJgL5pV')
  assert.deepEqual(publicKeyFromPeerId(rfc.peerId), rfc.publicKey)
})

test('RFC 8032 tests 1 to 3 verify', async () => {
  for (const [key, message, signature] of [
    [
      'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
      '',
      'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
    ],
    [
      '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
      '72',
      '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
    ],
    [
      'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
      'af82',
      '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
    ],
  ] as const)
    assert.equal(await verifySignature(hex(key), hex(message), hex(signature)), true)
})

test('honest keys are admitted', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), seed => {
      assert.equal(isPrimeOrderPoint(testIdentity(seed).publicKey), true)
    }),
    { seed: 1, numRuns: 20 },
  )
})

/** Canonical encodings of all eight points of small order, and the other ways to write some of them. */
const smallOrder = [
  '0100000000000000000000000000000000000000000000000000000000000000',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0000000000000000000000000000000000000000000000000000000000000080',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
  '0100000000000000000000000000000000000000000000000000000000000080',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
]
for (const key of smallOrder)
  test(`key ${key.slice(0, 8)}..${key.slice(-2)} of small order or odd encoding is refused`, async () => {
    await assert.rejects(admitKey(hex(key)), { code: 'bad-key' })
  })

test('keys of a wrong length, off the curve or with y >= p are refused', async () => {
  for (const key of [
    '',
    'd75a98',
    `${'ff'.repeat(31)}7f`,
    `02${'00'.repeat(31)}`,
    'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a00',
  ])
    await assert.rejects(admitKey(hex(key)), { code: 'bad-key' }, key)
})

test('a signature has 64 bytes', async () => {
  const message = hex('72')
  const signature = rfc.sign(message)
  assert.equal(await verifySignature(rfc.publicKey, message, signature), true)
  assert.equal(await verifySignature(rfc.publicKey, message, signature.subarray(0, 63)), false)
  assert.equal(await verifySignature(rfc.publicKey, message, Buffer.concat([signature, hex('00')])), false)
})

test('a signature whose R is the neutral element is refused, whatever the library says of it', async () => {
  const key = hex('ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c')
  const signature = hex(
    '01000000000000000000000000000000000000000000000000000000000000003d0bbf5a4ed793ead3f7b10780839e942adb184cbef90ff5eb180831f811eb05',
  )
  assert.equal(isPrimeOrderPoint(key), true)
  assert.equal(await verifySignature(key, Buffer.from('hello'), signature), false)
})
