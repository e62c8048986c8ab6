import { stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Command } from 'commander'
import { wrongEvaluation } from '../../attest/audit/prove.ts'
import { decodeBundle } from '../../attest/bundle.ts'
import { unverifiedPayload } from '../../attest/dsse.ts'
import { confirmFault, decodeFault, encodeFault, isFault } from '../../attest/faults.ts'
import { parseVkey, type Vkey } from '../../attest/log/note.ts'
import { parseProof } from '../../attest/log/proof-file.ts'
import { ReportStatement } from '../../attest/report-statement.ts'
import type { RootState } from '../../attest/root.ts'
import { parseStatement } from '../../attest/statement.ts'
import { verifyBundle } from '../../attest/verify.ts'
import { digestFile } from '../../digest-file.ts'
import { isCode, PytiError } from '../../errors.ts'
import { openKeptRoot } from '../kept-roots.ts'
import { jsonOption, positiveInteger } from '../options.ts'
import { exitCodes, print, printJson } from '../output.ts'
import { findPaths } from '../paths.ts'
import { readBundle } from '../read-bundle.ts'
import { openSeenHeads } from '../seen-heads.ts'

interface Flags {
  distribution?: string
  key?: string[]
  root?: string
  logKey?: string
  witness?: string[]
  witnessThreshold?: number
  fault?: string
  volunteers?: number
  json?: boolean
}

const mark = { ok: 'ok     ', failed: 'FAILED ', unknown: 'unknown' } as const

/** One check as a line. */
export function checkLine({
  name,
  state,
  detail,
}: {
  name: string
  state: keyof typeof mark
  detail: string
}): string {
  return `${mark[state]}  ${name.padEnd(20)} ${detail}`
}

export function verifyCommand(): Command {
  return new Command('verify')
    .summary('check a report, or the proof of a fault, offline')
    .description(
      'Checks every signature, that the volunteers are distinct and agree, that nothing is missing, and that the verdict follows from the raw data. Of the proof of a fault it checks that it holds. Nothing is fetched.',
    )
    .argument(
      '<file...>',
      'report bundles (.intoto.jsonl), or proofs of faults as `pyti audit --faults` writes them',
    )
    .option('--distribution <file>', 'the file at hand: its own SHA-256 must be the one the report is about')
    .option('--key <peerid...>', 'report keys you trust, as a coordinator prints them')
    .option('--root <file>', 'root file of the coordinator: it says which keys and witnesses to trust')
    .option('--log-key <vkey>', 'key of the log you trust, as a coordinator prints it')
    .option('--witness <vkey...>', 'keys of witnesses that must have signed its checkpoint')
    .option('--witness-threshold <k>', 'so many of them must; all unless given', positiveInteger)
    .option(
      '--volunteers <n>',
      'how many agreeing volunteers you want to see, instead of what its class asks for',
      positiveInteger,
    )
    .option('--fault <file>', 'write what is wrong with a report as a proof, where its key can be held to it')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Examples:
  pyti verify pyti-reports/six-1.17.0-py2.py3-none-any.whl.intoto.jsonl
  pyti verify report.intoto.jsonl --distribution six-1.17.0-py2.py3-none-any.whl --key 12D3KooW...
  pyti verify proofs/steered-draw-171-1.fault.json --log-key 'log.example/pyti+1a2b3c4d+AX...'

Exit code: 0 no check failed, or the fault is one; 1 one did, or it proves nothing; 2 there is no such file.`,
    )
    .action(async (paths: string[], flags: Flags) => {
      const kept = join(findPaths().data, 'roots')
      const root = flags.root === undefined ? undefined : await openKeptRoot(flags.root, kept, Date.now())
      for (const path of paths)
        if (!(await verifyOne(path, flags, root))) process.exitCode = exitCodes.negative
    })
}

/** The log and its checkpoint in a bundle, nothing of which was checked; undefined where there is none. */
function headIn(bytes: Uint8Array): { vkey: Vkey; note: string } | undefined {
  try {
    const { report, proofs } = decodeBundle(bytes)
    const { predicate } = parseStatement(ReportStatement, unverifiedPayload(report))
    const [proof] = proofs
    return proof === undefined
      ? undefined
      : { vkey: parseVkey(predicate.rawLog.key), note: parseProof(proof).checkpoint }
  } catch {
    return undefined
  }
}

async function verifyOne(path: string, flags: Flags, root: RootState | undefined): Promise<boolean> {
  const bytes = await readBundle(path)
  if (isFault(bytes)) return verifyFault(bytes, flags)
  const heads = openSeenHeads(join(findPaths().data, 'seen-logs'))
  const claimed = headIn(bytes)
  const seen = claimed && (await heads.get(claimed.vkey))
  const { ok, checks, evaluation, reportKey, volunteers } = await verifyBundle(bytes, {
    ...(seen !== undefined && { seenCheckpoint: seen }),
    ...(flags.volunteers !== undefined && { minimumVolunteers: flags.volunteers }),
    ...(flags.key && { trustedKeys: flags.key }),
    ...(flags.logKey !== undefined && { logKey: flags.logKey }),
    ...(flags.witness && { witnesses: flags.witness }),
    ...(flags.witnessThreshold !== undefined && { minimumWitnesses: flags.witnessThreshold }),
    ...(root && { root }),
    ...(flags.distribution !== undefined && { distribution: await measure(flags.distribution) }),
  })
  // The first one stays: whether a later one continues it only the whole log can tell.
  if (ok && claimed && seen === undefined) await heads.keep(claimed.vkey, claimed.note)
  const written = !ok && flags.fault !== undefined && (await writeFault(bytes, flags.fault))
  if (flags.json) {
    printJson({
      schema: 'pyti.verify/1',
      ok,
      checks,
      ...(written && { fault: flags.fault }),
      verdict: evaluation?.verdict,
      subject: evaluation?.subject,
      reportKey,
      volunteers,
    })
    return ok
  }
  for (const check of checks) print(checkLine(check))
  const failed = checks.filter(check => check.state === 'failed').map(check => check.name)
  print(
    ok
      ? `\nverified: ${evaluation?.subject.filename} is "${evaluation?.verdict}"\n`
      : `\nNOT verified: ${failed.join(', ')}\n`,
  )
  if (written) print(`the proof against its key is in ${flags.fault}`)
  return ok
}

/** Whether the file proves a fault, and against whom. */
async function verifyFault(bytes: Uint8Array, flags: Flags): Promise<boolean> {
  try {
    const { kind, accused, detail } = await confirmFault(decodeFault(bytes))
    const trusted = [...(flags.logKey === undefined ? [] : [flags.logKey]), ...(flags.key ?? [])].includes(
      accused,
    )
    if (flags.json)
      printJson({ schema: 'pyti.verify-fault/1', ok: true, kind, accused, accusedIsTrusted: trusted, detail })
    else {
      print(checkLine({ name: kind, state: 'ok', detail }))
      const whose = trusted ? 'which you trust' : 'whoever that is: compare it with the key you know'
      print(`\nproved against ${accused}, ${whose}\n`)
    }
    return true
  } catch (error) {
    if (!isCode(error, 'not-a-fault', 'bad-fault')) throw error
    if (flags.json) printJson({ schema: 'pyti.verify-fault/1', ok: false, detail: error.message })
    else print(`${checkLine({ name: 'fault', state: 'failed', detail: error.message })}\n\nNOT a proof\n`)
    return false
  }
}

/** @returns whether there is anything to prove; a bundle that was only damaged proves nothing */
async function writeFault(bundle: Uint8Array, file: string): Promise<boolean> {
  try {
    const fault = wrongEvaluation(bundle)
    await confirmFault(fault)
    await writeFile(file, encodeFault(fault))
    return true
  } catch (error) {
    if (isCode(error, 'not-a-fault', 'bad-bundle', 'bad-envelope')) return false
    throw error
  }
}

async function measure(path: string): Promise<{ sha256: string; size: number }> {
  const info = await stat(path).catch(() => undefined)
  if (!info?.isFile()) throw new PytiError('file-not-found', `there is no file ${path}`)
  return { sha256: await digestFile(path), size: info.size }
}
