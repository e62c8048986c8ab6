import { PytiError } from '../errors.ts'
import { limits } from '../wire/limits.ts'
import { createHttp, type HttpOptions } from './http.ts'
import { type IndexFile, type ProjectPage, parseHtmlPage, parseJsonPage } from './index-page.ts'
import { normalizeName } from './names.ts'
import { redactUrl } from './redact.ts'

export interface IndexClient {
  /** Base URL; may hold credentials. */
  readonly url: string
  /**
   * Every file of a project. Asked again, an unchanged page costs one conditional request.
   * @throws PytiError `project-not-found` | `index-unreachable` | `bad-index-page`
   */
  project(name: string, signal?: AbortSignal): Promise<ProjectPage>
  /**
   * Bytes of a listed file: from its page, else asked of the server (HTML pages give no sizes).
   * @throws PytiError `index-unreachable`
   */
  sizeOf(file: Pick<IndexFile, 'url' | 'size'>, signal?: AbortSignal): Promise<number | undefined>
}

const accept =
  'application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01'
const cachedPages = 64

/** Client of the Simple API, JSON where the index has it and HTML where not (PEP 503, 691, 700). */
export function createIndexClient(
  options: Omit<HttpOptions, 'indexUrl'> & { url: string; pageBytes?: number },
): IndexClient {
  const { pageBytes = limits.indexPageBytes } = options
  const http = createHttp({ ...options, indexUrl: options.url })
  const base = new URL(`${options.url.replace(/\/+$/, '')}/`)
  base.username = ''
  base.password = ''
  const cache = new Map<string, { etag: string; page: ProjectPage }>()

  function remember(name: string, etag: string, page: ProjectPage): void {
    cache.delete(name)
    cache.set(name, { etag, page })
    const [oldest] = cache.keys()
    if (cache.size > cachedPages && oldest !== undefined) cache.delete(oldest)
  }

  return {
    url: options.url,
    sizeOf: async (file, signal) => file.size ?? http.size(file.url, signal),
    async project(name, signal) {
      const project = normalizeName(name)
      if (!/^[a-z0-9](?:[a-z0-9-]{0,198}[a-z0-9])?$/.test(project)) throw notFound(name, options.url)
      const url = new URL(`${project}/`, base).href
      const known = cache.get(project)
      const headers = { accept, ...(known ? { 'if-none-match': known.etag } : {}) }
      return http.get(
        url,
        headers,
        async (response, alive) => {
          if (response.status === 304 && known) return known.page
          if (response.status === 404 || response.status === 410) throw notFound(project, options.url)
          if (response.status !== 200)
            throw new PytiError(
              'index-unreachable',
              `${redactUrl(url)} answered with HTTP status ${response.status}`,
              {
                hint: 'are the credentials right? name another index with --index URL or PIP_INDEX_URL',
              },
            )
          const text = await readText(response, pageBytes, project, alive)
          const pageUrl = response.url || url
          const type = response.headers.get('content-type') ?? ''
          const page = /json/i.test(type)
            ? parseJsonPage(text, project, pageUrl)
            : parseHtmlPage(requireHtml(text, type, project), project, pageUrl)
          const serial = Number(response.headers.get('x-pypi-last-serial') ?? Number.NaN)
          if (Number.isSafeInteger(serial)) page.lastSerial = serial
          const etag = response.headers.get('etag')
          if (etag !== null) remember(project, etag, page)
          return page
        },
        signal,
      )
    },
  }
}

function requireHtml(text: string, type: string, project: string): string {
  if (/html/i.test(type)) return text
  throw new PytiError(
    'bad-index-page',
    `index page of ${project}: neither JSON nor HTML but ${JSON.stringify(type.slice(0, 100))}`,
    { hint: 'is the index URL the one of a Simple API (it often ends in /simple)?' },
  )
}

async function readText(
  response: Response,
  pageBytes: number,
  project: string,
  alive: () => void,
): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body ?? []) {
    alive()
    size += chunk.length
    if (size > pageBytes)
      throw new PytiError('bad-index-page', `index page of ${project} is larger than ${pageBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function notFound(name: string, url: string): PytiError {
  return new PytiError(
    'project-not-found',
    `no project ${JSON.stringify(name.slice(0, 200))} on ${redactUrl(url)}`,
    {
      hint: 'check the spelling; a project just made may take a few minutes to show on a mirror',
    },
  )
}
