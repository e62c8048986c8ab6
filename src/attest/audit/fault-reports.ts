import { utf8 } from '../../wire/bytes.ts'
import { decodeBundle } from '../bundle.ts'
import type { CheckName } from '../checks.ts'
import { attestationId } from '../dsse.ts'
import { policyOf } from '../policy.ts'
import { verifyBundle } from '../verify.ts'
import { openReport } from './fault-dissent.ts'
import { type Confirmed, type FaultOf, prove, same } from './fault-form.ts'

/** What must hold, or the bundle rather than the report is at fault: anybody can cut a bundle short. */
const sound: readonly CheckName[] = [
  'bundle-form',
  'report-signature',
  'report-statement',
  'raw-data-signatures',
  'raw-data-complete',
]
const telling: readonly CheckName[] = ['job-id', 'subject', 'nonce', 'agreement', 'evaluation']

/**
 * A validly signed report, with all the signed raw data that it names, whose consensus or evaluation is not what follows. Only for
 * reports under the rules of this version: others cannot be computed again here.
 */
export async function confirmWrongEvaluation(fault: FaultOf<'wrong-evaluation'>): Promise<Confirmed> {
  const bytes = utf8(fault.bundle)
  const { ok, checks, report, reportKey } = await verifyBundle(bytes)
  const failed = checks.filter(check => check.state === 'failed').map(check => check.name)
  prove(!ok && report !== undefined && reportKey !== undefined, 'the report holds, or is no report')
  const broken = failed.find(name => sound.includes(name))
  prove(broken === undefined, `the bundle is damaged (${broken})`)
  prove(decodeBundle(bytes).proofs.length === 0, 'the bundle holds more than it needs')
  prove(
    same(report.predicate.policy, policyOf(report.predicate.policy.annotations)),
    'the report was made by other rules than this version of pyti has',
  )
  const wrong = checks.find(({ name, state }) => state === 'failed' && telling.includes(name))
  prove(wrong !== undefined, 'the report follows from its raw data')
  return {
    kind: 'wrong-evaluation',
    accused: reportKey,
    detail: `the report on ${report.predicate.resourceUri} does not hold: ${wrong.detail}`,
  }
}

/** Reports on a file are numbered so that none can be replaced in silence. */
export async function confirmDoubleSequence(fault: FaultOf<'double-sequence'>): Promise<Confirmed> {
  const [one, other] = fault.reports
  prove(attestationId(one) < attestationId(other), 'the reports are the same, or not in order')
  const [a, b] = [await openReport(one), await openReport(other)]
  const [x, y] = [a.statement.predicate, b.statement.predicate]
  prove(a.key === b.key, 'the reports are signed with different keys')
  const { sha256 } = x.job.definition.subject
  prove(sha256 === y.job.definition.subject.sha256, 'the reports are about different files')
  prove(x.sequence === y.sequence, 'the reports have different sequence numbers')
  prove(x.rawLog.key === y.rawLog.key, 'the reports are in different logs')
  return {
    kind: 'double-sequence',
    accused: a.key,
    detail: `two reports on ${x.resourceUri} have the sequence number ${x.sequence}: ${attestationId(one)} and ${attestationId(other)}`,
  }
}
