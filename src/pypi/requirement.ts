import { decideExtra, type Marker, parseMarker, printMarker } from './marker.ts'
import { normalizeName } from './names.ts'
import { parseVersion } from './version.ts'

/** A requirement on a project of the index (PEP 508), never on a URL or path. */
export interface Requirement {
  /** Normalised. */
  name: string
  /** Normalised, sorted. */
  extras: string[]
  /** `>=1,<2`, without spaces. */
  specifier: string
  marker: Marker | undefined
}

export type ParsedRequirement =
  | { type: 'named'; requirement: Requirement }
  | { type: 'url'; name: string; marker: Marker | undefined }
  | { type: 'bad' }

const head =
  /^([A-Za-z0-9](?:[A-Za-z0-9._-]{0,198}[A-Za-z0-9])?)\s*(?:\[([A-Za-z0-9._,\s-]{0,1000})\])?\s*(.*)$/s
const clause = /^(~=|===|==|!=|<=|>=|<|>)\s*([A-Za-z0-9.*+!_-]{1,100})$/
const maximumLength = 1_000

/** A small strict reader of one PEP 508 requirement. */
export function parseRequirement(text: string): ParsedRequirement {
  const input = text.trim()
  const found = input.length > maximumLength ? null : head.exec(input)
  if (!found) return { type: 'bad' }
  const [, name = '', extras = '', rest = ''] = found
  if (rest.startsWith('@')) {
    const condition = /\s;(.*)$/s.exec(rest)?.[1]
    const marker = condition === undefined ? undefined : parseMarker(condition)
    return { type: 'url', name: normalizeName(name), marker }
  }
  const cut = rest.indexOf(';')
  const marker = cut === -1 ? undefined : parseMarker(rest.slice(cut + 1))
  const specifier = parseSpecifier(cut === -1 ? rest : rest.slice(0, cut))
  const names = extras.split(',').map(extra => extra.trim())
  const badExtras = found[2] !== undefined && extras.trim() !== '' && !names.every(isIdentifier)
  if (specifier === undefined || badExtras || (cut !== -1 && !marker)) return { type: 'bad' }
  const normal = [...new Set(names.filter(extra => extra !== '').map(normalizeName))].sort()
  return { type: 'named', requirement: { name: normalizeName(name), extras: normal, specifier, marker } }
}

/** One spelling for one meaning, as far as the text shows it: what is voted on. */
export function printRequirement({ name, extras, specifier, marker }: Requirement): string {
  const wanted = extras.length > 0 ? `[${extras.join(',')}]` : ''
  return `${name}${wanted}${specifier}${marker ? ` ; ${printMarker(marker)}` : ''}`
}

/** The requirement as it stands when just these extras are asked for; undefined when its marker rules it out. */
export function withExtras<T extends { marker: Marker | undefined }>(
  requirement: T,
  extras: string[],
): T | undefined {
  if (!requirement.marker) return requirement
  const asked = new Set(extras.map(normalizeName))
  const marker = decideExtra(requirement.marker, name =>
    name === '' ? asked.size === 0 : asked.has(normalizeName(name)),
  )
  if (marker.type !== 'known') return { ...requirement, marker }
  return marker.value ? { ...requirement, marker: undefined } : undefined
}

function parseSpecifier(text: string): string | undefined {
  const bare = /^\((.*)\)$/s.exec(text.trim())?.[1] ?? text
  const clauses = bare
    .split(',')
    .map(part => part.trim())
    .filter(part => part !== '')
  const normal = clauses.map(part => {
    const [, operator = '', version = ''] = clause.exec(part) ?? []
    return fits(operator, version) ? operator + version : undefined
  })
  return normal.includes(undefined) ? undefined : normal.join(',')
}

/** What PEP 440 lets an operator be used with: uv takes no line with anything else, and no lock with such a line. */
function fits(operator: string, version: string): boolean {
  const isPrefix = version.endsWith('.*')
  const parsed = parseVersion(isPrefix ? version.slice(0, -2) : version)
  if (!parsed) return false
  if (operator === '==' || operator === '!=')
    return !isPrefix || (parsed.local.length === 0 && parsed.dev === undefined)
  if (operator === '===') return !isPrefix
  if (isPrefix || parsed.local.length > 0) return false
  return operator !== '' && (operator !== '~=' || parsed.release.length > 1)
}

function isIdentifier(text: string): boolean {
  return /^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$/.test(text)
}
