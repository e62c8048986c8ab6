// How long `verifyBundle` takes for a report of ten volunteers, in a log with three witnesses: once with raw data like that of
// samples/ and once with 2,000 tests and 20,000 files. Beside it, in turns in the same run, the bare signature verifications
// that are among it, by node:crypto, with keys that were read beforehand.
//
//   node bench/verify.ts [--repeats 30] [--large-repeats 7] [--fresh 5] [--profile small|large] [--json]
import { spawnSync } from 'node:child_process'
import { createPublicKey, type KeyObject, verify } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { Session } from 'node:inspector/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { encodeBundle } from '../src/attest/bundle.ts'
import { attestationId, pae } from '../src/attest/dsse.ts'
import { cosign, formatCheckpoint } from '../src/attest/log/checkpoint.ts'
import { type Entry, formatEntry } from '../src/attest/log/entry.ts'
import { createTree, inclusionProof, leafHash } from '../src/attest/log/merkle.ts'
import { addSignature, formatVkey, signNote } from '../src/attest/log/note.ts'
import { formatProof } from '../src/attest/log/proof-file.ts'
import { type VerifyOptions, verifyBundle } from '../src/attest/verify.ts'
import { rulesOf } from '../src/consensus/classes.ts'
import { sha256 } from '../src/wire/canonical.ts'
import type { Envelope } from '../src/wire/envelope.ts'
import type { RawData, TestOutcome } from '../src/wire/raw-data.ts'
import {
  honestReport,
  type SignedVote,
  signAs,
  signVote,
  testLog,
  testLogKey,
} from '../test/helpers/bundle.ts'
import { type TestIdentity, testIdentity, testJob, testRawData, withTask } from '../test/helpers/raw-data.ts'
import { type Figure, rowOf, tableOf } from './figures.ts'
import { describeMachine, withFolder } from './machine.ts'

const { values } = parseArgs({
  options: {
    repeats: { type: 'string', default: '30' },
    'large-repeats': { type: 'string', default: '7' },
    fresh: { type: 'string', default: '5' },
    profile: { type: 'string' },
    json: { type: 'boolean', default: false },
    /** Verifies one bundle and prints the milliseconds: what a fresh process does. */
    once: { type: 'string' },
  },
})
const volunteers = 10
const witnessCount = 3
/** Leaves of the log after those of the report. */
const leavesAfter = 100_000
const goal = { p50: 50 }
/** What a reader with no state of its own has nothing to check against. */
const notGiven = ['log-consistency', 'root']
const sizes = {
  small: { tests: 40, files: 60, repeats: Number(values.repeats) },
  large: { tests: 2_000, files: 20_000, repeats: Number(values['large-repeats']) },
} as const
type Size = keyof typeof sizes

const coordinator = testIdentity('coordinator')
const job = testJob()
const rules = rulesOf('open', { extra: 0, spotReferees: 0, referees: 0 }, volunteers)
setFlagsFromString('--expose-gc')
/** So that what the making of a bundle leaves behind is not on the bill of its check. */
const collectGarbage: () => void = runInNewContext('gc')
const say = (text: string) => process.stderr.write(`${text}\n`)

/** Milliseconds. */
interface Time {
  wall: number
  cpu: number
}

interface Made {
  bytes: Uint8Array
  options: VerifyOptions
  rawDataBytes: number
  /** What is signed in the bundle, and by whom. */
  signatures: { key: KeyObject; message: Uint8Array; signature: Uint8Array }[]
}

if (values.once !== undefined) await verifyOnce(values.once)
else if (values.profile === 'small' || values.profile === 'large') await showProfile(values.profile)
else await measure()

async function measure(): Promise<void> {
  const before = describeMachine()
  const figures: Figure[] = []
  const sizesMade: string[] = []
  for (const size of ['small', 'large'] as const) {
    const made = await makeBundle(size, 'known')
    sizesMade.push(
      `${size}: raw data ${kilobytes(made.rawDataBytes)}, bundle ${kilobytes(made.bytes.length)}`,
    )
    figures.push(...(await measureKnown(size, made)), ...(await measureNew(size)))
    const fresh = await measureFresh(size, made)
    if (fresh) figures.push(fresh)
  }
  const rows = figures.map(rowOf)
  if (values.json) {
    console.log(JSON.stringify({ schema: 'pyti.bench.verify/1', machine: before, sizes: sizesMade, rows }))
    return
  }
  console.log(tableOf(rows))
  console.log(
    `\nnative: ${volunteers + 2 + witnessCount} signature verifications by node:crypto and nothing else`,
  )
  for (const line of sizesMade) console.log(line)
  console.log(
    Object.entries(before)
      .map(entry => entry.join(' '))
      .join(', '),
  )
}

/** All keys were seen before, as in a coordinator that checks its own reports, or a second file of one volunteer. */
async function measureKnown(size: Size, made: Made): Promise<Figure[]> {
  await timeOf(made)
  const samples: Time[] = []
  const native: number[] = []
  for (let n = 0; n < sizes[size].repeats; n += 1) {
    samples.push(await timeOf(made))
    native.push(timeOfSignatures(made))
  }
  say(`${size}, keys seen before`)
  return figuresOf(`${size}, keys seen before`, samples, native)
}

/** The keys of volunteers and witnesses are new each time: each is tested for its subgroup. */
async function measureNew(size: Size): Promise<Figure[]> {
  const samples: Time[] = []
  const native: number[] = []
  for (let n = 0; n < sizes[size].repeats; n += 1) {
    const made = await makeBundle(size, `new ${n}`)
    samples.push(await timeOf(made))
    native.push(timeOfSignatures(made))
  }
  say(`${size}, new keys`)
  return figuresOf(`${size}, new keys`, samples, native)
}

function figuresOf(name: string, samples: readonly Time[], native: number[]): Figure[] {
  const [wall, cpu] = [samples.map(one => one.wall), samples.map(one => one.cpu)]
  return [
    { name, unit: 'ms', samples: wall, native, target: goal },
    // What it would take with the machine to itself, or more where the collector has a thread of its own.
    { name: '  processor time of it', unit: 'ms', samples: cpu },
  ]
}

/** The first bundle a process sees, without the start of the process: nothing is compiled yet. */
async function measureFresh(size: Size, made: Made): Promise<Figure | undefined> {
  const count = Number(values.fresh)
  if (count === 0) return undefined
  const samples: number[] = []
  await withFolder(join(tmpdir(), 'pyti-bench-verify'), async dir => {
    const file = join(dir, 'bundle')
    await writeFile(file, made.bytes)
    await writeFile(`${file}.json`, JSON.stringify(made.options))
    for (let n = 0; n < count; n += 1) {
      const child = spawnSync(process.execPath, [import.meta.filename, '--once', file], { encoding: 'utf8' })
      if (child.status !== 0) throw new Error(child.stderr)
      samples.push(Number(child.stdout))
    }
  })
  say(`${size}, in a fresh process`)
  return { name: `${size}, first in a process`, unit: 'ms', samples, target: goal }
}

async function verifyOnce(file: string): Promise<void> {
  const bytes = Uint8Array.from(await readFile(file))
  const options: VerifyOptions = JSON.parse(await readFile(`${file}.json`, 'utf8'))
  const { wall } = await timeOf({ bytes, options })
  console.log(wall)
}

async function timeOf({ bytes, options }: Pick<Made, 'bytes' | 'options'>): Promise<Time> {
  collectGarbage()
  const cpuBefore = process.cpuUsage()
  const started = performance.now()
  const { checks } = await verifyBundle(bytes, options)
  const wall = performance.now() - started
  const { user, system } = process.cpuUsage(cpuBefore)
  const missing = checks.filter(
    ({ name, state }) => state === 'failed' || (state === 'unknown' && !notGiven.includes(name)),
  )
  if (missing.length > 0) throw new Error(JSON.stringify(missing))
  return { wall, cpu: (user + system) / 1_000 }
}

function timeOfSignatures({ signatures }: Made): number {
  const started = performance.now()
  for (const { key, message, signature } of signatures)
    if (!verify(null, message, key, signature)) throw new Error('a signature does not hold')
  return performance.now() - started
}

/** @param names makes the keys of volunteers and witnesses */
async function makeBundle(size: Size, names: string): Promise<Made> {
  const votes: SignedVote[] = []
  for (let n = 0; n < volunteers; n += 1)
    votes.push(await signVote({ identity: testIdentity(`${names} ${n}`), rawData: rawDataOf(size, n) }))
  const statement = honestReport(votes, job, rules)
  const report = await signAs(coordinator, statement)
  const witnesses = Array.from({ length: witnessCount }, (_, n) => testIdentity(`${names} witness ${n}`))
  const { proofs, body, checkpoint } = await logOf(votes, report, statement.predicate.resourceUri, witnesses)
  const bytes = encodeBundle({
    report,
    rawData: votes.map(({ envelope }) => envelope),
    blobs: votes.map(({ blob }) => blob),
    proofs,
  })
  const { subject } = job
  return {
    bytes,
    options: {
      distribution: { sha256: subject.sha256, size: subject.size },
      trustedKeys: [coordinator.peerId],
      minimumVolunteers: volunteers,
      logKey: testLogKey,
      witnesses: witnesses.map((one, n) => formatVkey(`witness.example/${n}`, 4, one.publicKey)),
    },
    rawDataBytes: votes[0]?.blob.length ?? 0,
    signatures: [
      signatureOf(report, coordinator),
      ...votes.map((vote, n) => signatureOf(vote.envelope, testIdentity(`${names} ${n}`))),
      // A stand-in of the same length: what exactly is signed makes no difference to the time.
      ...[testIdentity('log'), ...witnesses].map(one => {
        const message = Buffer.from(body + checkpoint.slice(0, 40))
        return { key: keyOf(one), message, signature: one.sign(message) }
      }),
    ],
  }
}

async function logOf(
  votes: readonly SignedVote[],
  report: Envelope,
  purl: string,
  witnesses: readonly TestIdentity[],
) {
  const about = { subject: job.subject.sha256, purl }
  const tree = createTree()
  const entries: Entry[] = [
    { kind: 'policy', id: sha256('policy') },
    { kind: 'task', id: sha256('task') },
    ...votes.map(vote => ({ kind: 'raw' as const, id: vote.attestation, ...about })),
    { kind: 'report', id: attestationId(report), ...about },
  ]
  for (const entry of entries) tree.append(leafHash(formatEntry(entry)))
  const filler = leafHash(new Uint8Array(1))
  for (let n = 0; n < leavesAfter; n += 1) tree.append(filler)
  const body = formatCheckpoint({ origin: testLog.name, size: tree.size, root: tree.root() })
  let checkpoint = await signNote(body, testLog)
  for (const [n, { publicKey, sign }] of witnesses.entries()) {
    const signer = { name: `witness.example/${n}`, publicKey, sign }
    checkpoint = addSignature(checkpoint, await cosign(body, 1_795_000_000 + n, signer))
  }
  const proofs: string[] = []
  for (let index = 2; index < entries.length; index += 1) {
    const proof = await inclusionProof(index, tree.size, (level, at) => tree.read(level, at))
    proofs.push(formatProof({ index, proof, checkpoint }))
  }
  return { proofs, body, checkpoint }
}

/** What one volunteer found; only times and the digest of the log differ between them. */
function rawDataOf(size: Size, seed: number): RawData {
  const { tests, files } = sizes[size]
  const outcomes: Record<string, TestOutcome> = {}
  for (let n = 0; n < tests; n += 1)
    outcomes[`tests/unit/test_module_${n % 97}.py::TestThing::test_case_${n}[parameter-${n}]`] =
      n % 40 === 0 ? 'skipped' : 'passed'
  const installed = Array.from({ length: files }, (_, n) => ({
    path: `{site}/sample/package_${n % 89}/module_${n}.py`,
    sha256: sha256(`file ${n}`),
  })).sort((a, b) => (a.path < b.path ? -1 : 1))
  const rawData = testRawData({ job, seed: seed + 1, tests: outcomes })
  return withTask(rawData, 'install', { files: installed })
}

function signatureOf(envelope: Envelope, identity: TestIdentity) {
  return {
    key: keyOf(identity),
    message: pae(envelope.payloadType, Buffer.from(envelope.payload, 'base64')),
    signature: Buffer.from(envelope.signatures[0]?.sig ?? '', 'base64'),
  }
}

function keyOf({ publicKey }: TestIdentity): KeyObject {
  const x = Buffer.from(publicKey).toString('base64url')
  return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
}

/** Where the time goes: functions by the share of samples in which they themselves ran. */
async function showProfile(size: Size): Promise<void> {
  const made = await makeBundle(size, 'known')
  await timeOf(made)
  const session = new Session()
  session.connect()
  await session.post('Profiler.enable')
  await session.post('Profiler.setSamplingInterval', { interval: 200 })
  await session.post('Profiler.start')
  for (let n = 0; n < (size === 'small' ? 50 : 3); n += 1) await timeOf(made)
  const { profile } = await session.post('Profiler.stop')
  session.disconnect()
  const hits = new Map<string, number>()
  let total = 0
  for (const { callFrame, hitCount = 0 } of profile.nodes) {
    const file = callFrame.url.split('/').slice(-2).join('/')
    const name = `${callFrame.functionName || '(anonymous)'} ${file}`.trim()
    if (callFrame.functionName === '(idle)') continue
    hits.set(name, (hits.get(name) ?? 0) + hitCount)
    total += hitCount
  }
  for (const [name, count] of [...hits].sort((a, b) => b[1] - a[1]).slice(0, 20))
    console.log(`${((100 * count) / total).toFixed(1).padStart(5)} %  ${name}`)
}

function kilobytes(bytes: number): string {
  return `${(bytes / 1_000).toFixed(0)} KB`
}
