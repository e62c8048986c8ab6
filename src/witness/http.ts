import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { messageOf, PytiError } from '../errors.ts'
import type { Logger } from '../logger.ts'
import type { Witness } from './witness.ts'

export interface HttpWitness {
  /** Where it listens: the prefix of the C2SP API. */
  readonly url: string
  close(): Promise<void>
}

/** A checkpoint with a hundred signatures and 63 hashes stays far below. */
const maxBody = 128 * 1_024
const requestMs = 10_000

/**
 * Serves the C2SP witness API: `POST /add-checkpoint`, nothing else.
 * @throws PytiError `listen-failed`
 */
export async function serveWitness(
  witness: Witness,
  { host, port, log }: { host: string; port: number; log: Logger },
): Promise<HttpWitness> {
  const limits = {
    requestTimeout: requestMs,
    headersTimeout: 5_000,
    keepAliveTimeout: 5_000,
    connectionsCheckingInterval: 1_000,
    maxHeaderSize: 8_192,
  }
  const server = createServer(limits, (request, response) => {
    handle(witness, request, response).catch(error => {
      log.error('a checkpoint could not be answered', { error: messageOf(error) })
      if (!response.headersSent) reply(response, 500, 'the witness could not answer\n')
    })
  })
  server.maxConnections = 128
  await new Promise<void>((resolve, reject) => {
    server.once('error', cause =>
      reject(
        new PytiError('listen-failed', `cannot listen on ${host}:${port}: ${cause.message}`, {
          hint: 'another process may use the port, or the address is not one of this machine',
          cause,
        }),
      ),
    )
    server.listen(port, host, resolve)
  })
  const address = server.address()
  const used = typeof address === 'object' && address !== null ? address.port : port
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${used}`,
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function handle(witness: Witness, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.url !== '/add-checkpoint') return refuse(response, 404, 'there is only /add-checkpoint here\n')
  if (request.method !== 'POST') {
    response.setHeader('allow', 'POST')
    return refuse(response, 405, 'checkpoints are posted\n')
  }
  const bytes = await bodyOf(request)
  if (bytes === undefined) return refuse(response, 413, `a request has ${maxBody} bytes at most\n`)
  const text = decode(bytes)
  if (text === undefined) return reply(response, 400, 'the request is not UTF-8\n')
  const { status, body } = await witness.addCheckpoint(text)
  reply(response, status, body)
}

/** @returns undefined when there are too many bytes */
async function bodyOf(request: IncomingMessage): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    if (!(chunk instanceof Uint8Array)) return undefined
    size += chunk.length
    if (size <= maxBody) chunks.push(chunk)
    // A little too much is read to its end: who still writes does not read why it was refused.
    if (size > 8 * maxBody) return undefined
  }
  return size > maxBody ? undefined : Buffer.concat(chunks)
}

function decode(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}

/** Ends the connection, as the body may not have been read. */
function refuse(response: ServerResponse, status: number, body: string): void {
  response.setHeader('connection', 'close')
  reply(response, status, body)
}

function reply(response: ServerResponse, status: number, body: string): void {
  const type = status === 409 ? 'text/x.tlog.size' : 'text/plain; charset=utf-8'
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) })
  response.end(body)
}
