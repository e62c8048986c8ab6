import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decodeBundle } from '../../src/attest/bundle.ts'
import { type VerifyOptions, verifyBundle } from '../../src/attest/verify.ts'
import { openRules } from '../../src/consensus/classes.ts'
import { canonicalJson } from '../../src/wire/canonical.ts'
import { bundleOf, coordinator, honestReport, signVote } from '../helpers/bundle.ts'
import { testIdentity, testJob, testRawData, withTask } from '../helpers/raw-data.ts'

const job = testJob()
const trusted: VerifyOptions = { trustedKeys: [coordinator.peerId] }

async function makeBundle(count: number): Promise<Uint8Array> {
  const votes = await Promise.all(
    Array.from({ length: count }, (_, seed) => {
      const rawData = testRawData({ job, seed })
      const said =
        seed === 2 && count > 3
          ? withTask(rawData, 'build', { status: 'failed', reason: 'exit-code' })
          : rawData
      const role = seed < 3 ? 'seat' : 'panel'
      return signVote({ identity: testIdentity(`volunteer ${seed}`), rawData: said, role })
    }),
  )
  return bundleOf(votes, honestReport(votes, job))
}

const good = await makeBundle(3)
const lines = Buffer.from(good).toString().trimEnd().split('\n')
const join = (some: string[]) => Buffer.from(`${some.join('\n')}\n`)

async function assertRefused(
  bytes: Uint8Array,
  what: string,
  options: VerifyOptions = trusted,
): Promise<void> {
  const { ok, checks } = await verifyBundle(bytes, options)
  assert.equal(ok, false, `${what} is accepted`)
  assert(
    checks.some(check => check.state === 'failed' && check.detail !== ''),
    what,
  )
}

test('the bundle is JSON Lines in canonical form', () => {
  assert.equal(lines.length, 11)
  for (const line of lines) assert.equal(canonicalJson(JSON.parse(line)), line)
})

for (const [what, bytes] of [
  ['nothing', new Uint8Array()],
  ['an empty line', Buffer.from('\n')],
  ['no last newline', good.subarray(0, -1)],
  ['an extra newline', Buffer.concat([good, Buffer.from('\n')])],
  ['a carriage return', Buffer.from(Buffer.from(good).toString().replaceAll('\n', '\r\n'))],
  ['a repeated line', join([...lines, lines[1] ?? ''])],
  ['a repeated blob', join([...lines, lines[6] ?? ''])],
  ['two reports', join([...lines, lines[0] ?? ''])],
  ['no report', join(lines.slice(1))],
  ['a space', join([lines[0]?.replace(':', ': ') ?? '', ...lines.slice(1)])],
  ['an extra field', join([lines[0]?.replace('{', '{"a":1,') ?? '', ...lines.slice(1)])],
  ['an unknown line', join([...lines, '{"payload":"","payloadType":"text/plain","signatures":[]}'])],
  ['a line that is no object', join([...lines, '[]'])],
  ['a signed blob', join([...lines.slice(0, 6), lines[6]?.replace('[]', '[{"keyid":"","sig":""}]') ?? ''])],
  ['very deep nesting', Buffer.from(`${'['.repeat(200_000)}\n`)],
  ['too many lines', Buffer.from('{}\n'.repeat(300))],
  ['invalid UTF-8', Buffer.from([0xff, 0xfe, 0x0a])],
  ['a byte order mark', Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), good])],
] as const)
  test(`${what} is refused by its form`, async () => {
    assert.throws(() => decodeBundle(bytes))
    const { ok, checks } = await verifyBundle(bytes, trusted)
    assert.equal(ok, false)
    assert.deepEqual(
      checks.filter(check => check.state === 'failed').map(check => check.name),
      ['bundle-form'],
    )
  })

test('any line left out is noticed', async () => {
  for (const index of lines.keys())
    await assertRefused(join(lines.toSpliced(index, 1)), `line ${index} left out`)
})

test('a second signature by the same volunteer over the same statement is a repetition', async () => {
  const again = JSON.parse(lines[1] ?? '')
  again.signatures[0].sig = `${'A'.repeat(86)}==`
  await assertRefused(join([...lines, canonicalJson(again)]), 'a repeated attestation')
})

test('every cut of a bundle is refused', async () => {
  for (let length = 0; length < good.length; length += 97)
    await assertRefused(good.subarray(0, length), `${length} bytes`)
})

test('any single changed byte of a small bundle is noticed, at every position', async () => {
  const base = testRawData({ job })
  const intake = { ...base.intake, stable: { ...base.intake.stable, archive: 'truncated' as const } }
  const rawData = { ...base, intake, tasks: {}, attachments: [] }
  const votes = [await signVote({ identity: testIdentity('volunteer 0'), rawData })]
  const small = await bundleOf(votes, honestReport(votes, job, { ...openRules, quorum: 1, seats: 1 }))
  const options = { ...trusted, minimumVolunteers: 1 }
  assert.equal((await verifyBundle(small, options)).ok, true)
  for (let position = 0; position < small.length; position += 1) {
    const changed = Uint8Array.from(small)
    changed[position] = (small[position] ?? 0) ^ (1 << (position % 8))
    await assertRefused(changed, `a changed byte at ${position}`, options)
  }
})

test('any single changed byte of a bundle with a dissent is noticed', async context => {
  const large = await makeBundle(8)
  assert.equal((await verifyBundle(large, trusted)).ok, true)
  const seed = 20_261_120
  context.diagnostic(`seed ${seed}, ${large.length} bytes`)
  await fc.assert(
    fc.asyncProperty(fc.nat(large.length - 1), fc.integer({ min: 1, max: 255 }), async (position, mask) => {
      const changed = Uint8Array.from(large)
      changed[position] = (large[position] ?? 0) ^ mask
      await assertRefused(changed, `a changed byte at ${position}`)
    }),
    { seed, numRuns: 1_000 },
  )
})

test('a base64 letter exchanged for another is noticed', async context => {
  const seed = 20_261_121
  context.diagnostic(`seed ${seed}`)
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/='
  await fc.assert(
    fc.asyncProperty(fc.nat(good.length - 1), fc.constantFrom(...letters), async (position, letter) => {
      const changed = Uint8Array.from(good)
      changed[position] = letter.charCodeAt(0)
      if (changed[position] !== good[position]) await assertRefused(changed, `${letter} at ${position}`)
    }),
    { seed, numRuns: 500 },
  )
})

test('arbitrary bytes never make it throw', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async bytes => {
      assert.equal((await verifyBundle(bytes)).ok, false)
    }),
    { seed: 3, numRuns: 300 },
  )
})
