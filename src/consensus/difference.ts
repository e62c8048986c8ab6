import { canonicalJson } from '../wire/canonical.ts'
import type { RawData } from '../wire/raw-data.ts'
import { votedSections } from './ballot.ts'

/** One field two volunteers see differently; `absent` when one of them does not have it. */
export interface Difference {
  readonly path: string
  readonly left: string
  readonly right: string
}

const valueLength = 120

/**
 * Where the voted halves of two raw data differ, field by field and in order of path. Lists are matched by what names
 * their items (path, name, node id), so that one extra file does not shift everything after it.
 * @param limit entries at most
 */
export function differences(left: RawData, right: RawData, limit = 20): Difference[] {
  const found: Difference[] = []
  compare(voted(left), voted(right), '', found, limit)
  return found
}

/** One line: `unittest.status: "passed" / "failed"`. */
export function formatDifference({ path, left, right }: Difference): string {
  return `${path}: ${left} / ${right}`
}

function voted(rawData: RawData): Record<string, unknown> {
  return { ...votedSections(rawData), outcomes: rawData.tasks.unittest?.stable.tests }
}

function compare(left: unknown, right: unknown, path: string, found: Difference[], limit: number): void {
  if (found.length >= limit || left === right) return
  const [a, b] = [fieldsOf(left), fieldsOf(right)]
  if (a === undefined || b === undefined) {
    found.push({ path, left: show(left), right: show(right) })
    return
  }
  for (const key of [...new Set([...a.keys(), ...b.keys()])].sort()) {
    compare(
      a.get(key),
      b.get(key),
      path === '' || key.startsWith('[') ? path + key : `${path}.${key}`,
      found,
      limit,
    )
  }
}

/** What an object or a list consists of, by name; undefined for a plain value. */
function fieldsOf(value: unknown): Map<string, unknown> | undefined {
  if (Array.isArray(value)) return new Map(value.map(item => [`[${nameOf(item)}]`, item]))
  if (typeof value !== 'object' || value === null) return undefined
  return new Map(Object.entries(value).filter(([, item]) => item !== undefined))
}

function nameOf(item: unknown): string {
  if (typeof item === 'string') return item
  if (typeof item === 'object' && item !== null && !Array.isArray(item))
    for (const [key, name] of Object.entries(item))
      if (naming.includes(key) && typeof name === 'string') return name
  return canonicalJson(item)
}

const naming = ['path', 'filename', 'name', 'tool', 'requirement']

function show(value: unknown): string {
  if (value === undefined) return 'absent'
  const text = canonicalJson(value)
  return text.length > valueLength ? `${text.slice(0, valueLength).toWellFormed()}...` : text
}
