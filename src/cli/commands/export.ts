import { writeFile } from 'node:fs/promises'
import { Command, Option } from 'commander'
import { agreeingRawData } from '../../attest/agreeing.ts'
import { decodeBundle } from '../../attest/bundle.ts'
import { attestationId } from '../../attest/dsse.ts'
import { type VerifyOptions, verifyBundle } from '../../attest/verify.ts'
import { PytiError } from '../../errors.ts'
import type { ExportInput } from '../../report/exports/input.ts'
import { renderJunit } from '../../report/exports/junit.ts'
import { renderMarkdown } from '../../report/exports/markdown.ts'
import { renderOsv } from '../../report/exports/osv.ts'
import { renderSarif } from '../../report/exports/sarif.ts'
import { sha256 } from '../../wire/canonical.ts'
import { positiveInteger } from '../options.ts'
import { note } from '../output.ts'
import { readBundle } from '../read-bundle.ts'

const formats = {
  junit: renderJunit,
  sarif: renderSarif,
  osv: renderOsv,
  markdown: renderMarkdown,
} as const
type Format = keyof typeof formats

interface Flags {
  format: Format
  out?: string
  key?: string[]
  volunteers?: number
}

export function exportCommand(): Command {
  return new Command('export')
    .summary('a verified report in a form that other programs or people read')
    .description(
      'Verifies a report bundle and writes it as JUnit XML, SARIF 2.1.0, a draft of an OSV record (only when there is something suspicious) or a Markdown summary. The same bundle gives the same bytes.',
    )
    .argument('<report>', 'report bundle (.intoto.jsonl)')
    .addOption(
      new Option('--format <format>', 'what to write').choices(Object.keys(formats)).makeOptionMandatory(),
    )
    .option('--out <file>', 'where to, instead of standard output')
    .option('--key <peerid...>', 'report keys you trust, as a coordinator prints them')
    .option(
      '--volunteers <n>',
      'how many agreeing volunteers you want to see, instead of what its class asks for',
      positiveInteger,
    )
    .addHelpText(
      'after',
      `
Examples:
  pyti export six-1.17.0.tar.gz.intoto.jsonl --format junit --out six.xml
  pyti export six-1.17.0.tar.gz.intoto.jsonl --format markdown --key 12D3KooW...

Exit code: 0 written; 1 the bundle does not verify, or there is nothing to draft; 2 there is no such file.`,
    )
    .action(async (path: string, flags: Flags) => {
      const { text, warning } = await exportBundle(await readBundle(path), flags.format, {
        ...(flags.volunteers !== undefined && { minimumVolunteers: flags.volunteers }),
        ...(flags.key && { trustedKeys: flags.key }),
      })
      if (warning !== undefined) note(`note: ${warning}`)
      if (flags.out === undefined) process.stdout.write(text)
      else await writeFile(flags.out, text)
    })
}

/**
 * @returns the export, and what the reader of it should know about the check of the bundle
 * @throws PytiError `not-verified` when a check fails | `nothing-to-draft`
 */
export async function exportBundle(
  bytes: Uint8Array,
  format: Format,
  options: VerifyOptions = {},
): Promise<{ text: string; warning?: string }> {
  const verification = await verifyBundle(bytes, options)
  const { ok, checks, report, evaluation, reportKey, volunteers } = verification
  if (!ok || !report || !evaluation || reportKey === undefined) {
    const failed = checks.filter(check => check.state === 'failed').map(check => check.name)
    throw new PytiError('not-verified', `the report does not verify: ${failed.join(', ')}`, {
      hint: 'see `pyti verify` for what is wrong with it',
    })
  }
  const bundle = decodeBundle(bytes)
  const { verificationResult, timeVerified, job, flaky, verifier } = report.predicate
  const input: ExportInput = {
    evaluation,
    verificationResult,
    timeVerified,
    job,
    flaky,
    rawData: await agreeingRawData(bundle, verification),
    volunteers: volunteers.length,
    agreeing: volunteers.filter(one => one.agreeing).length,
    reportKey,
    software: verifier.version,
    digests: { report: attestationId(bundle.report), bundle: sha256(bytes) },
  }
  const unknown = checks.find(check => check.name === 'coordinator-key' && check.state === 'unknown')
  return { text: formats[format](input), ...(unknown && { warning: unknown.detail }) }
}
