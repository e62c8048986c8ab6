import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isCode } from '../../src/errors.ts'
import { peerIdFromPublicKey, publicKeyFromPeerId } from '../../src/peer-id.ts'

// attestation.md 2.6: RFC 8032 test 1, and the key of the libp2p peer id specification.
const vectors = [
  {
    key: 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
    peerId: '12D3KooWQK1wnefoLrcVHbbnf5tLzbopUd3K3bFAoJpA7YJgL5pV',
  },
  {
    key: '1ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e',
    peerId: '12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq',
  },
]

for (const { key, peerId } of vectors)
  test(`${peerId} holds its key`, () => {
    assert.equal(peerIdFromPublicKey(Buffer.from(key, 'hex')), peerId)
    assert.equal(Buffer.from(publicKeyFromPeerId(peerId)).toString('hex'), key)
  })

test('the smallest and the largest key round-trip', () => {
  for (const fill of [0, 255]) {
    const key = new Uint8Array(32).fill(fill)
    assert.deepEqual(publicKeyFromPeerId(peerIdFromPublicKey(key)), key)
  }
})

test('a key of another length has no peer id', () => {
  for (const length of [0, 31, 33])
    assert.throws(
      () => peerIdFromPublicKey(new Uint8Array(length)),
      error => isCode(error, 'bad-public-key'),
    )
})

const good = '12D3KooWQK1wnefoLrcVHbbnf5tLzbopUd3K3bFAoJpA7YJgL5pV'
const refused: Record<string, string> = {
  empty: '',
  'leading space': ` ${good}`,
  'trailing newline': `${good}\n`,
  'one letter short': good.slice(0, -1),
  'one letter more': `${good}V`,
  'letter outside base58': `${good.slice(0, -1)}0`,
  'letter outside ASCII': `${good.slice(0, -1)}\u0131`,
  'space in place of a letter': `${good.slice(0, -1)} `,
  'wrong first byte': `2${good.slice(1)}`,
  'one more leading zero byte': `1${good.slice(0, -1)}`,
  'all ones': '1'.repeat(52),
  'largest number of that length': 'z'.repeat(52),
  'multibase prefix': `z${good}`,
  'RSA peer id': 'QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N',
  'CIDv1 form': 'bafzaajaiaejcbz2tomlvgddqo6fyfgyzzkeipqk5ow6ejx2txxpyupvxkg3w2ri',
  huge: '1'.repeat(1_000_000),
}
for (const [name, text] of Object.entries(refused))
  test(`refused: ${name}`, () => {
    assert.throws(
      () => publicKeyFromPeerId(text),
      error => isCode(error, 'bad-peer-id') && error.message.length < 200,
    )
  })
