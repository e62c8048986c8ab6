import { z } from 'zod'
import { absent, badFeed, type FeedHttp } from './feed-http.ts'
import { parseXml } from './xml.ts'

const Response = z.object({
  methodResponse: z.union([
    z.object({ params: z.object({ param: z.object({ value: z.tuple([z.unknown()]) }) }) }),
    z.object({ fault: z.unknown() }),
  ]),
})
/**
 * Calls a method with whole numbers as arguments (xmlrpc.com/spec). Numbers, texts, nil and lists come back as such.
 * @throws PytiError `feed-absent` when there is no such method; `bad-feed` | `index-unreachable`
 */
export async function callXmlRpc(
  http: FeedHttp,
  method: string,
  args: number[],
  signal: AbortSignal,
): Promise<unknown> {
  const params = args.map(arg => `<param><value><int>${arg}</int></value></param>`).join('')
  const body = `<?xml version="1.0"?><methodCall><methodName>${method}</methodName><params>${params}</params></methodCall>`
  const parsed = Response.safeParse(parseXml(await http.xml('/pypi', signal, body)))
  if (!parsed.success) throw badFeed('answer is not of XML-RPC', parsed.error)
  const { methodResponse } = parsed.data
  if ('params' in methodResponse) return decode(methodResponse.params.param.value[0])
  const fault = JSON.stringify(methodResponse.fault)
  // -32601: the fault code for an unknown method (XML-RPC fault code interoperability, 2001).
  if (fault.includes('-32601')) throw absent(`${method} is not known there`)
  throw badFeed(`${method} failed: ${fault.slice(0, 500)}`)
}

/** By hand, not by a schema: a long changelog has a quarter of a million values. */
function decode(value: unknown): unknown {
  if (typeof value === 'string') return value
  const [entry, ...more] = isRecord(value) ? Object.entries(value) : []
  if (entry === undefined || more.length > 0) throw unexpected()
  const [kind, inner] = entry
  if (kind === 'array' && isRecord(inner)) return listOf(inner.data)
  if (typeof inner !== 'string') throw unexpected()
  if (kind === 'string') return inner
  if (kind === 'nil') return null
  if (!/^(?:int|i4|i8)$/.test(kind) || !/^-?\d{1,15}$/.test(inner)) throw unexpected()
  return Number(inner)
}

function listOf(data: unknown): unknown[] {
  if (data === '') return []
  if (!isRecord(data) || !Array.isArray(data.value)) throw unexpected()
  return data.value.map(decode)
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function unexpected(): Error {
  return badFeed('answer holds a value of an unexpected type')
}
