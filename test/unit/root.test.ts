import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { sign, statementType } from '../../src/attest/dsse.ts'
import { formatVkey } from '../../src/attest/log/note.ts'
import { openRoots, signRoot } from '../../src/attest/root.ts'
import type { RootDocument } from '../../src/attest/root-document.ts'
import { nextRoot } from '../../src/attest/root-draft.ts'
import {
  decodeRoots,
  draftOf,
  encodeRoots,
  rootFileBytes,
  rootPayloadType,
} from '../../src/attest/root-file.ts'
import { peerIdFromPublicKey } from '../../src/peer-id.ts'
import { canonicalBytes } from '../../src/wire/canonical.ts'
import { coordinator, testLog, testLogKey } from '../helpers/bundle.ts'
import { told } from '../helpers/expect.ts'
import { type TestIdentity, testIdentity } from '../helpers/raw-data.ts'
import {
  rootFile,
  rootPeople,
  rootsMadeAt,
  rootWitness,
  rootWitnessKey,
  signedRoots,
  testRoot,
} from '../helpers/roots.ts'

const [ann, ben, cy, dee] = rootPeople as [TestIdentity, TestIdentity, TestIdentity, TestIdentity]
const now = rootsMadeAt
const expires = '2028-11-20T12:00:00Z'
const first = testRoot()
/** Cy's key goes, Dee's comes. */
const second = nextRoot(first, { expires, removeRootKeys: [cy.peerId], addRootKeys: [dee.peerId] })
const newReportKey = testIdentity('new report key').peerId
const third = nextRoot(second, { expires, reportKey: newReportKey, at: 100 })

const opens = async (file: Uint8Array | Promise<Uint8Array>, at = now) =>
  (await openRoots(await file, at)).document
const refused = (file: Uint8Array | Promise<Uint8Array>, code = 'bad-root', message?: RegExp, at = now) =>
  assert.rejects(async () => openRoots(await file, at), told(code, message))
/** Lines as nobody's tools would write them. */
const raw = async (
  ...lines: readonly (readonly [document: unknown, signer: TestIdentity, type?: string])[]
) => {
  const envelopes = await Promise.all(
    lines.map(([document, signer, type = rootPayloadType]) => sign(type, canonicalBytes(document), signer)),
  )
  return Buffer.concat(envelopes.map(envelope => Buffer.from(`${Buffer.from(canonicalBytes(envelope))}\n`)))
}

describe('a chain of roots', () => {
  it('is walked from version 1, each signed by enough keys of the one before and of its own', async () => {
    const chain = rootFile([first, [ann, ben]], [second, [ann, cy, dee]], [third, [ann, dee]])
    assert.deepEqual(await opens(chain), third)
    assert.deepEqual(await opens(rootFile([first, [cy, ben]])), first)
    const { ids } = await openRoots(await chain, now)
    assert.equal(ids.length, 3)
  })
  it('too few keys of its own', () =>
    refused(rootFile([first, [ann]]), 'bad-root', /1 of the own root keys, 2/))
  it('too few keys of the version before', () =>
    refused(rootFile([first, [ann, ben]], [second, [ann, dee]]), 'bad-root', /1 of the earlier root keys, 2/))
  it('too few keys of the new version, all of the old', () => {
    const others = ['eve', 'flo'].map(name => testIdentity(name).peerId)
    const replaced = nextRoot(first, {
      expires,
      removeRootKeys: [ben.peerId, cy.peerId],
      addRootKeys: others,
    })
    return refused(
      rootFile([first, [ann, ben]], [replaced, [ann, ben, cy]]),
      'bad-root',
      /1 of the own root keys, 2/,
    )
  })
  it('a new version that asks for more signatures needs them at once', async () => {
    const strict = nextRoot(first, { expires, threshold: 3 })
    await refused(
      rootFile([first, [ann, ben]], [strict, [ann, ben]]),
      'bad-root',
      /2 of the own root keys, 3/,
    )
    assert.equal((await opens(rootFile([first, [ann, ben]], [strict, [ann, ben, cy]]))).version, 2)
  })
  it('keys taken away do not sign the version after', async () => {
    const chain = await rootFile([first, [ann, ben]], [second, [ann, cy, dee]])
    const next = await raw([third, ann], [third, cy])
    await refused(Buffer.concat([chain, next]), 'bad-root', /needs none of/)
  })
  it('one key that signs twice counts once', () =>
    refused(raw([first, ann], [first, ann]), 'bad-root', /by 1 of/))
  it('a signature of a stranger is refused, not passed over', () =>
    refused(raw([first, ann], [first, ben], [first, dee]), 'bad-root', /needs none of/))
  it('a signature that claims the key of another', async () => {
    const [own, other] = (await raw([first, ann], [first, dee]))
      .toString()
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line))
    const forged = { ...other, signatures: [{ ...other.signatures[0], keyid: own.signatures[0].keyid }] }
    await refused(Buffer.from(`${JSON.stringify(forged)}\n`), 'bad-root', /does not fit/)
  })
  it('versions with a gap, twice, or not from 1', async () => {
    await refused(
      raw([first, ann], [first, ben], [third, ann], [third, dee]),
      'bad-root',
      /version 3 stands where version 2/,
    )
    await refused(raw([second, ann], [second, dee]), 'bad-root', /version 2 stands where version 1/)
    await refused(
      raw([first, ann], [first, ben], [{ ...first, expires }, ann]),
      'bad-root',
      /version 1 stands/,
    )
  })
  it('a draft at the end is refused by readers, and may be signed', async () => {
    const signed = await signedRoots([first, [ann, ben]])
    const withDraft = encodeRoots([...signed, draftOf(second)])
    await refused(withDraft, 'bad-root', /version 2 is signed by 0/)
    const [one, draft] = decodeRoots(withDraft)
    assert(one && draft)
    let version = draft
    for (const signer of [ann, ben, dee, dee]) version = await signRoot(version, one, signer)
    assert.equal(version.envelopes.length, 3)
    assert.deepEqual(await opens(encodeRoots([one, version])), second)
    await assert.rejects(signRoot(version, one, testIdentity('stranger')), told('not-a-root-key'))
  })
  it('expires, the last version only', async () => {
    const at = Date.parse(first.expires)
    const chain = rootFile([first, [ann, ben]], [second, [ann, ben]])
    assert.equal((await opens(chain, at + 1)).version, 2)
    assert.equal((await opens(rootFile([first, [ann, ben]]), at - 1)).version, 1)
    for (const late of [at, at + 1, Number.NaN])
      await refused(rootFile([first, [ann, ben]]), 'root-expired', undefined, late)
    await refused(raw([{ ...first, expires: '2027-99-20T12:00:00Z' }, ann]), 'bad-root', /no time/)
  })
})

describe('signatures of other kinds', () => {
  it('a root in the type of reports and raw data', () =>
    refused(raw([first, ann, statementType], [first, ben]), 'bad-envelope'))
  it('a signature over the type of statements, moved to a root', async () => {
    const text = (await raw([first, ann, statementType], [first, ben, statementType])).toString()
    await refused(Buffer.from(text.replaceAll(statementType, rootPayloadType)), 'bad-root', /does not fit/)
  })
})

describe('a root that makes no sense', () => {
  const { roles } = first
  const [logEntry] = roles.log.keys
  const [reportEntry] = roles.report.keys
  assert(logEntry && reportEntry)
  const own = (seed: string, type: 1 | 4 = 1, name = testLog.name) =>
    formatVkey(name, type, testIdentity(seed).publicKey)
  const order8 = Buffer.from('c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a', 'hex')
  const oddVkey = testLogKey.replace(/.{43}=?$/, `${'A'.repeat(43)}=`)
  const witnesses = (keys: string[], threshold: number) => testRoot({ witness: { keys, threshold } })
  const reports = (...keys: RootDocument['roles']['report']['keys']) => testRoot({ report: { keys } })
  const logs = (...keys: RootDocument['roles']['log']['keys']) => testRoot({ log: { keys } })
  const roots = (keys: string[], threshold: number) => testRoot({ root: { keys, threshold } })

  const bad: Record<string, [unknown, RegExp?]> = {
    'a root key twice': [roots([ann.peerId, ann.peerId, ben.peerId], 2), /two places/],
    'a root key for reports': [reports({ ...reportEntry, key: ann.peerId }), /two places/],
    'a root key as witness': [witnesses([formatVkey('w.example', 4, ann.publicKey)], 1), /two places/],
    'the report key as log key': [
      logs({ key: formatVkey(testLog.name, 1, coordinator.publicKey), fromIndex: 0 }),
      /two places/,
    ],
    'the log key as witness': [witnesses([formatVkey('w.example', 4, testLog.publicKey)], 1), /two places/],
    'one witness under two names': [
      witnesses([rootWitnessKey, formatVkey('other.example', 4, rootWitness.publicKey)], 2),
      /two places/,
    ],
    'a log key as witness by type': [witnesses([own('w', 1)], 1), /that of a log/],
    'a witness key as log': [logs({ key: own('l', 4), fromIndex: 0 }), /that of a witness/],
    'a threshold above the number of keys': [roots([ann.peerId], 2), /fewer root keys/],
    'a threshold of none': [roots([ann.peerId], 0)],
    'more witnesses needed than there are': [witnesses([rootWitnessKey], 2), /fewer witnesses/],
    'witnesses of whom none must sign': [witnesses([rootWitnessKey], 0), /none of them/],
    'a root key of small order': [
      roots([peerIdFromPublicKey(Uint8Array.of(1, ...new Uint8Array(31))), ann.peerId, ben.peerId], 2),
      /prime order/,
    ],
    'a root key with a small-order part': [
      roots([peerIdFromPublicKey(order8), ann.peerId, ben.peerId], 2),
      /prime order/,
    ],
    'a report key of small order': [
      reports({ ...reportEntry, key: peerIdFromPublicKey(order8) }),
      /prime order/,
    ],
    'a log key that is none': [logs({ ...logEntry, key: oddVkey })],
    'no log key': [logs()],
    'a report key for a log without a key': [
      reports({ ...reportEntry, log: 'other.example/log' }),
      /no key of the log/,
    ],
    'a range without a leaf': [reports({ ...reportEntry, fromIndex: 5, toIndex: 5 }), /no leaf/],
    'two ranges of one report key that meet': [
      reports({ ...reportEntry, toIndex: 10 }, { ...reportEntry, fromIndex: 9 }),
      /share a leaf/,
    ],
    'two log keys for one leaf': [
      logs({ ...logEntry, toIndex: 10 }, { key: own('l'), fromIndex: 9 }),
      /share a leaf/,
    ],
    'two open log keys': [logs(logEntry, { key: own('l'), fromIndex: 9 }), /share a leaf/],
    'a field too many': [{ ...first, more: 1 }],
    'version 0': [{ ...first, version: 0 }],
    'an index with a fraction below zero': [reports({ ...reportEntry, fromIndex: -1 })],
    'another schema': [{ ...first, schema: 'pyti.policy/1' }],
  }
  for (const [what, [document, message]] of Object.entries(bad))
    it(what, () => refused(raw([document, ann], [document, ben]), 'bad-root', message))

  it('ranges of one key that do not meet, and of two logs, are fine', async () => {
    const other = own('other log', 1, 'other.example/log')
    const document = testRoot({
      log: {
        keys: [
          { ...logEntry, toIndex: 10 },
          { key: other, fromIndex: 0 },
        ],
      },
      report: {
        keys: [
          { ...reportEntry, toIndex: 9 },
          { ...reportEntry, log: 'other.example/log' },
        ],
      },
    })
    assert.deepEqual(await opens(rootFile([document, [ann, ben]])), document)
  })
})

describe('the file', () => {
  it('any changed byte is noticed', async context => {
    const seed = 20_261_126
    context.diagnostic(`seed ${seed}`)
    const good = await rootFile([first, [ann, ben]], [second, [ann, ben]])
    assert.equal((await opens(good)).version, 2)
    const text = Buffer.from(good).toString()
    const noticed = (at: number, mask: number) => {
      const changed = Uint8Array.from(good)
      changed[at] = (changed[at] ?? 0) ^ mask
      return assert.rejects(openRoots(changed, now), `byte ${at} ^ ${mask}`)
    }
    // One byte of each kind in the first and the last line: names, key id, signature, payload, type, brackets, newline.
    const last = text.lastIndexOf('{"payload"')
    for (const start of [0, last])
      for (const word of [
        '{',
        'payload"',
        ':"',
        'payloadType',
        'vnd.pyti',
        'signatures',
        '[',
        'SHA256:',
        'sig"',
        '}]}',
        '\n',
      ]) {
        const at = text.indexOf(word, start)
        assert.ok(at >= start, word)
        for (const within of [0, word.length - 1])
          for (const mask of [1, 0x20, 0x80]) await noticed(at + within, mask)
      }
    await fc.assert(fc.asyncProperty(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), noticed), {
      seed,
      numRuns: 150,
    })
  })
  it('cut short at any line or byte, empty, too large', async () => {
    const good = await rootFile([first, [ann, ben]])
    for (const end of [0, 1, good.length - 1, good.indexOf(0x0a), good.indexOf(0x0a) + 1])
      await refused(good.subarray(0, end))
    await refused(Buffer.alloc(rootFileBytes + 1, '\n'), 'bad-root', /larger/)
    await refused(Buffer.alloc(5_000, '\n'))
  })
  it('a line that is signed beside one that is not', async () => {
    const [version] = await signedRoots([first, [ann, ben]])
    assert(version)
    const unsigned = encodeRoots([{ ...version, envelopes: [] }])
    await refused(Buffer.concat([encodeRoots([version]), unsigned]), 'bad-root', /both signed and not/)
    await refused(Buffer.concat([unsigned, encodeRoots([version])]), 'bad-root', /both signed and not/)
  })
})

describe('the next version', () => {
  const other = formatVkey(testLog.name, 1, testIdentity('next log key').publicKey)
  const newLog = formatVkey('new.example/log', 1, testIdentity('new log').publicKey)

  it('a new report key begins where the old one ends', () =>
    assert.deepEqual(third.roles.report.keys, [
      { key: coordinator.peerId, log: testLog.name, fromIndex: 0, toIndex: 100 },
      { key: newReportKey, log: testLog.name, fromIndex: 100 },
    ]))
  it('a new key of the same log leaves report keys alone', () => {
    const { log, report } = nextRoot(first, { expires, logKey: other, at: 7 }).roles
    assert.deepEqual(log.keys, [
      { key: testLogKey, fromIndex: 0, toIndex: 7 },
      { key: other, fromIndex: 7 },
    ])
    assert.deepEqual(report, first.roles.report)
  })
  it('a new log begins at leaf 0, with the same report key', () => {
    const next = nextRoot(third, { expires, logKey: newLog, at: 150 })
    assert.deepEqual(
      next.roles.log.keys.map(({ fromIndex, toIndex }) => [fromIndex, toIndex]),
      [
        [0, 150],
        [0, undefined],
      ],
    )
    assert.deepEqual(next.roles.report.keys.slice(1), [
      { key: newReportKey, log: testLog.name, fromIndex: 100, toIndex: 150 },
      { key: newReportKey, log: 'new.example/log', fromIndex: 0 },
    ])
    draftOf(next)
  })
  it('a range that would hold no leaf is left out', () =>
    assert.deepEqual(nextRoot(first, { expires, reportKey: newReportKey, at: 0 }).roles.report.keys, [
      { key: newReportKey, log: testLog.name, fromIndex: 0 },
    ]))
  it('witnesses are replaced, and all of the new ones must sign unless said', () => {
    const next = nextRoot(first, { expires, witnesses: [rootWitnessKey] })
    assert.deepEqual(next.roles.witness, { keys: [rootWitnessKey], threshold: 1 })
    assert.deepEqual(nextRoot(next, { expires }).roles.witness, next.roles.witness)
  })
  it('a change of keys that says no leaf, or takes away what is not there', () => {
    assert.throws(
      () => nextRoot(first, { expires, reportKey: newReportKey }),
      told('bad-root', /leaf it begins at/),
    )
    assert.throws(
      () => nextRoot(first, { expires, removeRootKeys: [dee.peerId] }),
      told('bad-root', /no root key/),
    )
  })
})
