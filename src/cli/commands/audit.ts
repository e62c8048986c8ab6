import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Command } from 'commander'
import { type Audit, auditLog } from '../../attest/audit/audit.ts'
import type { AuditFault } from '../../attest/audit/audit-checks.ts'
import { openLog } from '../../attest/audit/open-log.ts'
import type { AuditStatistics } from '../../attest/audit/statistics.ts'
import { encodeFault } from '../../attest/faults.ts'
import { formatVkey } from '../../attest/log/note.ts'
import { toHex } from '../../wire/bytes.ts'
import { openLogSource } from '../log-source.ts'
import { jsonOption, positiveInteger, wholeNumber } from '../options.ts'
import { exitCodes, note, print, printJson } from '../output.ts'
import { findPaths } from '../paths.ts'
import { openSeenHeads, readNote } from '../seen-heads.ts'
import { checkLine } from './verify.ts'

interface Flags {
  key?: string
  witness?: string[]
  witnessThreshold?: number
  seen?: string[]
  faults?: string
  tail: number
  json?: boolean
}

interface Written extends AuditFault {
  file?: string
}

export function auditCommand(): Command {
  return new Command('audit')
    .summary('replay a whole log: fair draws, nothing dropped, no forks')
    .description(
      'Reads a log from its first leaf to its last and computes again what it says: who was drawn, what was decided, who may be drawn from then on, and that every signed statement is accounted for. Needs nothing but the files of the log.',
    )
    .argument('<log>', 'folder or http(s) URL with checkpoint, tile/ and document/')
    .option('--key <vkey>', 'key of the log that you trust, as a coordinator prints it')
    .option('--witness <vkey...>', 'keys of witnesses that must have signed its checkpoint')
    .option('--witness-threshold <k>', 'so many of them must; all unless given', positiveInteger)
    .option('--seen <file...>', 'checkpoints of this log from elsewhere, which it must continue')
    .option('--faults <dir>', 'write each fault that can be proved as a file for `pyti verify`')
    .option('--tail <n>', 'documents of so many last leaves may still be on their way', wholeNumber, 256)
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Examples:
  pyti audit /var/lib/pyti/coordinator/log
  pyti audit https://log.example/pyti --key 'log.example/pyti+1a2b3c4d+AX...' --faults proofs

The newest checkpoint is kept, and the next audit here fails if the log does not continue it.
Exit code: 0 no check failed; 1 one did, or there is no such log.`,
    )
    .action(runAudit)
}

async function runAudit(where: string, flags: Flags): Promise<void> {
  const source = openLogSource(where)
  const heads = openSeenHeads(join(findPaths().data, 'seen-logs'))
  const { vkey } = await openLog(source, { key: flags.key })
  const kept = await heads.get(vkey)
  const seen = [
    ...(kept === undefined ? [] : [kept]),
    ...(await Promise.all((flags.seen ?? []).map(readNote))),
  ]
  let told = 0
  const audit = await auditLog(source, {
    key: flags.key,
    witnesses: flags.witness,
    minimumWitnesses: flags.witnessThreshold,
    seen,
    tail: flags.tail,
    onProgress(done, size) {
      const tenth = Math.floor((10 * done) / size)
      if (size < 10_000 || tenth === told) return
      told = tenth
      note(`${done} of ${size} leaves`)
    },
  })
  const faults = await writeFaults(audit.faults, flags.faults)
  if (audit.checks.some(({ name, state }) => name === 'consistency' && state !== 'failed'))
    await heads.keep(audit.log.vkey, audit.log.note)
  if (flags.json) printJson(jsonOf(audit, faults))
  else printAudit(audit, faults)
  if (!audit.ok) process.exitCode = exitCodes.negative
}

function jsonOf({ ok, log, checks, statistics }: Audit, faults: readonly Written[]) {
  const { name, publicKey } = log.vkey
  return {
    schema: 'pyti.audit/1',
    ok,
    log: { key: formatVkey(name, 1, publicKey), size: log.checkpoint.size, root: toHex(log.checkpoint.root) },
    checks,
    faults: faults.map(({ check, leaf, detail, file, proof }) => ({
      check,
      leaf,
      detail,
      provable: proof?.kind,
      file,
    })),
    statistics,
  }
}

function printAudit({ ok, checks, statistics }: Audit, faults: readonly Written[]): void {
  for (const check of checks) print(checkLine(check))
  if (faults.length > 0) print()
  for (const { check, leaf, detail, proof, file } of faults)
    print(
      `${leaf === undefined ? 'head' : `leaf ${leaf}`}  ${check}: ${detail}${proofNote(proof?.kind, file)}`,
    )
  print()
  for (const line of statisticsLines(statistics)) print(line)
  print(ok ? '\naudited: nothing is wrong\n' : `\nNOT as it should be: ${faults.length} faults\n`)
}

function proofNote(kind: string | undefined, file: string | undefined): string {
  if (file !== undefined) return `\n        proved by ${file}`
  return kind === undefined ? '' : ` (provable as ${kind}: give --faults DIR)`
}

const shown = 10

function statisticsLines({ jobs, pendingRawData, operators, volunteers }: AuditStatistics): string[] {
  const often = Object.entries(volunteers)
    .map(([volunteer, one]) => ({ volunteer, ...one, missed: one.passed + one.skipped }))
    .filter(({ missed }) => missed > 0)
    .sort((a, b) => b.missed - a.missed)
  return [
    `jobs: ${jobs.accepted} accepted, ${jobs.flaky} flaky, ${jobs.unresolved} unresolved, ${jobs.sample} on samples, ${jobs.known} known, ${jobs.trial} referee runs; ${jobs.open} open, with ${pendingRawData} statements`,
    `seats by operator: ${Object.entries(operators)
      .slice(0, shown)
      .map(([name, { seats, perMille }]) => `${name} ${seats} (${(perMille / 10).toFixed(1)} %)`)
      .join(', ')}${Object.keys(operators).length > shown ? ', ...' : ''}`,
    ...often
      .slice(0, shown)
      .map(
        ({ volunteer, seats, passed, skipped }) =>
          `${volunteer}: ${seats} seats, passed over ${passed} times, skipped ${skipped} times`,
      ),
  ]
}

async function writeFaults(faults: readonly AuditFault[], dir: string | undefined): Promise<Written[]> {
  if (dir === undefined) return [...faults]
  await mkdir(dir, { recursive: true })
  const written: Written[] = []
  for (const [number, fault] of faults.entries()) {
    const { proof, leaf } = fault
    if (!proof) {
      written.push(fault)
      continue
    }
    const file = join(dir, `${proof.kind}-${leaf ?? 'head'}-${number + 1}.fault.json`)
    await writeFile(file, encodeFault(proof))
    written.push({ ...fault, file })
  }
  return written
}
