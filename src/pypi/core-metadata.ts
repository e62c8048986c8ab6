/** The fields of METADATA / PKG-INFO that matter before anything runs (core metadata specification). */
export interface CoreMetadata {
  metadataVersion: string | undefined
  name: string | undefined
  version: string | undefined
  requiresPython: string | undefined
  requiresDist: string[]
  providesExtra: string[]
  /** Lower case. */
  dynamic: string[]
}

/** Reads the headers; the description after the first empty line is not looked at. */
export function parseMetadata(text: string): CoreMetadata {
  const fields = new Map<string, string[]>()
  let last: string[] | undefined
  for (const line of text.split(/\r?\n/)) {
    if (line === '') break
    const continued = /^[ \t]/.test(line)
    if (continued && last) last.push(`${last.pop() ?? ''} ${line.trim()}`)
    const colon = line.indexOf(':')
    if (continued || colon === -1) continue
    const key = line.slice(0, colon).trim().toLowerCase()
    last = fields.get(key) ?? []
    last.push(line.slice(colon + 1).trim())
    fields.set(key, last)
  }
  const all = (key: string) => (fields.get(key) ?? []).filter(value => value !== '')
  return {
    metadataVersion: all('metadata-version')[0],
    name: all('name')[0],
    version: all('version')[0],
    requiresPython: all('requires-python')[0],
    requiresDist: all('requires-dist'),
    providesExtra: all('provides-extra'),
    dynamic: all('dynamic').map(field => field.toLowerCase()),
  }
}
