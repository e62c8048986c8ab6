import { rename, rm, stat, writeFile } from 'node:fs/promises'
import { Command } from 'commander'
import { signRoot } from '../../attest/root.ts'
import { firstRoot, nextRoot } from '../../attest/root-draft.ts'
import { decodeRoots, draftOf, encodeRoots, type RootVersion } from '../../attest/root-file.ts'
import { PytiError } from '../../errors.ts'
import { type Identity, loadOrCreateIdentity } from '../../identity.ts'
import { readRootFile } from '../kept-roots.ts'
import { vkeyOption } from '../node-witness.ts'
import { jsonOption, positiveInteger, wholeNumber } from '../options.ts'
import { exitCodes, note, print, printJson } from '../output.ts'
import {
  type DraftFlags,
  draftOptions,
  expiryOf,
  peerOption,
  peersOption,
  vkeyTexts,
} from '../root-options.ts'
import { keyLines, stateLine, statesOf } from '../root-text.ts'

interface InitFlags extends DraftFlags {
  rootPeer?: string[]
  threshold: number
  reportKey: string
  logKey: string
  out: string
}
interface RotateFlags extends DraftFlags {
  addRoot?: string[]
  removeRoot?: string[]
  at?: number
}

export function rootCommand(): Command {
  const command = new Command('root')
    .summary('say which keys may sign for a coordinator, and change them')
    .description(
      'Makes, signs and shows root files: which keys may sign reports and the log of a coordinator, from which leaf on, and which witnesses must. Several people hold the root keys, best on machines without a network.',
    )
    .addHelpText(
      'after',
      `
Examples:
  pyti root key alice.key
  pyti root init --threshold 2 --root-peer 12D3KooWAlice... 12D3KooWBob... --report-key 12D3KooW... --log-key VKEY --witness VKEY --out root.jsonl
  pyti root sign root.jsonl --root-key alice.key
  pyti root rotate root.jsonl --report-key 12D3KooWNew... --at 5120
  pyti root show root.jsonl

Exit code: 0; 1 a signature does not hold, or \`show\` finds a draft or an expired root; 2 bad usage.`,
    )
  for (const part of [keyCommand(), initCommand(), rotateCommand(), signCommand(), showCommand()])
    command.addCommand(part.exitOverride())
  return command
}

function keyCommand(): Command {
  return new Command('key')
    .summary('print the peer id of a key file, made if there is none')
    .argument('<file>', 'key file (PKCS#8 PEM, mode 0600)')
    .action(async (path: string) => print((await loadOrCreateIdentity(path)).peerId))
}

function initCommand(): Command {
  const command = new Command('init')
    .summary('version 1 of a root')
    .requiredOption('--threshold <k>', 'so many root keys must sign', positiveInteger)
    .option('--root-key <file...>', 'key files of root keys that sign now, made where there are none')
    .addOption(peersOption('--root-peer <peerid...>', 'root keys that others hold'))
    .addOption(peerOption('--report-key <peerid>', 'key of the reports').makeOptionMandatory())
    .addOption(vkeyOption('--log-key <vkey>', 'key of the log', 1).makeOptionMandatory())
    .requiredOption('--out <file>', 'where to')
  return draftOptions(command).action(async (flags: InitFlags) => {
    if (await stat(flags.out).catch(() => undefined))
      throw new PytiError('usage', `${flags.out} is there already`, {
        hint: 'change it with `pyti root rotate`',
      })
    const signers = await Promise.all((flags.rootKey ?? []).map(loadOrCreateIdentity))
    const witnesses = vkeyTexts(flags.witness ?? [])
    const document = firstRoot({
      expires: expiryOf(flags.days),
      rootKeys: [...signers.map(({ peerId }) => peerId), ...(flags.rootPeer ?? [])],
      threshold: flags.threshold,
      reportKey: flags.reportKey,
      logKey: flags.logKey,
      witnesses,
      witnessThreshold: flags.witnessThreshold ?? witnesses.length,
    })
    await signAndWrite(flags.out, [draftOf(document)], signers)
  })
}

function rotateCommand(): Command {
  const command = new Command('rotate')
    .summary('draft of the next version, with changed keys')
    .argument('<file>', 'root file; the draft is added to it')
    .option('--root-key <file...>', 'key files that sign the draft now')
    .addOption(peersOption('--add-root <peerid...>', 'new root keys'))
    .addOption(peersOption('--remove-root <peerid...>', 'root keys that are none any more'))
    .option('--threshold <k>', 'so many root keys must sign', positiveInteger)
    .addOption(peerOption('--report-key <peerid>', 'new key of the reports'))
    .addOption(vkeyOption('--log-key <vkey>', 'new key of the log, or key of a new log', 1))
    .option('--at <index>', 'first leaf of the log that the old key does not hold for', wholeNumber)
  return draftOptions(command).action(async (path: string, flags: RotateFlags) => {
    const versions = await readVersions(path)
    const last = (await statesOf(versions, Date.now())).find(({ complete }) => !complete)
    if (last)
      throw new PytiError('root-incomplete', `version ${last.version} lacks signatures`, {
        hint: 'let it be signed with `pyti root sign` first, or take its lines out of the file',
      })
    const { document } = lastOf(versions)
    const next = nextRoot(document, {
      expires: expiryOf(flags.days),
      ...(flags.addRoot && { addRootKeys: flags.addRoot }),
      ...(flags.removeRoot && { removeRootKeys: flags.removeRoot }),
      ...(flags.threshold !== undefined && { threshold: flags.threshold }),
      ...(flags.reportKey !== undefined && { reportKey: flags.reportKey }),
      ...(flags.logKey !== undefined && { logKey: flags.logKey }),
      ...(flags.at !== undefined && { at: flags.at }),
      ...(flags.witness && { witnesses: vkeyTexts(flags.witness) }),
      ...(flags.witnessThreshold !== undefined && { witnessThreshold: flags.witnessThreshold }),
    })
    await signAndWrite(path, [...versions, draftOf(next)], await identitiesIn(flags.rootKey ?? []))
  })
}

function signCommand(): Command {
  return new Command('sign')
    .summary('sign the last version: look at what is printed first')
    .argument('<file>', 'root file; the signatures are added to it')
    .requiredOption('--root-key <file...>', 'key files of root keys, of this version or the one before it')
    .action(async (path: string, { rootKey }: { rootKey: string[] }) =>
      signAndWrite(path, await readVersions(path), await identitiesIn(rootKey)),
    )
}

function showCommand(): Command {
  return new Command('show')
    .summary('versions, signatures and keys of a root file')
    .argument('<file>', 'root file')
    .addOption(jsonOption())
    .action(async (path: string, { json }: { json?: boolean }) => {
      const versions = await readVersions(path)
      const states = await statesOf(versions, Date.now())
      const ok = states.every(({ complete }) => complete) && states.at(-1)?.expired === false
      if (json)
        printJson({ schema: 'pyti.root-show/1', ok, versions: states, document: lastOf(versions).document })
      else await show(versions, print)
      if (!ok) process.exitCode = exitCodes.negative
    })
}

async function signAndWrite(
  path: string,
  versions: RootVersion[],
  signers: readonly Identity[],
): Promise<void> {
  let last = lastOf(versions)
  for (const signer of signers) last = await signRoot(last, versions.at(-2), signer)
  const all = [...versions.slice(0, -1), last]
  const bytes = encodeRoots(all)
  await show(decodeRoots(bytes), note)
  const part = `${path}.part`
  try {
    await writeFile(part, bytes)
    await rename(part, path)
  } finally {
    await rm(part, { force: true })
  }
}

async function show(versions: readonly RootVersion[], say: (line: string) => void): Promise<void> {
  for (const state of await statesOf(versions, Date.now())) say(stateLine(state))
  for (const line of keyLines(lastOf(versions).document)) say(line)
}

async function readVersions(path: string): Promise<RootVersion[]> {
  return decodeRoots(await readRootFile(path))
}

function lastOf(versions: readonly RootVersion[]): RootVersion {
  const last = versions.at(-1)
  if (!last) throw new PytiError('bad-root', 'the file holds no root')
  return last
}

/** Of files that are there: a misspelt name must not make a new key. */
async function identitiesIn(paths: readonly string[]): Promise<Identity[]> {
  for (const path of paths)
    if (!(await stat(path).catch(() => undefined)))
      throw new PytiError('file-not-found', `there is no key file ${path}`)
  return Promise.all(paths.map(loadOrCreateIdentity))
}
