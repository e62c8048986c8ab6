import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { auditLog } from '../../src/attest/audit/audit.ts'
import { doubleSequence } from '../../src/attest/audit/audit-reports.ts'
import { proveNewest } from '../../src/attest/audit/newest-roster.ts'
import { openLog } from '../../src/attest/audit/open-log.ts'
import {
  brokenReceipt,
  droppedDissent,
  faultBase,
  proveDocument,
  proveLeaf,
  wrongEvaluation,
} from '../../src/attest/audit/prove.ts'
import { readDocument } from '../../src/attest/documents.ts'
import { attestationId } from '../../src/attest/dsse.ts'
import { confirmFault, decodeFault, encodeFault, type Fault, isFault } from '../../src/attest/faults.ts'
import { type Entry, formatEntry } from '../../src/attest/log/entry.ts'
import { consistencyProof, leafHash } from '../../src/attest/log/merkle.ts'
import { signNote } from '../../src/attest/log/note.ts'
import { formatReceipt } from '../../src/attest/log/receipt.ts'
import { isCode } from '../../src/errors.ts'
import { toBase64, toHex } from '../../src/wire/bytes.ts'
import { bundleOf, makeLog } from '../helpers/log-maker.ts'
import type { Done, MadeLog, Tampering } from '../helpers/log-parts.ts'
import { answerFrom, ring } from '../helpers/log-people.ts'
import { testSigner } from '../helpers/small-log.ts'

const hashes = (made: MadeLog) => made.entries.map(entry => leafHash(formatEntry(entry)))

/** A promise to hold raw data, of a log that was last cosigned at `time`. */
async function receiptFault(made: MadeLog, entry: Entry, mergeBy: number): Promise<Fault> {
  const log = await openLog(made.source, { key: made.key, witnesses: [made.witness] })
  const body = formatReceipt({
    origin: made.maker.log.name,
    attestation: entry.id,
    leafHash: toHex(leafHash(formatEntry(entry))),
    issued: mergeBy - 600,
    mergeBy,
  })
  const [policy] = made.entries
  if (!policy) assert.fail()
  const receipt = await signNote(body, made.maker.log)
  const document = made.maker.policy
  return brokenReceipt(log, receipt, { index: 0, entry: policy, document }, hashes(made))
}

const rawEntry = async (made: MadeLog, done: Done): Promise<Entry> => {
  const { envelope } = await answerFrom(ring[0] ?? '', done.task.job, true)
  const of = made.entries.find(
    entry => entry.kind === 'raw' && entry.subject === done.task.job.subject.sha256,
  )
  return { kind: 'raw', id: attestationId(envelope), subject: of?.subject ?? '', purl: of?.purl ?? '' }
}

async function auditProof(tampering: Tampering, kind: Fault['kind'], seen: string[] = []): Promise<Fault> {
  const made = await makeLog(33, 10, tampering)
  const { faults } = await auditLog(made.source, { key: made.key, seen })
  return faults.find(fault => fault.proof?.kind === kind)?.proof ?? assert.fail(`no ${kind}`)
}

/** One fault of each kind and form that is really one. */
async function realFaults(): Promise<Record<string, Fault>> {
  const other = await makeLog(7, 3)
  const honest = await makeLog(33, 6)
  const [first] = honest.done
  if (!first) assert.fail()
  const grown = await makeLog(33, 7)
  const log = await openLog(honest.source, { key: honest.key })
  const rival = await openLog(other.source, { key: other.key })
  const wrong = await makeLog(33, 6, {
    report: statement => ({
      ...statement,
      predicate: { ...statement.predicate, flaky: ['tests/x.py::test_a'] },
    }),
  })
  const reported = wrong.done.find(done => done.report)
  if (!reported) assert.fail()
  const leafOf = async (made: MadeLog, index: number) =>
    proveLeaf(made === honest ? log : rival, index, made.entries[index] ?? assert.fail())
  const index = 2
  return {
    'fork of different sizes': await auditProof({}, 'fork', [other.note]),
    'fork of one size': await forkOfOneSize(),
    'fork by leaves': {
      schema: 'pyti.fault/1',
      kind: 'fork',
      log: honest.key,
      heads: [faultBase(log).checkpoint, faultBase(rival).checkpoint],
      leaves: {
        index,
        hashes: [
          toBase64(hashes(honest)[index] ?? assert.fail()),
          toBase64(hashes(other)[index] ?? assert.fail()),
        ],
        proofs: [(await leafOf(honest, index)).proof, (await leafOf(other, index)).proof],
      },
    },
    'dropped dissent': await auditProof(
      { voters: (voters, job) => (job === 5 ? voters.slice(1) : voters) },
      'dropped-dissent',
    ),
    'chosen seed': await auditProof(
      {
        draw(draw, { job }) {
          if (job === 5) draw.seed = toHex(new Uint8Array(32))
        },
      },
      'steered-draw',
    ),
    'second beacon': await auditProof(
      {
        async draw(draw, { maker, job, id }) {
          if (job === 5) Object.assign(draw, await maker.logBeacon(draw.roster, id))
        },
      },
      'steered-draw',
    ),
    'second roster': await auditProof(
      {
        async draw(draw, { maker, job, id }) {
          if (job !== 2) return
          maker.refresh()
          Object.assign(draw, await maker.logBeacon(maker.rosterBelow(), id))
        },
      },
      'steered-draw',
    ),
    'broken receipt': await receiptFault(honest, await rawEntry(grown, first), honest.maker.time - 10),
    'wrong evaluation': wrongEvaluation(bundleOf(reported)),
    'double sequence': await auditProof(
      {
        report(statement) {
          const { supersedes, ...predicate } = statement.predicate
          return supersedes === undefined
            ? statement
            : { ...statement, predicate: { ...predicate, sequence: 1 } }
        },
      },
      'double-sequence',
    ),
  }
}

async function forkOfOneSize(): Promise<Fault> {
  const [one, two] = [await makeLog(33, 0), await makeLog(34, 0)]
  two.maker.append({ kind: 'task', id: toHex(new Uint8Array(32)) })
  one.maker.append({ kind: 'task', id: toHex(new Uint8Array(32).fill(1)) })
  const [left, right] = [await one.maker.finish(), await two.maker.finish()]
  const { faults } = await auditLog(left.source, { key: left.key, seen: [right.note] })
  return faults[0]?.proof ?? assert.fail('no fork')
}

describe('fault proofs: real ones', async () => {
  const faults = await realFaults()
  for (const [name, fault] of Object.entries(faults)) {
    const bytes = encodeFault(fault)

    it(`${name}: confirmed from its file alone`, async () => {
      assert.ok(isFault(bytes))
      const { kind, accused, detail } = await confirmFault(decodeFault(bytes))
      assert.equal(kind, fault.kind)
      assert.match(accused, /^(?:log\.example\/pyti\+|12D3KooW)/)
      assert.ok(detail.length > 20)
    })

    it(`${name}: worth nothing when one byte is changed`, () =>
      fc.assert(
        fc.asyncProperty(
          fc.nat(bytes.length - 1),
          fc.integer({ min: 1, max: 255 }),
          async (at, difference) => {
            const changed = Uint8Array.from(bytes)
            changed[at] = (changed[at] ?? 0) ^ difference
            assert.equal(await holds(changed), false)
          },
        ),
        { seed: 1, numRuns: 150 },
      ))
  }
})

async function holds(bytes: Uint8Array): Promise<boolean> {
  try {
    await confirmFault(decodeFault(bytes))
    return true
  } catch (error) {
    if (isCode(error, 'bad-fault', 'not-a-fault')) return false
    throw error
  }
}

/** Every accusation that can be put together from an honest log, in the right form. */
async function* accusations(made: MadeLog): AsyncGenerator<Fault> {
  const log = await openLog(made.source, { key: made.key, witnesses: [made.witness] })
  const entryAt = (index: number) => made.entries[index] ?? assert.fail()
  const documentAt = (index: number) =>
    readDocument(made.files.get(`document/${entryAt(index).id}`) ?? assert.fail(`no document ${index}`))
  const at = (index: number) => ({ index, entry: entryAt(index) })
  const answers = made.done.flatMap(done => done.answers)
  const reports = made.done.flatMap(({ report }) => (report ? [report] : []))
  for (const report of reports)
    for (const { logIndex, envelope } of answers)
      yield await droppedDissent(
        log,
        { ...at(logIndex), envelope },
        { ...at(report.index), envelope: report.envelope },
      )
  for (const one of reports) for (const other of reports) yield doubleSequence(one.envelope, other.envelope)
  for (const done of made.done) if (done.report) yield wrongEvaluation(bundleOf(done))
  const marks = made.entries.flatMap(({ kind }, index) =>
    kind === 'beacon' || kind === 'roster' ? [index] : [],
  )
  for (const { close, closeIndex } of made.done) {
    if (!close.draw) continue
    const prove = async (index: number) => {
      const document = documentAt(index)
      if (document.schema === 'pyti.withdrawal/1' || document.schema === 'pyti.root/1') assert.fail()
      return proveDocument(log, at(index), document)
    }
    const base = {
      ...faultBase(log),
      kind: 'steered-draw' as const,
      close: await prove(closeIndex),
      task: await prove(close.task),
    }
    const [roster, beacon] = [await prove(close.draw.roster), await prove(close.draw.beacon)]
    yield base
    for (const mark of marks) {
      const accusation = { ...base, roster, beacon, other: await prove(mark) }
      yield accusation
      const { size } = made.maker.beacons.find(({ index }) => index === mark) ?? { size: 0 }
      for (const [index, document] of made.maker.rosters) {
        if (index >= size) continue
        const newest = await proveNewest(made.source, log, { index, document }, size)
        if (newest) yield { ...accusation, newest }
      }
    }
  }
  for (const { note, size } of made.maker.notes) {
    if (size === 0) continue
    const older = await openLog(
      { fetch: async path => (path === 'checkpoint' ? Buffer.from(note) : undefined) },
      { key: made.key },
    )
    const { checkpoint: small } = faultBase(older)
    const { checkpoint, ...head } = faultBase(log)
    const proof = (await consistencyProof(size, log.checkpoint.size, log.read)).map(toBase64)
    yield { ...head, kind: 'fork', heads: [small, checkpoint] }
    yield {
      ...head,
      kind: 'fork',
      heads: [small, checkpoint],
      prefix: { root: toBase64(older.checkpoint.root), proof },
    }
    yield {
      ...head,
      kind: 'fork',
      heads: [small, checkpoint],
      prefix: { root: toBase64(log.checkpoint.root), proof },
    }
  }
  for (const { logIndex } of answers)
    yield await receiptFault(made, entryAt(logIndex), made.maker.time - 1_000)
  const [first] = made.done
  // Due after the last time the witness signed.
  if (first) yield await receiptFault(made, await rawEntry(made, first), made.maker.time + 1)
}

describe('fault proofs: witnesses', () => {
  const absent = ['a.example', 'b.example'].map(name => testSigner(name).witnessVkey)
  const accuse = async (mute: readonly string[], threshold?: number) => {
    const made = await makeLog(3, 6, {}, { mute, threshold })
    const last = (await makeLog(3, 9)).done.at(-1) ?? assert.fail()
    return confirmFault(await receiptFault(made, await rawEntry(made, last), made.maker.time - 10))
  }

  it('so few that they may have missed newer trees prove no broken promise', async () => {
    assert.equal((await accuse([])).kind, 'receipt')
    await assert.rejects(accuse(absent.slice(1), 1), /so few witnesses may never have seen a newer tree/)
    await assert.rejects(accuse(absent, 1), /so few witnesses/)
  })

  it('fewer than the policy asks for make no beacon', async () => {
    await assert.rejects(
      makeLog(3, 6, {}, { mute: absent }),
      /1 of 3 witnesses signed the checkpoint, 3 must/,
    )
  })
})

describe('fault proofs: false ones', () => {
  it('proves nothing against honest entries', async t => {
    let tried = 0
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 1e6 }), async seed => {
        const made = await makeLog(seed, 7, {}, { lies: 600, wobbles: 200, known: 100, late: 4 })
        for await (const fault of accusations(made)) {
          tried += 1
          const bytes = encodeFault(fault)
          assert.equal(
            await holds(bytes),
            false,
            `seed ${seed}: ${new TextDecoder().decode(bytes).slice(0, 500)}`,
          )
        }
      }),
      { seed: 1, numRuns: 2 },
    )
    t.diagnostic(`${tried} accusations, none confirmed`)
    assert.ok(tried > 400, `${tried}`)
  })

  it('takes no file of another form', () => {
    const fault: Fault = doubleSequence(...pairOfEnvelopes())
    for (const text of [
      '',
      '{}\n',
      '[]\n',
      `${JSON.stringify(fault)}`,
      `${JSON.stringify({ ...fault, more: 1 })}\n`,
    ])
      assert.throws(() => decodeFault(Buffer.from(text)), { code: 'bad-fault' })
    assert.ok(!isFault(Buffer.from('{"payload":"","payloadType":"","signatures":[]}\n')))
  })
})

function pairOfEnvelopes() {
  const envelope = (payload: string) => ({ payload, payloadType: 'x', signatures: [] })
  return [envelope('AAAA'), envelope('BBBB')] as const
}
