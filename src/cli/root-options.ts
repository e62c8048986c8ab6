import { type Command, InvalidArgumentError, Option } from 'commander'
import { formatVkey, type Vkey } from '../attest/log/note.ts'
import { publicKeyFromPeerId } from '../peer-id.ts'
import { vkeysOption } from './node-witness.ts'
import { positiveInteger, wholeNumber } from './options.ts'

/** Of both commands that make a version of a root. */
export interface DraftFlags {
  rootKey?: string[]
  threshold?: number
  reportKey?: string
  logKey?: string
  witness?: Vkey[]
  witnessThreshold?: number
  days: number
}

const day = 24 * 60 * 60 * 1_000

/** Options of both that make a version. */
export function draftOptions(command: Command): Command {
  return command
    .addOption(vkeysOption('--witness <vkey...>', 'keys of all witnesses', 4))
    .option('--witness-threshold <k>', 'so many witnesses must sign; all unless given', wholeNumber)
    .option('--days <n>', 'expires after so many days', positiveInteger, 365)
}

/** @returns RFC 3339, so many days from now */
export function expiryOf(days: number): string {
  return new Date(Date.now() + days * day).toISOString().replace(/\.\d+Z$/, 'Z')
}

export function vkeyTexts(vkeys: readonly Vkey[]): string[] {
  return vkeys.map(({ name, type, publicKey }) => formatVkey(name, type, publicKey))
}

function peer(text: string): string {
  try {
    publicKeyFromPeerId(text)
  } catch {
    throw new InvalidArgumentError('a peer id starts with 12D3KooW and has 52 characters')
  }
  return text
}

export const peerOption = (flags: string, description: string) =>
  new Option(flags, description).argParser(peer)

export const peersOption = (flags: string, description: string) =>
  new Option(flags, description).argParser((text: string, earlier: string[] | undefined) => [
    ...(earlier ?? []),
    peer(text),
  ])
