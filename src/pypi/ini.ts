import { cutBefore } from './cut.ts'

/** Sections of a `setup.cfg` or `tox.ini`, as Python's configparser reads them: a value may go on in
 * indented lines. A `;` inside a line is no comment: it starts a requirement's marker. */
export type Ini = Map<string, Map<string, string>>

export function parseIni(text: string): Ini {
  const sections: Ini = new Map()
  let section: Map<string, string> | undefined
  let key: string | undefined
  for (const raw of text.split(/\r?\n/)) {
    if (/^\s*[#;]/.test(raw)) continue
    const line = cutBefore(raw, /\s#/).trimEnd()
    if (line === '') continue
    const header = /^\[(.+)\]$/.exec(line)?.[1]
    if (header !== undefined) {
      section = sections.get(header.trim()) ?? new Map()
      sections.set(header.trim(), section)
      key = undefined
      continue
    }
    if (!section) continue
    if (/^\s/.test(line)) {
      if (key !== undefined) section.set(key, `${section.get(key) ?? ''}\n${line.trim()}`)
      continue
    }
    const cut = line.search(/[=:]/)
    key = cut > 0 ? line.slice(0, cut).trim().toLowerCase() : undefined
    if (key !== undefined) section.set(key, line.slice(cut + 1).trimStart())
  }
  return sections
}

/** The lines of a value that are not empty. */
export function linesOf(value: string | undefined): string[] {
  return (value ?? '')
    .split('\n')
    .map(line => line.trim())
    .filter(line => line !== '')
}
