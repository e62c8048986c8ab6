import { PytiError } from '../../errors.ts'
import type { Finding } from '../evaluation.ts'
import { rules } from '../rules.ts'
import { verdictWords } from '../words.ts'
import { code, evidenceLines, visible } from './foreign.ts'
import { agreementWords, type ExportInput } from './input.ts'

/**
 * A draft of an OSV record (schema 1.6) for a person to look through. It speaks of one file, by its SHA-256, and says what
 * was seen, never what the distribution is.
 * @throws PytiError `nothing-to-draft` unless the verdict is `suspicious` or `confirmed`
 */
export function renderOsv(input: ExportInput): string {
  const { evaluation } = input
  const { verdict, subject } = evaluation
  if (verdict !== 'suspicious' && verdict !== 'confirmed')
    throw new PytiError(
      'nothing-to-draft',
      `${subject.filename} is "${verdict}": there is nothing to draft`,
      {
        hint: 'drafts are made of reports whose verdict is "suspicious" or "confirmed"',
      },
    )
  const record = {
    schema_version: '1.6.0',
    // The schema demands a home database's prefix; year 0 is nobody's number.
    id: `MAL-0000-pyti-${subject.sha256.slice(0, 16)}`,
    modified: input.timeVerified,
    summary: `DRAFT: ${verdict} behaviour of the file ${subject.filename}`,
    details: detailsOf(input),
    affected: [
      {
        package: { ecosystem: 'PyPI', name: subject.project, purl: `pkg:pypi/${subject.project}` },
        versions: [subject.version],
        database_specific: {
          scope: 'Only the file with this SHA-256. Other files of the version were not looked at.',
          filename: subject.filename,
          kind: subject.kind,
          size: subject.size,
          sha256: subject.sha256,
        },
      },
    ],
    database_specific: {
      draft: true,
      verdict,
      evidence: evaluation.findings.map(evidenceOf),
      notRun: evaluation.notRun.map(({ task, reason }) => ({ task, reason })),
      notObserved: evaluation.notObserved.map(({ observer }) => observer),
      agreement: { volunteers: input.volunteers, agreeing: input.agreeing },
      report: {
        attestation: input.digests.report,
        bundle: input.digests.bundle,
        key: input.reportKey,
        job: input.job.id,
        timeVerified: input.timeVerified,
      },
      review,
      appeal,
    },
  }
  return `${JSON.stringify(record, null, 2)}\n`
}

const review =
  'Made by a program. Before it is published a person checks the report with `pyti verify`, looks at the file, and replaces the id.'
const appeal =
  'Whoever is concerned writes to the coordinator that signed the report, or to the database that published this record, with the SHA-256 of the file. Anyone can have the file tested again with `pyti submit`. A record that proves wrong or outdated gets the field `withdrawn`; a new file is another SHA-256 and not covered.'

function evidenceOf({ id, level, phase, evidence }: Finding) {
  return {
    rule: id,
    version: rules.find(rule => rule.id === id)?.version,
    level,
    phase,
    lines: evidenceLines(evidence).map(visible),
  }
}

/** OSV says that `details` is CommonMark. */
function detailsOf(input: ExportInput): string {
  const { evaluation, digests, reportKey } = input
  const { verdict, subject, findings } = evaluation
  return [
    `**Draft for human review.** This is about one file only: ${code(subject.filename)}, sha256 ${code(subject.sha256)}.`,
    `Verdict ${code(verdict)}: ${verdictWords[verdict]}. ${agreementWords(input)} agree.`,
    findings.map(findingLines).join('\n'),
    `Report ${code(digests.report)}, signed by ${code(reportKey)}. ${review}`,
    appeal,
  ].join('\n\n')
}

function findingLines({ id, level, phase, evidence }: Finding): string {
  const reason = rules.find(rule => rule.id === id)?.reason ?? ''
  const lines = evidenceLines(evidence).map(line => `  - ${code(line, 400)}`)
  return [`- ${level}: ${code(id)} during ${phase}. ${reason}`, ...lines].join('\n')
}
