import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Command } from 'commander'
import type { RootState } from '../../attest/root.ts'
import { verifyBundle } from '../../attest/verify.ts'
import { digestFile } from '../../digest-file.ts'
import { PytiError } from '../../errors.ts'
import { openKeptRoot } from '../kept-roots.ts'
import { jsonOption, positiveInteger } from '../options.ts'
import { exitCodes, print, printJson } from '../output.ts'
import { findPaths } from '../paths.ts'
import { readBundle } from '../read-bundle.ts'

interface Flags {
  distribution?: string
  key?: string[]
  root?: string
  volunteers: number
  json?: boolean
}

const mark = { ok: 'ok     ', failed: 'FAILED ', unknown: 'unknown' } as const

export function verifyCommand(): Command {
  return new Command('verify')
    .summary('check a report offline, down to the signed raw data')
    .description(
      'Checks every signature, that the volunteers are distinct and agree, that nothing is missing, and that the verdict follows from the raw data. Nothing is fetched.',
    )
    .argument('<report...>', 'report bundles (.intoto.jsonl)')
    .option('--distribution <file>', 'the file at hand: its own SHA-256 must be the one the report is about')
    .option('--key <peerid...>', 'report keys you trust, as a coordinator prints them')
    .option('--root <file>', 'root file of the coordinator: it says which keys and witnesses to trust')
    .option('--volunteers <n>', 'how many agreeing volunteers you want to see', positiveInteger, 3)
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Examples:
  pyti verify pyti-reports/six-1.17.0-py2.py3-none-any.whl.intoto.jsonl
  pyti verify report.intoto.jsonl --distribution six-1.17.0-py2.py3-none-any.whl --key 12D3KooW...

Exit code: 0 no check failed; 1 one did, and its name is printed; 2 there is no such file.`,
    )
    .action(async (paths: string[], flags: Flags) => {
      const kept = join(findPaths().data, 'roots')
      const root = flags.root === undefined ? undefined : await openKeptRoot(flags.root, kept, Date.now())
      for (const path of paths)
        if (!(await verifyOne(path, flags, root))) process.exitCode = exitCodes.negative
    })
}

async function verifyOne(path: string, flags: Flags, root: RootState | undefined): Promise<boolean> {
  const { ok, checks, evaluation, reportKey, volunteers } = await verifyBundle(await readBundle(path), {
    minimumVolunteers: flags.volunteers,
    ...(flags.key && { trustedKeys: flags.key }),
    ...(root && { root }),
    ...(flags.distribution !== undefined && { distribution: await measure(flags.distribution) }),
  })
  if (flags.json) {
    printJson({
      schema: 'pyti.verify/1',
      ok,
      checks,
      verdict: evaluation?.verdict,
      subject: evaluation?.subject,
      reportKey,
      volunteers,
    })
    return ok
  }
  for (const check of checks) print(`${mark[check.state]}  ${check.name.padEnd(20)} ${check.detail}`)
  const failed = checks.filter(check => check.state === 'failed').map(check => check.name)
  print(
    ok
      ? `\nverified: ${evaluation?.subject.filename} is "${evaluation?.verdict}"\n`
      : `\nNOT verified: ${failed.join(', ')}\n`,
  )
  return ok
}

async function measure(path: string): Promise<{ sha256: string; size: number }> {
  const info = await stat(path).catch(() => undefined)
  if (!info?.isFile()) throw new PytiError('file-not-found', `there is no file ${path}`)
  return { sha256: await digestFile(path), size: info.size }
}
