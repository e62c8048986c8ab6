import assert from 'node:assert/strict'
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { decodeBundle, encodeBundle } from '../../src/attest/bundle.ts'
import type { CheckName } from '../../src/attest/checks.ts'
import { cosign } from '../../src/attest/log/checkpoint.ts'
import { addSignature, formatVkey, parseNote, signNote } from '../../src/attest/log/note.ts'
import { parseProof } from '../../src/attest/log/proof-file.ts'
import { openRoots, type RootState } from '../../src/attest/root.ts'
import type { RootDocument } from '../../src/attest/root-document.ts'
import { nextRoot } from '../../src/attest/root-draft.ts'
import { verifyBundle } from '../../src/attest/verify.ts'
import { openKeptRoot } from '../../src/cli/kept-roots.ts'
import { bundleOf, coordinator, honestReport, signVote, testLog, testLogKey } from '../helpers/bundle.ts'
import { told } from '../helpers/expect.ts'
import { testIdentity, testJob, testRawData } from '../helpers/raw-data.ts'
import { rootFile, rootPeople, rootsMadeAt, rootWitness, rootWitnessKey, testRoot } from '../helpers/roots.ts'
import { withDirectory } from '../helpers/temporary.ts'

const job = testJob()
const votes = await Promise.all(
  [0, 1, 2].map(seed =>
    signVote({ identity: testIdentity(`volunteer ${seed}`), rawData: testRawData({ job, seed }) }),
  ),
)
const good = await bundleOf(votes, honestReport(votes, job))
/** The log of the test bundle has six leaves; the report is the last. */
const reportLeaf = 5
const expires = '2028-11-20T12:00:00Z'
const other = testIdentity('another key')
const otherLogKey = formatVkey(testLog.name, 1, other.publicKey)

async function stateOf(document: RootDocument): Promise<RootState> {
  return openRoots(await rootFile([{ ...document, version: 1 }, rootPeople.slice(0, 2)]), rootsMadeAt)
}

async function check(document: RootDocument, bytes = good) {
  const { ok, checks } = await verifyBundle(bytes, { root: await stateOf(document) })
  const failed = checks.filter(({ state }) => state === 'failed').map(({ name }) => name)
  const stateAt = (name: CheckName) => checks.find(one => one.name === name)?.state
  const detail = checks.find(({ name }) => name === 'root')?.detail ?? ''
  return { ok, failed, stateAt, detail }
}

/** The same bundle with another note in all of its proofs. */
async function withNote(change: (note: string) => string | Promise<string>): Promise<Uint8Array> {
  const { report, rawData, blobs, proofs } = decodeBundle(good)
  const { checkpoint } = parseProof(proofs[0] ?? '')
  const changed = await change(checkpoint)
  return encodeBundle({
    report,
    rawData,
    blobs: [...blobs.values()],
    proofs: proofs.map(proof => proof.replace(checkpoint, changed)),
  })
}
const cosigned = withNote(async note =>
  addSignature(
    note,
    await cosign(parseNote(note).text, 1_764_000_000, { ...rootWitness, name: 'witness.example' }),
  ),
)

describe('a report and a root', () => {
  it('says which report key and which log to trust', async () => {
    const { ok, stateAt, detail } = await check(testRoot())
    assert.equal(ok, true)
    for (const name of ['coordinator-key', 'log-key', 'root'] as const)
      assert.equal(stateAt(name), 'ok', name)
    assert.equal(stateAt('witnesses'), 'unknown')
    assert.match(detail, /leaf 5/)
  })
  it('without a root the check is unknown', async () => {
    const { checks } = await verifyBundle(good)
    assert.equal(checks.find(({ name }) => name === 'root')?.state, 'unknown')
  })
  it('a report key holds from its first leaf up to, not with, its end', async () => {
    const at = (leaf: number) => nextRoot(testRoot(), { expires, reportKey: other.peerId, at: leaf })
    assert.deepEqual((await check(at(reportLeaf + 1))).failed, [])
    assert.deepEqual((await check(at(reportLeaf))).failed, ['root'])
    const starts = (fromIndex: number) =>
      testRoot({ report: { keys: [{ key: coordinator.peerId, log: testLog.name, fromIndex }] } })
    assert.deepEqual((await check(starts(reportLeaf))).failed, [])
    assert.deepEqual((await check(starts(reportLeaf + 1))).failed, ['root'])
  })
  it('a key that is no report key at all', async () =>
    assert.deepEqual(
      (await check(nextRoot(testRoot(), { expires, reportKey: other.peerId, at: 0 }))).failed,
      ['coordinator-key', 'root'],
    ))
  it('keys of other roles sign no report', async () => {
    const wrong = testRoot({
      root: {
        keys: [coordinator.peerId, ...rootPeople.slice(0, 2).map(({ peerId }) => peerId)],
        threshold: 2,
      },
      report: { keys: [{ key: other.peerId, log: testLog.name, fromIndex: 0 }] },
    })
    assert.deepEqual((await check(wrong)).failed, ['coordinator-key', 'root'])
  })
  it('a trusted key that is given too must be the one', async () => {
    const { checks } = await verifyBundle(good, {
      root: await stateOf(testRoot()),
      trustedKeys: [other.peerId],
    })
    assert.deepEqual(
      checks.filter(({ state }) => state === 'failed').map(({ name }) => name),
      ['coordinator-key'],
    )
  })
  it('a log key holds for checkpoints whose last leaf is in its range', async () => {
    const at = (leaf: number) => nextRoot(testRoot(), { expires, logKey: otherLogKey, at: leaf })
    assert.deepEqual((await check(at(reportLeaf + 1))).failed, [])
    assert.deepEqual((await check(at(reportLeaf))).failed, ['log-inclusion'])
    const signedAgain = await withNote(note =>
      signNote(parseNote(note).text, { ...other, name: testLog.name }),
    )
    assert.deepEqual((await check(at(reportLeaf), signedAgain)).failed, [])
    assert.deepEqual((await check(at(reportLeaf + 1), signedAgain)).failed, ['log-inclusion'])
  })
  it('another log', async () => {
    const key = formatVkey('other.example/log', 1, testLog.publicKey)
    const document = testRoot({
      log: { keys: [{ key, fromIndex: 0 }] },
      report: { keys: [{ key: coordinator.peerId, log: 'other.example/log', fromIndex: 0 }] },
    })
    assert.deepEqual((await check(document)).failed, ['log-inclusion', 'log-key'])
  })
  it('a report key of another log only', async () => {
    const document = testRoot({
      log: {
        keys: [
          { key: testLogKey, fromIndex: 0 },
          { key: formatVkey('other.example/log', 1, other.publicKey), fromIndex: 0 },
        ],
      },
      report: { keys: [{ key: coordinator.peerId, log: 'other.example/log', fromIndex: 0 }] },
    })
    assert.deepEqual((await check(document)).failed, ['root'])
  })
  it('enough of its witnesses must have signed', async () => {
    const second = formatVkey('other-witness.example', 4, other.publicKey)
    const witnesses = (keys: string[], threshold: number) => testRoot({ witness: { keys, threshold } })
    assert.deepEqual((await check(witnesses([rootWitnessKey], 1))).failed, ['witnesses'])
    assert.deepEqual((await check(witnesses([rootWitnessKey], 1), await cosigned)).failed, [])
    assert.deepEqual((await check(witnesses([rootWitnessKey, second], 1), await cosigned)).failed, [])
    assert.deepEqual((await check(witnesses([rootWitnessKey, second], 2), await cosigned)).failed, [
      'witnesses',
    ])
  })
})

describe('roots seen before', () => {
  const [ann, ben, cy] = rootPeople
  assert(ann && ben && cy)
  const first = testRoot()
  const second = nextRoot(first, { expires })
  const forked = nextRoot(first, { expires, removeRootKeys: [cy.peerId] })
  const steps = {
    first: [[first, [ann, ben]]],
    second: [
      [first, [ann, ben]],
      [second, [ann, ben]],
    ],
    more: [
      [first, [cy, ben]],
      [second, [cy, ben]],
      [nextRoot(second, { expires }), [ann, ben]],
    ],
    forked: [
      [first, [ann, ben]],
      [forked, [ann, ben]],
    ],
  } as const
  const inFolder = (
    use: (open: (name: keyof typeof steps) => Promise<RootState>, dir: string) => Promise<void>,
  ) =>
    withDirectory(dir =>
      use(async name => {
        const path = join(dir, `${name}.jsonl`)
        await writeFile(path, await rootFile(...steps[name]))
        return openKeptRoot(path, join(dir, 'roots'), rootsMadeAt)
      }, dir),
    )

  it('a lower version than one seen is refused, a higher one taken', () =>
    inFolder(async open => {
      assert.equal((await open('first')).document.version, 1)
      assert.equal((await open('second')).document.version, 2)
      await assert.rejects(open('first'), told('root-rollback', /version 1.*version 2/))
      assert.equal((await open('second')).document.version, 2)
      assert.equal((await open('more')).document.version, 3)
      await assert.rejects(open('second'), told('root-rollback'))
    }))
  it('another document as a version seen is refused', () =>
    inFolder(async (open, dir) => {
      await open('second')
      await assert.rejects(open('forked'), told('root-forked'))
      const foreign = testRoot({ root: { keys: [cy.peerId], threshold: 1 } })
      await writeFile(
        join(dir, 'foreign.jsonl'),
        await rootFile([foreign, [cy]], [{ ...foreign, version: 2 }, [cy]]),
      )
      await assert.rejects(
        openKeptRoot(join(dir, 'foreign.jsonl'), join(dir, 'roots'), rootsMadeAt),
        told('root-forked'),
      )
    }))
  it('roots that are refused are not kept', () =>
    inFolder(async (open, dir) => {
      await open('first')
      const late = Date.parse(expires)
      await writeFile(join(dir, 'late.jsonl'), await rootFile(...steps.more))
      await assert.rejects(
        openKeptRoot(join(dir, 'late.jsonl'), join(dir, 'roots'), late),
        told('root-expired'),
      )
      const logs = await readdir(join(dir, 'roots'))
      assert.equal(logs.length, 1)
      assert.deepEqual(await readdir(join(dir, 'roots', logs[0] ?? '')), ['1'])
    }))
  it('a folder that cannot be written is an error, not a root that is forgotten', () =>
    inFolder(async (open, dir) => {
      await writeFile(join(dir, 'roots'), 'a file')
      await assert.rejects(open('first'), told('root-not-kept'))
    }))
  it('what others leave in the folder is passed over', () =>
    inFolder(async (open, dir) => {
      await open('first')
      const [log = ''] = await readdir(join(dir, 'roots'))
      for (const name of ['9.part', 'x', '007', '99999999999'])
        await writeFile(join(dir, 'roots', log, name), 'x')
      assert.equal((await open('second')).document.version, 2)
    }))
})
