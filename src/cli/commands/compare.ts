import { Command } from 'commander'
import { agreeingRawData } from '../../attest/agreeing.ts'
import { decodeBundle } from '../../attest/bundle.ts'
import { type VerifyOptions, verifyBundle } from '../../attest/verify.ts'
import { PytiError } from '../../errors.ts'
import { compareReleases, type Release, renderComparison } from '../../report/comparison.ts'
import { jsonOption, positiveInteger } from '../options.ts'
import { printJson } from '../output.ts'
import { readBundle } from '../read-bundle.ts'

interface Flags {
  key?: string[]
  volunteers?: number
  json?: boolean
}

export function compareCommand(): Command {
  return new Command('compare')
    .summary('what a release does that the previous one did not')
    .description(
      'Verifies the report bundles of two releases of a project and prints what is new in the second: programs it starts, hosts, secrets, changed files, findings, requirements, failing tests. Nothing is fetched.',
    )
    .argument('<previous>', 'report bundle (.intoto.jsonl) of the previous release')
    .argument('<current>', 'report bundle of the current release')
    .option('--key <peerid...>', 'report keys you trust, as a coordinator prints them')
    .option(
      '--volunteers <n>',
      'how many agreeing volunteers you want to see, instead of what its class asks for',
      positiveInteger,
    )
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Example:
  pyti compare sample-1.0.tar.gz.intoto.jsonl sample-1.1.tar.gz.intoto.jsonl

Exit code: 0 compared, whatever differs; 1 a bundle does not verify; 2 no such file, or not two releases of one project.`,
    )
    .action(async (previous: string, current: string, flags: Flags) => {
      const options = {
        ...(flags.volunteers !== undefined && { minimumVolunteers: flags.volunteers }),
        ...(flags.key && { trustedKeys: flags.key }),
      }
      const comparison = compareReleases(
        await releaseOf(await readBundle(previous), previous, options),
        await releaseOf(await readBundle(current), current, options),
      )
      if (flags.json) printJson(comparison)
      else process.stdout.write(renderComparison(comparison))
    })
}

/** @throws PytiError `not-verified` with the checks that failed */
export async function releaseOf(bytes: Uint8Array, path: string, options: VerifyOptions): Promise<Release> {
  const verification = await verifyBundle(bytes, options)
  const { ok, evaluation, checks } = verification
  const [rawData] = ok ? await agreeingRawData(decodeBundle(bytes), verification) : []
  if (evaluation && rawData) return { evaluation, rawData }
  const failed = checks
    .filter(check => check.state === 'failed')
    .map(({ name, detail }) => `${name} (${detail})`)
  throw new PytiError('not-verified', `${path} does not verify: ${failed.join(', ')}`, {
    hint: 'see `pyti verify` for all its checks',
  })
}
