import { writeFile } from 'node:fs/promises'
import { Command } from 'commander'
import { agreeingRawData } from '../../attest/agreeing.ts'
import { decodeBundle } from '../../attest/bundle.ts'
import { verifyBundle } from '../../attest/verify.ts'
import { PytiError } from '../../errors.ts'
import { renderReport } from '../../report/text.ts'
import { connectClient } from '../client.ts'
import { jsonOption } from '../options.ts'
import { exitCodes, print, printJson, useColor } from '../output.ts'
import { shutdownSignal } from '../shutdown.ts'

interface Flags {
  coordinator: string
  save?: string
  json?: boolean
}

export function reportCommand(): Command {
  return new Command('report')
    .summary("fetch and show a coordinator's newest report on a file")
    .argument('<file>', "the distribution's SHA-256 or file name")
    .requiredOption('--coordinator <multiaddr>', 'with its /p2p/PEERID')
    .option('--save <path>', 'keep the report bundle, for `pyti verify`')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Example:
  pyti report six-1.17.0.tar.gz --coordinator /ip4/192.0.2.7/tcp/4001/p2p/12D3KooW... --save six.intoto.jsonl

Exit code: 0 shown; 1 there is no such report, or it does not verify; 2 bad usage.`,
    )
    .action(async (file: string, flags: Flags) => {
      const client = await connectClient(flags.coordinator, shutdownSignal())
      try {
        const [newest] = await client.findReports(
          /^[0-9a-f]{64}$/.test(file) ? { sha256: file } : { filename: file },
        )
        if (!newest)
          throw new PytiError('no-report', `the coordinator has no report on ${file}`, {
            hint: 'ask for one with `pyti submit`',
          })
        if (newest.withdrawn)
          process.stderr.write(
            'This report was withdrawn: volunteers it rests on were caught lying. The file is tested again.\n',
          )
        const bytes = await client.fetch(newest.bundle)
        if (flags.save !== undefined) await writeFile(flags.save, bytes)
        const verification = await verifyBundle(bytes)
        const { ok, checks, evaluation, volunteers } = verification
        if (evaluation && ![evaluation.subject.sha256, evaluation.subject.filename].includes(file))
          throw new PytiError(
            'wrong-report',
            `the coordinator sent a report on another file, ${evaluation.subject.filename}`,
            {
              hint: 'do not rely on this coordinator',
            },
          )
        const agreeing = volunteers.filter(one => one.agreeing).length
        if (flags.json)
          printJson({
            schema: 'pyti.report/1',
            job: newest.job,
            withdrawn: newest.withdrawn,
            verified: ok,
            evaluation,
            volunteers: volunteers.length,
            agreeing,
          })
        else if (ok && evaluation) {
          const rawData = await agreeingRawData(decodeBundle(bytes), verification)
          const seconds = (rawData[0]?.guest.volatile.totalMilliseconds ?? 0) / 1000
          const backend = [...new Set(rawData.map(one => one.guest.volatile.backend))].sort().join('+')
          print(
            renderReport(evaluation, {
              volunteers: volunteers.length,
              agreeing,
              backend,
              seconds,
              ...(verification.report && {
                profile: verification.report.predicate.job.definition.profile,
              }),
              colour: useColor(),
              ...(flags.save !== undefined && { report: flags.save }),
            }),
          )
        }
        if (!ok) {
          for (const check of checks)
            if (check.state === 'failed') print(`FAILED ${check.name}: ${check.detail}`)
          process.exitCode = exitCodes.negative
        }
      } finally {
        await client.close()
      }
    })
}
