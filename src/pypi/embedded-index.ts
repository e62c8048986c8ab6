import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { Clock } from '../clock.ts'
import { messageOf } from '../errors.ts'
import { sha256 } from '../wire/canonical.ts'
import { projectHtml, projectJson, rootHtml, rootJson, rpcAnswer, rpcFault, rss } from './embedded-pages.ts'
import { createShelf, type PublishedFile, type Shelf } from './embedded-shelf.ts'
import { normalizeName } from './names.ts'

/** What the index offers; may be changed while it runs. */
export interface IndexFeatures {
  json: boolean
  uploadTimes: boolean
  /** The last serial, in a header and in the JSON page. */
  serials: boolean
  changelog: boolean
  rss: boolean
}

/** Answer that a test puts in place of the index's own. */
export interface CannedAnswer {
  status?: number
  type?: string
  body: string | Uint8Array
}

export interface EmbeddedIndexOptions {
  distributions?: PublishedFile[]
  /** Folder whose wheels and sdists are served too. */
  dir?: string
  host?: string
  /** 0 takes a free port. */
  port?: number
  withUploadTimes?: boolean
  clock: Clock
}

export interface EmbeddedIndex extends Pick<Shelf, 'publish' | 'remove'> {
  /** The simple index: `http://127.0.0.1:PORT/simple/`. */
  url: string
  features: IndexFeatures
  /** Every request so far: `GET /simple/NAME/`. */
  requests: string[]
  /** Drops every connection without an answer while true. */
  setOffline(offline: boolean): void
  /** Serves a file's bytes changed, of equal length, while its page gives the true digest. */
  corrupt(filename: string): void
  /** Keeps a project's page as it is now (a cache that lags), or lets it go on. */
  freeze: Shelf['freeze']
  /** Answers a path with this, or by itself again. */
  answer(path: string, canned: CannedAnswer | undefined): void
  close(): Promise<void>
}

const jsonType = 'application/vnd.pypi.simple.v1+json'
const htmlType = 'application/vnd.pypi.simple.v1+html'

/** A package index for demos and tests: simple API in JSON and HTML, downloads, changelog over XML-RPC, RSS. */
export async function startEmbeddedIndex(options: EmbeddedIndexOptions): Promise<EmbeddedIndex> {
  const { host = '127.0.0.1', port = 0 } = options
  const uploadTimes = options.withUploadTimes ?? true
  const features: IndexFeatures = { json: true, uploadTimes, serials: true, changelog: true, rss: true }
  const requests: string[] = []
  const corrupted = new Set<string>()
  const canned = new Map<string, CannedAnswer>()
  const shelf = createShelf(options.clock)
  shelf.publish(...(options.distributions ?? []))
  if (options.dir !== undefined) shelf.publish(...(await readFiles(options.dir)))
  const respond = responder(shelf, features, corrupted)
  let offline = false

  const server = createServer((request, response) => {
    const path = pathOf(request)
    requests.push(`${request.method} ${path}`)
    if (offline) return request.socket.destroy()
    const set = canned.get(path)
    if (set) return send(response, set.status ?? 200, set.type ?? 'text/xml', set.body)
    respond(path, request, response).catch(error =>
      send(response, 500, 'text/plain', `${messageOf(error)}\n`),
    )
  })
  server.listen(port, host)
  await once(server, 'listening')
  const address = server.address()
  const bound = typeof address === 'object' && address !== null ? address.port : port

  return {
    url: `http://${host}:${bound}/simple/`,
    features,
    requests,
    publish: shelf.publish,
    remove: shelf.remove,
    freeze: shelf.freeze,
    setOffline(value) {
      offline = value
      if (value) server.closeAllConnections()
    },
    corrupt: filename => void corrupted.add(filename),
    answer(path, answer) {
      if (answer) canned.set(path, answer)
      else canned.delete(path)
    },
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

function responder(shelf: Shelf, features: IndexFeatures, corrupted: Set<string>) {
  return async (path: string, request: IncomingMessage, response: ServerResponse): Promise<unknown> => {
    const fail = (status: number, message: string) => send(response, status, 'text/plain', `${message}\n`)
    if (path === '/pypi' && features.changelog && request.method === 'POST')
      return send(response, 200, 'text/xml', callRpc(await text(request), shelf))
    if (request.method !== 'GET' && request.method !== 'HEAD') return fail(405, 'GET only')
    if (path === '/rss/updates.xml' && features.rss) return send(response, 200, 'text/xml', updates(shelf))
    if (path === '/rss/packages.xml' && features.rss)
      return send(response, 200, 'text/xml', newProjects(shelf))
    if (path.startsWith('/files/')) {
      const [, , digest = '', name = ''] = path.split('/')
      const file = shelf.find(name)
      if (file?.sha256.slice(0, 16) !== digest) return fail(404, 'no such file')
      const bytes = corrupted.has(name) ? changed(file.bytes) : file.bytes
      return send(response, 200, 'application/octet-stream', bytes)
    }
    if (path === '/simple/')
      return negotiate(request, response, features, {
        json: () => rootJson(shelf.projects(), features.serials ? shelf.lastSerial() : undefined),
        html: () => rootHtml(shelf.projects()),
      })
    const [, wanted] = /^\/simple\/([^/]+)\/?$/.exec(path) ?? []
    if (wanted === undefined) return fail(404, 'nothing here')
    const name = normalizeName(wanted)
    if (path !== `/simple/${name}/`) return response.writeHead(301, { location: `/simple/${name}/` }).end()
    const files = shelf.page(name)
    if (files.length === 0) return fail(404, 'no such project')
    const serial = features.serials ? Math.max(...files.map(file => file.serial)) : undefined
    if (serial !== undefined) response.setHeader('x-pypi-last-serial', serial)
    negotiate(request, response, features, {
      json: () => projectJson(name, files, serial, features.uploadTimes),
      html: () => projectHtml(name, files),
    })
  }
}

/** Sends a page in the form the client asked for (PEP 691), or 304. */
function negotiate(
  request: IncomingMessage,
  response: ServerResponse,
  features: IndexFeatures,
  make: { json(): string; html(): string },
): void {
  const accept = request.headers.accept ?? ''
  const asJson = features.json && accept.includes(jsonType)
  const body = asJson ? make.json() : make.html()
  const etag = `"${sha256(body).slice(0, 32)}"`
  response.setHeader('etag', etag)
  response.setHeader('vary', 'accept')
  if (request.headers['if-none-match'] === etag) response.writeHead(304).end()
  else send(response, 200, asJson ? jsonType : accept.includes(htmlType) ? htmlType : 'text/html', body)
}

function updates(shelf: Shelf): string {
  const releases = new Map(
    shelf
      .newest()
      .map(({ project, version }) => [`${project} ${version}`, `/project/${project}/${version}/`]),
  )
  return rss([...releases].slice(0, 100).map(([title, link]) => ({ title, link })))
}

function newProjects(shelf: Shelf): string {
  const names = [...new Set(shelf.newest().map(file => file.project))].slice(0, 40)
  return rss(names.map(name => ({ title: `${name} added to the index`, link: `/project/${name}/` })))
}

function callRpc(body: string, shelf: Shelf): string {
  const [, method] = /<methodName>([a-z_]+)<\/methodName>/.exec(body) ?? []
  if (method === 'changelog_last_serial') return rpcAnswer(shelf.lastSerial())
  const [, since] = /<(?:int|i4)>(\d+)<\/(?:int|i4)>/.exec(body) ?? []
  if (method === 'changelog_since_serial' && since !== undefined)
    return rpcAnswer(shelf.changelog.filter(row => row[4] > Number(since)).slice(0, 50_000))
  return rpcFault(-32_601, 'server error; requested method not found')
}

function pathOf(request: IncomingMessage): string {
  const { pathname } = new URL(request.url ?? '/', 'http://index.test')
  try {
    return decodeURIComponent(pathname)
  } catch {
    return pathname
  }
}

function send(response: ServerResponse, status: number, type: string, body: string | Uint8Array): void {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body
  response.writeHead(status, { 'content-type': type, 'content-length': bytes.length }).end(bytes)
}

function changed(bytes: Uint8Array): Uint8Array {
  const other = Uint8Array.from(bytes)
  const last = other.length - 1
  other[last] = (other[last] ?? 0) ^ 1
  return other
}

async function readFiles(dir: string): Promise<PublishedFile[]> {
  const names = (await readdir(dir)).filter(name => /\.(?:whl|tar\.gz|zip)$/.test(name)).sort()
  return Promise.all(names.map(async filename => ({ filename, bytes: await readFile(join(dir, filename)) })))
}
