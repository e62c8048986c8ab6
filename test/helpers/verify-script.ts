import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { rawDataMediaType } from '../../src/attest/raw-statement.ts'
import type { ReportStatement } from '../../src/attest/report-statement.ts'
import { canonicalJson } from '../../src/wire/canonical.ts'
import type { Envelope } from '../../src/wire/envelope.ts'
import { coordinator, honestReport, type SignedVote, signAs, signVote } from './bundle.ts'
import { hostPython, lacksOpenssl, runHost } from './host-program.ts'
import { testIdentity, testRawData } from './raw-data.ts'
import { testSigner } from './small-log.ts'

const text = readFileSync(new URL('../../docs/verify.md', import.meta.url), 'utf8')
export const script = /^```python\n(.*?)^```$/ms.exec(text)?.[1] ?? ''
export const python = await hostPython()
/** False, or why the script cannot run here. */
export const skip = (await lacksOpenssl()) || python.reason

const voteOf = (name: string, seed: number) =>
  signVote({ identity: testIdentity(name), rawData: testRawData({ seed }) })
export const alice = await voteOf('alice', 0)
export const bob = await voteOf('bob', 1)
export const carol = await voteOf('carol', 2)
export const dave = await voteOf('dave', 3)
export const three = [alice, bob, carol]
export const log = testSigner('log.example/pyti')
const decided = honestReport(three)

/** What the report says of a volunteer: the statements of the three are the leaves 1 to 3 of the log. */
function voiceOf(vote: SignedVote) {
  const [like] = decided.predicate.inputAttestations
  assert.ok(like)
  return { ...like.annotations, volunteer: vote.volunteer, logIndex: 1 + three.indexOf(vote) }
}

/** A report over these volunteers, as their coordinator would sort them. */
export function reportOf(agreeing: SignedVote[], excluded: SignedVote[] = []): ReportStatement {
  const inputAttestations = agreeing
    .map(vote => ({ digest: { sha256: vote.attestation }, annotations: voiceOf(vote) }))
    .sort((a, b) => (a.digest.sha256 < b.digest.sha256 ? -1 : 1))
  const dissent = excluded.map(vote => ({
    id: vote.attestation,
    ...voiceOf(vote),
    reason: 'dissent' as const,
  }))
  const rawLog = { key: log.logVkey, fromIndex: 0, toIndex: 4 }
  return { ...decided, predicate: { ...decided.predicate, rawLog, inputAttestations, excluded: dissent } }
}
export const report = reportOf(three)

const { subject } = decided.predicate.evaluation
export const folder = await mkdtemp(join(tmpdir(), 'pyti-test-'))
after(() => rm(folder, { recursive: true, force: true }))
await writeFile(join(folder, 'verify.py'), script)
await writeFile(join(folder, subject.filename), subject.filename)

/** Runs the script of the document. */
async function verify(lines: string, more: string[] = [], file = subject.filename) {
  await writeFile(join(folder, 'report.intoto.jsonl'), lines)
  const key = more.includes('--key') ? [] : ['--key', coordinator.peerId]
  return runHost(python.path, ['-I', 'verify.py', 'report.intoto.jsonl', file, ...key, ...more], {
    cwd: folder,
  })
}

/** The script takes this bundle and says so. `more`: arguments. */
export async function passes(lines: string, said: RegExp, more: string[] = []): Promise<void> {
  const { exitCode, stdout, stderr } = await verify(lines, more)
  assert.equal(`${exitCode} ${stderr}`, '0 ')
  assert.match(stdout, said)
}

/** The script refuses this bundle, for this reason. */
export async function fails(lines: string, why: RegExp, more: string[] = [], file?: string): Promise<void> {
  const { exitCode, stdout, stderr } = await verify(lines, more, file)
  assert.equal(exitCode, 1, stdout)
  assert.match(stderr, why)
  assert.doesNotMatch(stdout, /verdict/)
}

/** A bundle with the lines of these volunteers. */
export async function linesOf(
  of: SignedVote[],
  statement: ReportStatement,
  signer = coordinator,
): Promise<string> {
  const blobs = of.map(({ blob }) => unsigned(rawDataMediaType, blob))
  return joined(
    [await signAs(signer, statement), ...of.map(vote => vote.envelope), ...blobs].map(canonicalJson),
  )
}
/** A line that nobody signed. */
export const unsigned = (payloadType: string, bytes: Uint8Array | string): Envelope => ({
  payload: Buffer.from(bytes).toString('base64'),
  payloadType,
  signatures: [],
})
export const split = (lines: string) => lines.trimEnd().split('\n')
export const joined = (lines: string[]) => lines.map(line => `${line}\n`).join('')
export const parse = (line: string): Envelope => JSON.parse(line)
export const honest = await linesOf(three, report)
assert.equal(split(honest).length, 7)
