import { compareVersions, parseVersion, type Version } from './version.ts'

/**
 * Whether a version meets a PEP 440 specifier set, as in `Requires-Python`.
 * @returns undefined when the set cannot be read
 */
export function meetsSpecifiers(version: string, specifiers: string): boolean | undefined {
  const candidate = parseVersion(version)
  if (!candidate) return undefined
  let met = true
  for (const clause of specifiers.split(',').map(text => text.trim())) {
    if (clause === '') continue
    const one = meets(candidate, clause)
    if (one === undefined) return undefined
    met &&= one
  }
  return met
}

function meets(candidate: Version, clause: string): boolean | undefined {
  const found = /^(~=|===|==|!=|<=|>=|<|>)\s*(\S{1,100})$/.exec(clause)
  if (!found) return undefined
  const [, operator = '', wanted = ''] = found
  if (operator === '===') return candidate.text === wanted
  if (wanted.endsWith('.*')) {
    const prefix = parseVersion(wanted.slice(0, -2))
    if (!prefix || (operator !== '==' && operator !== '!=')) return undefined
    return hasPrefix(candidate, prefix) === (operator === '==')
  }
  const bound = parseVersion(wanted)
  if (!bound) return undefined
  const order = compareVersions(candidate, bound)
  switch (operator) {
    case '==':
      return order === 0
    case '!=':
      return order !== 0
    case '<=':
      return order <= 0
    case '>=':
      return order >= 0
    case '<':
      return order < 0
    case '>':
      return order > 0
    default:
      return order >= 0 && hasPrefix(candidate, { ...bound, release: bound.release.slice(0, -1) })
  }
}

function hasPrefix(candidate: Version, prefix: Version): boolean {
  return (
    candidate.epoch === prefix.epoch &&
    prefix.release.every((part, at) => (candidate.release[at] ?? 0n) === part)
  )
}

/**
 * Whether `Requires-Python` admits the minor version `python` (`3.13`), taken at its latest patch. A specifier that
 * nobody can read does not keep a file from being tested.
 */
export function admitsPython(requiresPython: string | undefined, python: string): boolean {
  return requiresPython === undefined || meetsSpecifiers(`${python}.99`, requiresPython) !== false
}
