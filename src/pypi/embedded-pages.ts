/** What the embedded index knows of one file. */
export interface HostedFile {
  filename: string
  bytes: Uint8Array
  project: string
  version: string
  sha256: string
  requiresPython?: string
  /** RFC 3339. */
  uploaded: string
  serial: number
}

/** One row of the changelog: name, version, Unix seconds, action, serial. */
export type ChangelogRow = [
  name: string,
  version: string | null,
  seconds: number,
  action: string,
  serial: number,
]

/** Project page as JSON (PEP 691, PEP 700). */
export function projectJson(
  project: string,
  files: HostedFile[],
  serial: number | undefined,
  withUploadTimes: boolean,
): string {
  return JSON.stringify({
    meta: { 'api-version': '1.1', '_last-serial': serial },
    name: project,
    versions: [...new Set(files.map(file => file.version))],
    files: files.map(file => ({
      filename: file.filename,
      url: fileUrl(file),
      hashes: { sha256: file.sha256 },
      size: file.bytes.length,
      yanked: false,
      ...(file.requiresPython ? { 'requires-python': file.requiresPython } : {}),
      ...(withUploadTimes ? { 'upload-time': file.uploaded } : {}),
    })),
  })
}

/** Project page as HTML (PEP 503): no sizes, no upload times. */
export function projectHtml(project: string, files: HostedFile[]): string {
  const links = files.map(file => {
    const python = file.requiresPython ? ` data-requires-python="${escapeXml(file.requiresPython)}"` : ''
    return `<a href="${fileUrl(file)}#sha256=${file.sha256}"${python}>${escapeXml(file.filename)}</a><br>`
  })
  return html(`Links for ${escapeXml(project)}`, links)
}

export function rootJson(projects: string[], serial: number | undefined): string {
  return JSON.stringify({
    meta: { 'api-version': '1.1', '_last-serial': serial },
    projects: projects.map(name => ({ name })),
  })
}

export function rootHtml(projects: string[]): string {
  return html(
    'Simple index',
    projects.map(name => `<a href="/simple/${name}/">${name}</a><br>`),
  )
}

/** RSS 2.0 as PyPI writes it: newest first, a title of "NAME VERSION" or "NAME added to PyPI". */
export function rss(items: { title: string; link: string }[]): string {
  const entries = items.map(
    item => `<item><title>${escapeXml(item.title)}</title><link>${escapeXml(item.link)}</link></item>`,
  )
  return `<?xml version="1.0" encoding="UTF-8"?>\n<rss version="2.0"><channel><title>Updates</title>${entries.join('')}</channel></rss>\n`
}

/** XML-RPC answer: a number, or rows of the changelog. */
export function rpcAnswer(result: number | ChangelogRow[]): string {
  const value =
    typeof result === 'number' ? rpcValue(result) : rpcArray(result.map(row => rpcArray(row.map(rpcValue))))
  return `<?xml version='1.0'?>\n<methodResponse><params><param>${value}</param></params></methodResponse>\n`
}

export function rpcFault(code: number, message: string): string {
  const member = (name: string, value: string) => `<member><name>${name}</name>${value}</member>`
  return `<?xml version='1.0'?>\n<methodResponse><fault><value><struct>${member('faultCode', rpcValue(code))}${member('faultString', rpcValue(message))}</struct></value></fault></methodResponse>\n`
}

function rpcArray(values: string[]): string {
  return `<value><array><data>${values.join('')}</data></array></value>`
}

function rpcValue(value: string | number | null): string {
  if (value === null) return '<value><nil/></value>'
  if (typeof value === 'number') return `<value><int>${value}</int></value>`
  return `<value><string>${escapeXml(value)}</string></value>`
}

function fileUrl(file: HostedFile): string {
  return `/files/${file.sha256.slice(0, 16)}/${encodeURIComponent(file.filename)}`
}

function html(title: string, lines: string[]): string {
  return `<!DOCTYPE html>\n<html><head><meta name="pypi:repository-version" content="1.0"><title>${title}</title></head><body>\n${lines.join('\n')}\n</body></html>\n`
}

function escapeXml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}
