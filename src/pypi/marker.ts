import { normalizeName } from './names.ts'

/** An environment marker (PEP 508) as a tree: enough to decide on `extra` and to write the rest back. */
export type Marker =
  | { type: 'and' | 'or'; left: Marker; right: Marker }
  | { type: 'test'; left: string; operator: string; right: string }
  | { type: 'known'; value: boolean }

const token =
  /\s*(?:(\(|\))|(<=|>=|<|>|===|==|!=|~=|not\s+in\b|in\b)|('[^']*'|"[^"]*")|([A-Za-z_][A-Za-z0-9_.]*))/y
/** Those of the dependency specifiers' grammar (PEP 508), with the old spellings that uv takes too. */
const variables = new Set([
  ...['os_name', 'sys_platform', 'platform_machine', 'platform_python_implementation', 'platform_release'],
  ...['platform_system', 'platform_version', 'python_version', 'python_full_version', 'implementation_name'],
  ...['implementation_version', 'extra', 'extras', 'dependency_groups', 'python_implementation'],
  ...['os.name', 'sys.platform', 'platform.version', 'platform.machine', 'platform.python_implementation'],
])
const maximumTokens = 2_000
const maximumDepth = 50

/** @returns undefined when the text is no marker */
export function parseMarker(text: string): Marker | undefined {
  const tokens = tokenize(text)
  if (!tokens) return undefined
  let at = 0
  let depth = 0
  const take = () => tokens[at++]

  function or(): Marker | undefined {
    return chain('or', () => chain('and', atom))
  }
  function chain(type: 'and' | 'or', next: () => Marker | undefined): Marker | undefined {
    let left = next()
    while (left && tokens?.[at] === type) {
      at++
      const right = next()
      left = right && { type, left, right }
    }
    return left
  }
  function atom(): Marker | undefined {
    const left = take()
    if (left === '(') {
      if (++depth > maximumDepth) return undefined
      const inner = or()
      depth--
      return take() === ')' ? inner : undefined
    }
    const [operator, right] = [take(), take()]
    if (!isOperand(left) || !isOperand(right) || operator === undefined || !isOperator(operator))
      return undefined
    return { type: 'test', left, operator: operator.replace(/\s+/, ' '), right }
  }

  const marker = or()
  return at === tokens.length ? marker : undefined
}

/** The marker with every test of `extra` decided; `extra` is `''` when none is asked for. */
export function decideExtra(marker: Marker, isExtra: (name: string) => boolean): Marker {
  if (marker.type === 'known') return marker
  if (marker.type === 'test') {
    const { left, operator, right } = marker
    if (left !== 'extra' && right !== 'extra') return marker
    const asked = isExtra((left === 'extra' ? right : left).slice(1, -1))
    if (operator === '==' || operator === '===') return { type: 'known', value: asked }
    return operator === '!=' ? { type: 'known', value: !asked } : { type: 'known', value: false }
  }
  const left = decideExtra(marker.left, isExtra)
  const right = decideExtra(marker.right, isExtra)
  const absorbing = marker.type === 'or'
  if (left.type === 'known') return left.value === absorbing ? left : right
  if (right.type === 'known') return right.value === absorbing ? right : left
  return { type: marker.type, left, right }
}

/** Normalised names that a marker compares `extra` with. */
export function namedExtras(marker: Marker, found = new Set<string>()): Set<string> {
  if (marker.type === 'known') return found
  if (marker.type !== 'test') return namedExtras(marker.right, namedExtras(marker.left, found))
  const { left, right } = marker
  if (left === 'extra' || right === 'extra')
    found.add(normalizeName((left === 'extra' ? right : left).slice(1, -1)))
  return found
}

/** PEP 508 text of a marker without decided parts. */
export function printMarker(marker: Marker): string {
  if (marker.type === 'known') return String(marker.value)
  if (marker.type === 'test') return `${marker.left} ${marker.operator} ${marker.right}`
  const side = (inner: Marker) =>
    marker.type === 'and' && inner.type === 'or' ? `(${printMarker(inner)})` : printMarker(inner)
  return `${side(marker.left)} ${marker.type} ${side(marker.right)}`
}

function tokenize(text: string): string[] | undefined {
  const tokens: string[] = []
  const input = text.trim()
  token.lastIndex = 0
  for (let end = 0; end < input.length; end = token.lastIndex) {
    const match = token.exec(input)
    if (!match || tokens.length >= maximumTokens) return undefined
    tokens.push(match[0].trim())
  }
  return tokens
}

function isOperand(text: string | undefined): text is string {
  return text !== undefined && (/^['"]/.test(text) || variables.has(text))
}

function isOperator(text: string): boolean {
  return /^(?:[<>=!~]+|in|not\s+in)$/.test(text)
}
