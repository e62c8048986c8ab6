export interface Anchors {
  anchors: Map<string, string>[]
  /** `href` of `<base>`. */
  base?: string
  /** `content` of `<meta name="pypi:repository-version">`. */
  apiVersion?: string
}

/**
 * Attributes of the anchors of a PEP 503 page. Not an HTML parser: it knows start tags, attributes and comments, the
 * whole of what the PEP allows an index to use. One pass over the text.
 */
export function parseAnchors(html: string): Anchors {
  const found: Anchors = { anchors: [] }
  for (let at = html.indexOf('<'); at !== -1; at = html.indexOf('<', at)) {
    if (html.startsWith('<!--', at)) {
      const end = html.indexOf('-->', at)
      if (end === -1) break
      at = end
      continue
    }
    const name = /^<(a|base|meta)(?=[\s/>])/i.exec(html.slice(at, at + 6))?.[1]?.toLowerCase()
    at++
    if (name === undefined) continue
    const tag = readAttributes(html, at + name.length)
    at = tag.end
    if (name === 'a') found.anchors.push(tag.attributes)
    if (name === 'base') found.base ??= tag.attributes.get('href') ?? ''
    if (name === 'meta' && tag.attributes.get('name') === 'pypi:repository-version')
      found.apiVersion = tag.attributes.get('content') ?? ''
  }
  return found
}

function readAttributes(html: string, from: number): { attributes: Map<string, string>; end: number } {
  const attributes = new Map<string, string>()
  const attribute = /[\s/]*([^\s=>/"']+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>"']+)))?/y
  let end = from
  for (;;) {
    attribute.lastIndex = end
    const match = attribute.exec(html)
    if (!match) return { attributes, end }
    end = attribute.lastIndex
    const [, name = '', double, single, bare] = match
    if (!attributes.has(name.toLowerCase()))
      attributes.set(name.toLowerCase(), decodeEntities(double ?? single ?? bare ?? ''))
  }
}

const entities: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

function decodeEntities(text: string): string {
  return text.replace(/&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|([a-z]{2,4}));/gi, (whole, decimal, hex, name) => {
    if (typeof name === 'string') return entities[name.toLowerCase()] ?? whole
    const code = decimal === undefined ? Number.parseInt(hex, 16) : Number(decimal)
    return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : whole
  })
}
