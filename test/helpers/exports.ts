import { XmlDocument, XmlElement } from 'libxml2-wasm'
import { ballotOf } from '../../src/consensus/ballot.ts'
import { openRules } from '../../src/consensus/classes.ts'
import { leastWeight } from '../../src/consensus/credibility.ts'
import { decide } from '../../src/consensus/decide.ts'
import { evaluate, verificationResultOf } from '../../src/report/evaluate.ts'
import type { ExportInput } from '../../src/report/exports/input.ts'
import { sha256 } from '../../src/wire/canonical.ts'
import { type Job, jobId } from '../../src/wire/job.ts'
import type { RawData } from '../../src/wire/raw-data.ts'
import { bundleOf, coordinator, honestReport, signVote } from './bundle.ts'
import { fileChange, testIdentity, testJob, testRawData, withTask } from './raw-data.ts'

/** What a verified report of agreeing raw data gives an export. */
export function exportInput(rawData: readonly RawData[], job: Job = testJob()): ExportInput {
  const decision = decide(
    rawData.map((one, index) => ({
      volunteer: `volunteer ${index}`,
      ballot: ballotOf(one),
      role: 'seat' as const,
      cluster: `operator ${index}`,
      weight: leastWeight,
    })),
    { ...openRules, quorum: Math.min(openRules.quorum, rawData.length), seats: rawData.length },
  )
  const flaky = decision.kind === 'accept' ? decision.flaky : []
  const evaluation = evaluate({ rawData, flaky })
  return {
    evaluation,
    verificationResult: verificationResultOf(evaluation),
    timeVerified: '2026-11-20T12:03:00Z',
    job: { id: jobId(job), definition: job },
    rawData,
    flaky,
    volunteers: rawData.length,
    agreeing: rawData.length,
    reportKey: coordinator.peerId,
    software: 'pyti 0.1.0',
    digests: { report: sha256('report'), bundle: sha256('bundle') },
  }
}

/** A signed bundle in which three volunteers saw what `make` gives for their seed. */
export async function signedBundle(
  make: (seed: number) => RawData,
  job: Job = testJob(),
): Promise<Uint8Array> {
  const votes = await Promise.all(
    [1, 2, 3].map(seed => signVote({ identity: testIdentity(`volunteer ${seed}`), rawData: make(seed) })),
  )
  return bundleOf(votes, honestReport(votes, job))
}

export const cleanRun = (seed: number): RawData => testRawData({ seed })

/** Writes a shell start file at import and has failing, erring, skipped and offline tests. */
export const suspiciousRun = (seed: number): RawData =>
  withTask(
    testRawData({
      seed,
      tests: {
        'tests/test_a.py::test_adds[1 < 2 & "3"]': 'passed',
        'tests/test_a.py::test_fails': 'failed',
        'tests/test_a.py::test_errs': 'error',
        'tests/test_a.py::test_skips': 'skipped',
        'tests/test_a.py::test_fetches': 'needs-network',
        'tests/test_a.py::test_flips': 'flaky',
        'tests/test_b.py::test_known': 'xfailed',
      },
    }),
    'import',
    { changes: [fileChange('{home}/.bashrc')] },
  )

/** Text of attributes by an XPath such as `//testcase/@name`, parsed by libxml2. */
export function xmlValues(xml: string, path: string): string[] {
  const document = XmlDocument.fromString(xml)
  try {
    return document.find(path).map(node => (node instanceof XmlElement ? node.name : node.content))
  } finally {
    document.dispose()
  }
}
