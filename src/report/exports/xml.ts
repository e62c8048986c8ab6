import { visible } from './foreign.ts'

export interface Element {
  readonly name: string
  readonly attributes?: Readonly<Record<string, string | number | undefined>>
  readonly children?: readonly Element[]
  readonly text?: string
}

/**
 * An XML 1.0 document. A writer of our own, as the texts are hostile: characters XML cannot hold are made visible, which
 * libraries leave to their caller.
 */
export function renderXml(root: Element): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n${render(root, '')}`
}

function render({ name, attributes = {}, children = [], text }: Element, indent: string): string {
  const written = Object.entries(attributes)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}="${escapeMarkup(String(value))}"`)
  const start = `${indent}<${name}${written.join('')}`
  if (text !== undefined) return `${start}>${escapeLines(text)}</${name}>\n`
  if (children.length === 0) return `${start}/>\n`
  const inner = children.map(child => render(child, `${indent}  `))
  return `${start}>\n${inner.join('')}${indent}</${name}>\n`
}

function escapeLines(text: string): string {
  return text.split('\n').map(escapeMarkup).join('\n')
}

function escapeMarkup(text: string): string {
  return visible(text)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}
