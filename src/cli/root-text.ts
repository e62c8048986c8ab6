import { isExpired, type Tally, tally } from '../attest/root.ts'
import type { IndexRange, RootDocument } from '../attest/root-document.ts'
import type { RootVersion } from '../attest/root-file.ts'
import { plain } from '../report/layout.ts'

/** One version as `pyti root show` tells of it. */
export interface VersionState {
  readonly version: number
  readonly id: string
  readonly expires: string
  readonly expired: boolean
  /** Signatures by its own root keys, and by those of the version before it. */
  readonly own: Tally
  readonly before?: Tally
  readonly complete: boolean
}

/** @throws PytiError `bad-root` when a signature does not hold */
export async function statesOf(versions: readonly RootVersion[], now: number): Promise<VersionState[]> {
  const states: VersionState[] = []
  for (const [at, version] of versions.entries()) {
    const { document, id } = version
    const tallies = await tally(version, versions[at - 1])
    const complete = Object.values(tallies).every(({ signed, wanted }) => signed >= wanted)
    const expired = isExpired(document, now)
    states.push({ version: document.version, id, expires: document.expires, expired, ...tallies, complete })
  }
  return states
}

export function stateLine({ version, id, expires, expired, own, before, complete }: VersionState): string {
  const signatures = [
    `${own.signed} of ${own.wanted} signatures`,
    ...(before ? [`${before.signed} of ${before.wanted} by the keys before`] : []),
  ].join(', ')
  const words = [complete ? 'signed' : 'DRAFT', ...(expired ? ['EXPIRED'] : [])].join(', ')
  return `version ${version}  ${words}  ${signatures}; expires ${expires}; sha256 ${id}`
}

export function keyLines({ roles }: RootDocument): string[] {
  const { root, report, log, witness } = roles
  return [
    `root     ${root.threshold} of ${root.keys.length} must sign`,
    ...root.keys.map(key => `         ${key}`),
    'log',
    ...log.keys.map(({ key, ...range }) => `         ${key}  ${rangeText(range)}`),
    'report',
    ...report.keys.map(({ key, log: name, ...range }) => `         ${key}  ${rangeText(range)} of ${name}`),
    `witness  ${witness.threshold} of ${witness.keys.length} must sign`,
    ...witness.keys.map(key => `         ${key}`),
  ].map(plain)
}

function rangeText({ fromIndex, toIndex }: IndexRange): string {
  return toIndex === undefined ? `from leaf ${fromIndex}` : `leaves ${fromIndex} to ${toIndex - 1}`
}
