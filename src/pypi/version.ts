/** A version as PEP 440 orders it. Numbers stay text of digits compared as BigInt: dates do not fit 32 bits. */
export interface Version {
  /** Normal form. */
  text: string
  epoch: bigint
  release: bigint[]
  pre: [label: string, number: bigint] | undefined
  post: bigint | undefined
  dev: bigint | undefined
  local: (string | bigint)[]
}

const pattern = new RegExp(
  [
    /^v?(?:(?<epoch>\d+)!)?(?<release>\d+(?:\.\d+)*)/,
    /(?:[-_.]?(?<pre>alpha|beta|preview|pre|rc|a|b|c)[-_.]?(?<preNumber>\d+)?)?/,
    /(?:-(?<implicitPost>\d+)|[-_.]?(?<post>post|rev|r)[-_.]?(?<postNumber>\d+)?)?/,
    /(?:[-_.]?(?<dev>dev)[-_.]?(?<devNumber>\d+)?)?/,
    /(?:\+(?<local>[a-z0-9]+(?:[-_.][a-z0-9]+)*))?$/,
  ]
    .map(part => part.source)
    .join(''),
)
const labels: Record<string, string> = { alpha: 'a', beta: 'b', c: 'rc', pre: 'rc', preview: 'rc' }

/** @returns undefined when the text is no PEP 440 version */
export function parseVersion(input: string): Version | undefined {
  if (input.length > 200) return undefined
  const found = pattern.exec(input.trim().toLowerCase())?.groups
  if (found?.release === undefined) return undefined
  const number = (digits: string | undefined) => BigInt(digits ?? '0')
  const epoch = number(found.epoch)
  const release = found.release.split('.').map(BigInt)
  const pre: Version['pre'] =
    found.pre === undefined ? undefined : [labels[found.pre] ?? found.pre, number(found.preNumber)]
  const post =
    found.implicitPost !== undefined || found.post !== undefined
      ? number(found.implicitPost ?? found.postNumber)
      : undefined
  const dev = found.dev === undefined ? undefined : number(found.devNumber)
  const local = (found.local?.split(/[-_.]/) ?? []).map(part => (/^\d+$/.test(part) ? BigInt(part) : part))
  const text = [
    epoch > 0n ? `${epoch}!` : '',
    release.join('.'),
    pre ? pre.join('') : '',
    post === undefined ? '' : `.post${post}`,
    dev === undefined ? '' : `.dev${dev}`,
    local.length > 0 ? `+${local.join('.')}` : '',
  ].join('')
  return { text, epoch, release, pre, post, dev, local }
}

export function isPrerelease(version: Version): boolean {
  return version.pre !== undefined || version.dev !== undefined
}

/** Negative when `a` comes before `b` (PEP 440, "Summary of permitted suffixes and relative ordering"). */
export function compareVersions(a: Version, b: Version): number {
  return (
    compare(a.epoch, b.epoch) ||
    compareReleases(a.release, b.release) ||
    compare(phase(a), phase(b)) ||
    compare(a.pre?.[0] ?? '', b.pre?.[0] ?? '') ||
    compare(a.pre?.[1] ?? 0n, b.pre?.[1] ?? 0n) ||
    compare(a.post ?? -1n, b.post ?? -1n) ||
    compareDev(a.dev, b.dev) ||
    compareLocal(a.local, b.local)
  )
}

/** `1.dev1` < `1a1` < `1`: a dev release of the final comes before every pre-release. */
function phase(version: Version): number {
  if (version.pre) return 1
  return version.post === undefined && version.dev !== undefined ? 0 : 2
}

function compare<T extends bigint | string | number>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function compareReleases(a: bigint[], b: bigint[]): number {
  for (let at = 0; at < Math.max(a.length, b.length); at++) {
    const order = compare(a[at] ?? 0n, b[at] ?? 0n)
    if (order !== 0) return order
  }
  return 0
}

function compareDev(a: bigint | undefined, b: bigint | undefined): number {
  if (a === undefined || b === undefined) return Number(a === undefined) - Number(b === undefined)
  return compare(a, b)
}

function compareLocal(a: Version['local'], b: Version['local']): number {
  for (let at = 0; at < Math.max(a.length, b.length); at++) {
    const [left, right] = [a[at], b[at]]
    if (left === undefined || right === undefined) return left === undefined ? -1 : 1
    if (typeof left !== typeof right) return typeof left === 'bigint' ? 1 : -1
    const order = left < right ? -1 : left > right ? 1 : 0
    if (order !== 0) return order
  }
  return 0
}

/** Order of two versions as text; what is no version (PEP 440) comes before all that are. */
export function compareVersionTexts(a: string, b: string): number {
  const [first, second] = [parseVersion(a), parseVersion(b)]
  if (first && second) return compareVersions(first, second)
  return Number(first !== undefined) - Number(second !== undefined)
}
