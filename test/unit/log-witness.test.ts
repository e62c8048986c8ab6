import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatCheckpoint, openCheckpoint } from '../../src/attest/log/checkpoint.ts'
import { consistencyProof, emptyRoot } from '../../src/attest/log/merkle.ts'
import { addSignature, signNote } from '../../src/attest/log/note.ts'
import { formatRequest, respond, type WitnessState } from '../../src/attest/log/witness.ts'
import { numberedTree, testNoteSigner, vkeyOf } from '../helpers/log.ts'

const log = testNoteSigner('pyti.example/log')
const signer = testNoteSigner('witness.example')
const logVkey = vkeyOf(log, 1)
const config = { log: logVkey, signer, time: 1_767_139_200 }
const tree = numberedTree(20)

const noteAt = (size: number, root = numberedTree(size).root(), by = log) =>
  signNote(formatCheckpoint({ origin: by.name, size, root }), by)
const proofTo = (oldSize: number, size: number) => consistencyProof(oldSize, size, tree.read)
const stateAt = async (size: number): Promise<WitnessState> => ({
  size,
  root: numberedTree(size).root(),
  note: await noteAt(size),
})
const requestTo = async (oldSize: number, size: number) =>
  formatRequest({ oldSize, proof: await proofTo(oldSize, size), note: await noteAt(size) })
const frozen = (state: WitnessState | undefined) => JSON.stringify(state)

test('a log from its first checkpoint on: every answer cosigns, every state follows', async () => {
  let state: WitnessState | undefined
  for (const [oldSize, size] of [
    [0, 0],
    [0, 7],
    [7, 8],
    [8, 8],
    [8, 20],
  ] as const) {
    const { status, body, next } = await respond(state, await requestTo(oldSize, size), config)
    assert.equal(status, 200)
    const note = await noteAt(size)
    assert.deepEqual(next, { size, root: numberedTree(size).root(), note })
    const { witnesses } = await openCheckpoint(addSignature(note, body), logVkey, [vkeyOf(signer, 4)])
    assert.deepEqual(
      witnesses.map(({ time, line }) => ({ time, line })),
      [{ time: config.time, line: body }],
    )
    state = next
  }
})

test('409 with the size that the witness is at', async () => {
  for (const oldSize of [0, 6, 8]) {
    const answer = await respond(await stateAt(7), await requestTo(oldSize, 12), config)
    assert.deepEqual(answer, { status: 409, body: '7\n' })
  }
  assert.deepEqual(await respond(undefined, await requestTo(3, 12), config), { status: 409, body: '0\n' })
})

test('409 for a second root of one size', async () => {
  const note = await noteAt(7, numberedTree(6).root())
  const request = formatRequest({ oldSize: 7, proof: [], note })
  assert.deepEqual(await respond(await stateAt(7), request, config), { status: 409, body: '7\n' })
})

test('422 for a proof that does not hold', async () => {
  const proof = await proofTo(7, 12)
  const [first, second, ...rest] = proof
  assert.ok(first && second)
  for (const bad of [
    [],
    proof.slice(1),
    proof.slice(0, -1),
    [...proof, emptyRoot],
    [second, first, ...rest],
    await proofTo(6, 12),
    await proofTo(7, 13),
  ]) {
    const request = formatRequest({ oldSize: 7, proof: bad, note: await noteAt(12) })
    const { status, next } = await respond(await stateAt(7), request, config)
    assert.deepEqual({ status, next }, { status: 422, next: undefined })
  }
})

test('422 for another history, for a proof where none belongs, and for leaves out of nothing', async () => {
  const rewritten = formatRequest({
    oldSize: 7,
    proof: await proofTo(7, 12),
    note: await noteAt(12, emptyRoot),
  })
  assert.equal((await respond(await stateAt(7), rewritten, config)).status, 422)
  const more = formatRequest({ oldSize: 7, proof: [emptyRoot], note: await noteAt(7) })
  assert.equal((await respond(await stateAt(7), more, config)).status, 422)
  const first = formatRequest({ oldSize: 0, proof: [emptyRoot], note: await noteAt(7) })
  assert.equal((await respond(undefined, first, config)).status, 422)
  const nothing = formatRequest({ oldSize: 0, proof: [], note: await noteAt(0, tree.root()) })
  assert.equal((await respond(undefined, nothing, config)).status, 422)
})

test('404 for another log, 403 for another key', async () => {
  const other = testNoteSigner('other.example/log')
  const strange = formatRequest({ oldSize: 0, proof: [], note: await noteAt(7, tree.root(), other) })
  assert.equal((await respond(undefined, strange, config)).status, 404)
  const forger = testNoteSigner('pyti.example/log', 'forger')
  const forged = formatRequest({ oldSize: 0, proof: [], note: await noteAt(7, tree.root(), forger) })
  assert.equal((await respond(undefined, forged, config)).status, 403)
  const changed = (await requestTo(0, 7)).replace('\n7\n', '\n8\n')
  assert.equal((await respond(undefined, changed, config)).status, 403)
})

test('403 comes before anything about sizes, so a stranger learns nothing', async () => {
  const forger = testNoteSigner('pyti.example/log', 'forger')
  const note = await noteAt(7, tree.root(), forger)
  for (const oldSize of [3, 9]) {
    const request = formatRequest({ oldSize, proof: [], note })
    assert.equal((await respond(await stateAt(5), request, config)).status, 403)
  }
})

test('400 for an old size above the new one', async () => {
  const request = formatRequest({ oldSize: 8, proof: [], note: await noteAt(7) })
  assert.equal((await respond(await stateAt(8), request, config)).status, 400)
})

test('400 for what is no request', async () => {
  const good = await requestTo(7, 12)
  const hash = Buffer.from(emptyRoot).toString('base64')
  for (const bad of [
    '',
    'old 7',
    'old 7\n\n',
    good.replace('old 7', 'old 07'),
    good.replace('old 7', 'old -7'),
    good.replace('old 7', 'Old 7'),
    good.replace('old 7', 'old  7'),
    good.replace('old 7', 'old 9007199254740992'),
    good.replace('old 7\n', ''),
    good.replace('\n\n', '\n'),
    good.replace('\n\n', '\n\n\n'),
    good.replace('old 7\n', 'old 7\nAAAA\n'),
    good.replace('old 7\n', `old 7\n${`${hash}\n`.repeat(64)}`),
    good.replace('pyti.example/log\n12', 'pyti.example/log\n012'),
    good.slice(0, -1),
    `${good}x`,
    `old 7\n\nno checkpoint\n\n— a AAAAAAAA\n`,
    `${good}${'— a AAAAAAAA\n'.repeat(101)}`,
    `${good}— a ${'AAAA'.repeat(40_000)}\n`,
  ]) {
    const { status, next } = await respond(await stateAt(7), bad, config)
    assert.deepEqual({ status, next }, { status: 400, next: undefined }, bad.slice(0, 200))
  }
})

test('signatures of others change nothing', async () => {
  const other = testNoteSigner('other.example/log')
  const line = (await noteAt(12, tree.root(), other)).split('\n\n')[1] ?? ''
  const request = (await requestTo(7, 12)) + line
  assert.equal((await respond(await stateAt(7), request, config)).status, 200)
})

test('the state given is left alone: of two requests from one state the caller can refuse the second', async () => {
  const state = await stateAt(7)
  const before = frozen(state)
  const [one, other] = await Promise.all([
    respond(state, await requestTo(7, 12), config),
    respond(state, await requestTo(7, 9), config),
  ])
  assert.equal(frozen(state), before)
  assert.deepEqual([one.next?.size, other.next?.size], [12, 9])
  // Whoever comes second is asked again with what was stored.
  assert.deepEqual(await respond(one.next, await requestTo(7, 9), config), { status: 409, body: '12\n' })
})

test('a signer that fails leaves no state behind', async () => {
  const failing = { ...signer, sign: () => Promise.reject(new Error('key is gone')) }
  await assert.rejects(
    respond(undefined, await requestTo(0, 7), { ...config, signer: failing }),
    /key is gone/,
  )
})

test('a request with more hashes than a witness takes is not made', async () => {
  const proof = Array.from({ length: 64 }, () => emptyRoot)
  const note = await noteAt(7)
  assert.throws(() => formatRequest({ oldSize: 1, proof, note }), { code: 'bad-proof' })
})
