import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { attestationId } from '../../src/attest/dsse.ts'
import { formatEntry } from '../../src/attest/log/entry.ts'
import { createTree, inclusionProof, leafHash } from '../../src/attest/log/merkle.ts'
import { canonicalJson } from '../../src/wire/canonical.ts'
import { bundleOf, honestReport, testLogKey } from '../helpers/bundle.ts'
import { runHost } from '../helpers/host-program.ts'
import { checkpointOf, cosignedAt, proofOf, type SmallLog, testSigner } from '../helpers/small-log.ts'
import {
  fails,
  folder,
  honest,
  joined,
  linesOf,
  log,
  parse,
  passes,
  python,
  report,
  script,
  skip,
  split,
  three,
  unsigned,
} from '../helpers/verify-script.ts'

describe('the script of docs/verify.md, with a log', { skip }, async () => {
  const witnesses = ['one', 'two', 'three'].map(name => testSigner(`witness.example/${name}`))
  const about = { subject: report.subject[0].digest.sha256, purl: report.predicate.resourceUri }
  const at = 5
  /** The log in which the report of this bundle is the sixth leaf. */
  const logOf = (lines: string): SmallLog => ({
    log,
    witnesses,
    entries: [
      formatEntry({ kind: 'policy', id: '0'.repeat(64) }),
      ...three.map(({ attestation }) => formatEntry({ kind: 'raw', id: attestation, ...about })),
      formatEntry({ kind: 'close', id: '1'.repeat(64) }),
      formatEntry({ kind: 'report', id: attestationId(parse(split(lines)[0] ?? '')), ...about }),
      formatEntry({ kind: 'beacon', id: '2'.repeat(64) }),
    ],
  })
  const small = logOf(honest)
  const proof = await proofOf(small, at)
  const proofsOf = (of: SmallLog) => Promise.all([1, 2, 3, at].map(index => proofOf(of, index)))
  const others = (await proofsOf(small)).slice(0, 3)
  const trusted = [
    '--log',
    log.logVkey,
    ...witnesses.flatMap(({ witnessVkey }) => ['--witness', witnessVkey]),
  ]

  /** Arguments that name these proof files. */
  async function files(...proofs: string[]): Promise<string[]> {
    const paths = proofs.map((_, index) => `${index}.tlog-proof`)
    for (const [index, path] of paths.entries()) await writeFile(join(folder, path), proofs[index] ?? '')
    return paths.flatMap(path => ['--proof', path])
  }

  it('takes proofs beside the report and in it', async () => {
    const said = /the log holds the report and all statements; at least 3 witnesses/
    await passes(honest, said, [...trusted, ...(await files(...others, proof))])
    const inside = [...others, proof].map(one =>
      canonicalJson(unsigned('application/vnd.pyti.tlog-proof', one)),
    )
    await passes(joined([...split(honest), ...inside]), said, trusted)
    await passes(joined([...split(honest), ...inside.slice(1)]), said, [
      ...trusted,
      ...(await files(...others)),
    ])
    await passes(joined([...split(honest), ...inside]), /no log checked/)
  })

  it('wants a proof for the report and each statement', async () => {
    const all = [...others, proof]
    for (const one of all)
      await fails(honest, /no proof that the log holds/, [
        ...trusted,
        ...(await files(...all.filter(other => other !== one))),
      ])
    await fails(honest, /no proof that the log holds/, trusted)
  })

  it('refuses a report that gives a statement another place in the log', async () => {
    const [first, ...rest] = report.predicate.inputAttestations
    assert.ok(first)
    const moved = { ...first, annotations: { ...first.annotations, logIndex: 4 } }
    const lines = await linesOf(three, {
      ...report,
      predicate: { ...report.predicate, inputAttestations: [moved, ...rest] },
    })
    await fails(lines, /not where the report says/, [
      ...trusted,
      ...(await files(...(await proofsOf(logOf(lines))))),
    ])
  })

  it('refuses a report that was logged before its statements, or statements from before the job', async () => {
    for (const change of [{ toIndex: 6 }, { fromIndex: 1 }, { toIndex: 3 }]) {
      const rawLog = { ...report.predicate.rawLog, ...change }
      const lines = await linesOf(three, { ...report, predicate: { ...report.predicate, rawLog } })
      const proofs = await files(...(await proofsOf(logOf(lines))))
      await fails(lines, /not where the report says/, [...trusted, ...proofs])
    }
  })

  it('takes the proofs that a bundle is made with', async () => {
    const lines = Buffer.from(await bundleOf(three, honestReport(three))).toString()
    await passes(lines, /the log holds the report and all statements/, ['--log', testLogKey])
  })

  it('wants the quorum it is asked for', async () => {
    const fewer = await files(...(await proofsOf({ ...small, witnesses: witnesses.slice(0, 2) })))
    await passes(honest, /at least 2 witnesses/, [...trusted, '--witnesses', '2', ...fewer])
    await fails(honest, /2 witnesses signed, 3 wanted/, [...trusted, ...fewer])
  })

  it('counts a witness once, whatever its names, and the log never', async () => {
    const [first] = witnesses
    assert.ok(first)
    const alias = testSigner('witness.example/alias', first.name)
    const asWitness = testSigner('witness.example/log', log.name)
    const doubled = await files(...(await proofsOf({ ...small, witnesses: [first, alias, asWitness] })))
    const keys = [first, alias, asWitness].flatMap(({ witnessVkey }) => ['--witness', witnessVkey])
    await fails(honest, /1 witnesses signed, 3 wanted/, ['--log', log.logVkey, ...keys, ...doubled])
  })

  it('refuses a changed proof', async () => {
    const [head = '', note = ''] = proof.split(/\n\n(.*)/s)
    const lines = head.split('\n')
    const changed: [RegExp, string][] = [
      [/not about any statement/, proof.replace('index 5', 'index 4')],
      [/index is not in the log/, proof.replace('index 5', 'index 7')],
      [/too short/, `${lines.slice(0, -1).join('\n')}\n\n${note}`],
      [/too long/, `${[...lines, lines[2]].join('\n')}\n\n${note}`],
      [/not about any statement/, proof.replace('tlog-proof@v1', 'tlog-proof@v2')],
      [
        /not about any statement/,
        `${[...lines.slice(0, 2), lines[3], lines[2], ...lines.slice(4)].join('\n')}\n\n${note}`,
      ],
    ]
    for (const [why, one] of changed) {
      assert.notEqual(one, proof)
      await fails(honest, why, [...trusted, ...(await files(...others, one))])
    }
  })

  it('refuses a changed checkpoint, signature or time', async () => {
    const note = await checkpointOf(small)
    const other = await checkpointOf({ ...small, entries: small.entries.slice(0, -1) })
    const [body = ''] = note.split('\n\n')
    const [otherBody = ''] = other.split('\n\n')
    await fails(honest, /not signed by log/, [
      ...trusted,
      ...(await files(...others, proof.replace(body, otherBody))),
    ])
    for (const { name } of [log, ...witnesses]) {
      const pattern = new RegExp(`(?<=\u2014 ${name} )\\S+`)
      const flipped = proof.replace(pattern, base64 => {
        const bytes = Buffer.from(base64, 'base64')
        bytes.writeUInt8(bytes.readUInt8(bytes.length - 40) ^ 1, bytes.length - 40)
        return bytes.toString('base64')
      })
      assert.notEqual(flipped, proof)
      await fails(honest, new RegExp(`not signed by ${name}`), [
        ...trusted,
        ...(await files(...others, flipped)),
      ])
    }
    const [first] = witnesses
    const later = proof.replace(new RegExp(`(?<=\u2014 ${first?.name} )\\S+`), base64 => {
      const bytes = Buffer.from(base64, 'base64')
      assert.equal(Number(bytes.readBigUInt64BE(4)), cosignedAt)
      bytes.writeBigUInt64BE(BigInt(cosignedAt + 1), 4)
      return bytes.toString('base64')
    })
    await fails(honest, /not signed by witness/, [...trusted, ...(await files(...others, later))])
  })

  it('refuses another log, and proofs of other leaves', async () => {
    const stranger = testSigner('log.example/stranger')
    const of = await files(...(await proofsOf({ ...small, log: stranger })))
    await fails(honest, /not a checkpoint of this log/, [...trusted, ...of])
    await fails(honest, /names another log/, ['--log', stranger.logVkey, ...of])
    await fails(honest, /wrong form/, [
      ...trusted,
      '--witness',
      log.logVkey,
      ...(await files(...others, proof)),
    ])
    await fails(honest, /wrong form/, [...trusted, ...(await files(...others, proof.slice(0, -1)))])
    await fails(honest, /not a vkey/, ['--log', log.logVkey.replace('+', '1+'), ...of])
    for (const index of [0, 4, 6])
      await fails(honest, /not about any statement/, [
        ...trusted,
        ...(await files(...others, proof, await proofOf(small, index))),
      ])
  })

  it('folds every proof of every log of up to 40 leaves, and none to another index', async () => {
    const cases: [leaf: string, index: number, size: number, path: string[], root: string][] = []
    const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
    const tree = createTree()
    for (let size = 1; size <= 40; size++) {
      tree.append(leafHash(Buffer.from(`leaf ${size - 1}`)))
      for (let index = 0; index < size; index++) {
        const path = await inclusionProof(index, size, tree.read)
        cases.push([`leaf ${index}`, index, size, path.map(hex), hex(tree.root())])
      }
    }
    const functions = script.slice(0, script.indexOf('parser = '))
    const driver = `${functions}
good = bad = 0
for leaf, index, size, path, root in json.load(open('cases.json')):
    for claimed in range(size):
        try:
            same = fold(leaf.encode(), claimed, size, map(bytes.fromhex, path)).hex() == root
        except ValueError:
            same = False
        good += same and claimed == index
        bad += same and claimed != index
print(good, bad)
`
    await writeFile(join(folder, 'cases.json'), JSON.stringify(cases))
    await writeFile(join(folder, 'driver.py'), driver)
    const { stdout, stderr } = await runHost(python.path, ['-I', 'driver.py'], { cwd: folder })
    assert.equal(stdout + stderr, '820 0\n')
  })
})
