import { ballotOf } from '../consensus/ballot.ts'
import { classes } from '../consensus/classes.ts'
import { decide } from '../consensus/decide.ts'
import { evaluate, verificationResultOf } from '../report/evaluate.ts'
import { toHex } from '../wire/bytes.ts'
import { canonicalJson } from '../wire/canonical.ts'
import type { RawData } from '../wire/raw-data.ts'
import { baselineRawData } from './baseline.ts'
import type { Bundle } from './bundle.ts'
import { type CheckList, demand, Unknown } from './checks.ts'
import { minorityOf } from './minority.ts'
import { policyOf } from './policy.ts'
import type { ReportStatement } from './report-statement.ts'
import { demandSameJob, rawDataDigest, rawDataOf, type Testimony } from './testimony.ts'
import type { VerifyOptions } from './verify.ts'

interface Contents {
  readonly bundle: Bundle
  readonly report: ReportStatement
  readonly reportKey: string
  readonly testimonies: readonly Testimony[]
  /** About the release before. */
  readonly baseline: Testimony | undefined
  readonly options: VerifyOptions
}

/** A volunteer's raw data together with who vouches for it. */
interface Evidence {
  readonly testimony: Testimony
  readonly rawData: RawData
}

/** Checks that what the signatures cover fits together and leads to this report. */
export async function checkContents(list: CheckList, contents: Contents): Promise<void> {
  await list.check('distinct-volunteers', () => checkVolunteers(contents))
  await list.check('subject', () => checkSubject(contents))
  await list.check('nonce', () => checkTask(contents))
  const evidence = await list.get(
    'raw-data-complete',
    () => gatherEvidence(contents),
    found => `${found.length} raw data, all accounted for in the report`,
  )
  if (evidence) {
    const agreed = await list.get(
      'agreement',
      () => checkAgreement(contents.report, evidence),
      agreeing => `${agreeing.length} of ${evidence.length} volunteers agree; consensus computed again`,
    )
    if (agreed) await list.check('evaluation', () => checkEvaluation(contents, agreed))
  }
  await list.check('distribution', () => checkDistribution(contents))
}

/** Keys are counted, never envelopes, key ids or spellings of a peer id (attestation.md section 4, pitfall 2). */
function checkVolunteers({ report, reportKey, testimonies, options }: Contents): string {
  const keys = new Set(testimonies.map(({ publicKey }) => toHex(publicKey)))
  demand(keys.size === testimonies.length, 'a volunteer speaks more than once')
  demand(
    testimonies.every(({ volunteer }) => volunteer !== reportKey),
    'the coordinator speaks as a volunteer too',
  )
  const { inputAttestations, policy } = report.predicate
  const { jobClass, quorum, odds } = policy.annotations
  const usual = classes[jobClass]
  const wanted = options.minimumVolunteers ?? usual.quorum
  demand(
    quorum >= Math.min(wanted, usual.quorum) && odds >= usual.odds,
    `the report was made with a quorum of ${quorum} and odds of ${odds}, but class ${jobClass} needs ${usual.quorum} and ${usual.odds}`,
  )
  const operators = new Set(inputAttestations.map(input => input.annotations.operator))
  demand(operators.size >= wanted, `${operators.size} volunteers agree, but ${wanted} are wanted`)
  return `${keys.size} distinct keys; volunteers of ${operators.size} operators agree, ${wanted} wanted (class ${jobClass})`
}

function checkSubject({ report, testimonies }: Contents): string {
  const { subject } = report.predicate.job.definition
  const same = (about: ReportStatement['subject']) =>
    about[0].name === subject.filename && about[0].digest.sha256 === subject.sha256
  demand(same(report.subject), 'the report is about another file than its job')
  demand(
    canonicalJson(report.predicate.evaluation.subject) === canonicalJson(subject),
    'the evaluation is about another file than the job',
  )
  for (const { statement, volunteer } of testimonies)
    demand(same(statement.subject), `${volunteer} speaks about another file`)
  return `${subject.filename}, sha256 ${subject.sha256}`
}

function checkTask({ report, testimonies }: Contents): string {
  const { id, definition } = report.predicate.job
  for (const testimony of testimonies) demandSameJob(testimony, definition)
  return `every volunteer answers job ${id}`
}

function gatherEvidence({ bundle, report, testimonies, baseline }: Contents): Evidence[] {
  const { inputAttestations, excluded, job } = report.predicate
  const named = new Map([
    ...inputAttestations.map(input => [input.digest.sha256, input.annotations.volunteer] as const),
    ...excluded.map(entry => [entry.id, entry.volunteer] as const),
  ])
  demand(named.size === inputAttestations.length + excluded.length, 'the report names an attestation twice')
  for (const { attestation, volunteer } of testimonies)
    demand(named.get(attestation) === volunteer, `the report does not account for what ${volunteer} says`)
  demand(named.size === testimonies.length, 'the report names an attestation that the bundle lacks')
  const used = new Set([...testimonies, ...(baseline ? [baseline] : [])].map(rawDataDigest))
  demand(used.size === bundle.blobs.size, 'raw data is missing or was changed, or nobody vouches for it')
  return testimonies.map(testimony => {
    const blob = bundle.blobs.get(rawDataDigest(testimony))
    demand(blob !== undefined, `the raw data of ${testimony.volunteer} is missing or was changed`)
    return { testimony, rawData: rawDataOf(testimony, blob, job.definition) }
  })
}

function checkAgreement({ predicate }: ReportStatement, evidence: Evidence[]): RawData[] {
  const voices = new Map([
    ...predicate.inputAttestations.map(input => [input.digest.sha256, input.annotations] as const),
    ...predicate.excluded.map(entry => [entry.id, entry] as const),
  ])
  const decision = decide(
    evidence.map(({ testimony: { volunteer, attestation }, rawData }) => {
      const voice = voices.get(attestation)
      demand(voice !== undefined, `the report does not account for what ${volunteer} says`)
      const { role, operator, weight } = voice
      return { volunteer, role, cluster: operator, weight, ballot: ballotOf(rawData) }
    }),
    predicate.policy.annotations,
  )
  if (decision.kind === 'unresolved') demand(false, decision.reason)
  demand(decision.kind !== 'wait', 'there are too few volunteers to agree')
  const volunteers = (voters: { volunteer: string }[]) => voters.map(voter => voter.volunteer).sort()
  const said = {
    agreeing: volunteers(predicate.inputAttestations.map(input => input.annotations)),
    dissenting: volunteers(predicate.excluded.filter(entry => entry.reason === 'dissent')),
    flaky: predicate.flaky,
    unrepeated: predicate.unrepeated,
  }
  const { agreeing, dissenting, flaky } = decision
  const unrepeated = decision.kind === 'flaky' ? decision.sections : []
  demand(
    canonicalJson(said) === canonicalJson({ agreeing, dissenting, flaky, unrepeated }),
    'who agrees, who does not and what is flaky is not what follows from the raw data',
  )
  const excluded = evidence
    .filter(({ testimony }) => !agreeing.includes(testimony.volunteer))
    .map(({ testimony: { attestation }, rawData }) => ({ attestation, rawData }))
  demand(
    canonicalJson(predicate.minority) === canonicalJson(minorityOf(excluded)),
    'what single volunteers saw is not what the report says of it',
  )
  return evidence
    .filter(({ testimony }) => agreeing.includes(testimony.volunteer))
    .map(({ rawData }) => rawData)
}

function checkEvaluation({ report: { predicate }, baseline, bundle }: Contents, rawData: RawData[]): string {
  demand(
    canonicalJson(predicate.policy) === canonicalJson(policyOf(predicate.policy.annotations)),
    'the report was made by other rules than this version of pyti has, so it cannot be computed again',
  )
  const { flaky, unrepeated } = predicate
  const { subject } = predicate.job.definition
  demand(
    baseline?.attestation === predicate.baseline?.attestation,
    'what the report is compared with is missing',
  )
  const previous = baseline && baselineRawData(baseline, bundle.blobs.get(rawDataDigest(baseline)), subject)
  const evaluation = evaluate({ rawData, flaky, unrepeated, previous })
  demand(
    canonicalJson(evaluation) === canonicalJson(predicate.evaluation),
    'the evaluation is not what follows from the raw data',
  )
  const { jobClass } = predicate.policy.annotations
  demand(
    jobClass === 'open' || jobClass === 'X' || !['suspicious', 'confirmed'].includes(evaluation.verdict),
    `a report that accuses needs class X, not ${jobClass}`,
  )
  demand(
    verificationResultOf(evaluation) === predicate.verificationResult,
    'the verification result is not what follows from the evaluation',
  )
  return `${evaluation.verdict}, ${predicate.verificationResult}; computed again, equal byte for byte`
}

function checkDistribution({ report, options }: Contents): string | Unknown {
  const { filename, sha256, size } = report.predicate.job.definition.subject
  const { distribution } = options
  if (distribution === undefined) return new Unknown(`no file was given to compare with ${filename}`)
  demand(
    distribution.sha256 === sha256 && distribution.size === size,
    `the file at hand (sha256 ${distribution.sha256}) is not the one that was tested (${sha256})`,
  )
  return `the file at hand is the one that was tested`
}
