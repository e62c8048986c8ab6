import { z } from 'zod'
import { PytiError } from '../errors.ts'
import type { Logger } from '../logger.ts'
import { badFeed, type FeedHttp } from './feed-http.ts'
import { normalizeName, tryParseFilename } from './names.ts'
import type { Upload, UploadFeed } from './uploads.ts'
import { callXmlRpc } from './xml-rpc.ts'

const rowsPerCall = 50_000
const Serial = z.int().min(0)
const Rows = z
  .array(z.tuple([z.string(), z.string().nullable(), z.int(), z.string(), Serial]))
  .max(rowsPerCall)
type Row = z.infer<typeof Rows>[number]

/** Uploads by serial: the index hands serials out in order, so a poller misses nothing. */
export function createChangelogFeed({ http, log }: { http: FeedHttp; log: Logger }): UploadFeed {
  let known = false

  async function lastSerial(signal: AbortSignal): Promise<number> {
    const parsed = Serial.safeParse(await callXmlRpc(http, 'changelog_last_serial', [], signal))
    if (!parsed.success) throw badFeed('changelog_last_serial is not a serial', parsed.error)
    return parsed.data
  }

  return {
    async poll(cursor, signal) {
      const since = cursor === undefined ? undefined : parseCursor(cursor)
      if (since === undefined || !known) {
        const last = await lastSerial(signal)
        known = true
        if (since !== undefined && last < since)
          log.warn('changelog has begun anew, going on from its end', { since, last })
        if (since === undefined || last < since) return batch(last, [])
      }
      const parsed = Rows.safeParse(await callXmlRpc(http, 'changelog_since_serial', [since], signal))
      if (!parsed.success) throw badFeed('changelog_since_serial is not a list of events', parsed.error)
      const rows = parsed.data.filter(row => row[4] > since).sort((left, right) => left[4] - right[4])
      return batch(rows.at(-1)?.[4] ?? since, uploadsOf(rows))
    },
  }
}

function batch(serial: number, uploads: Upload[]) {
  return { cursor: `changelog:${serial}`, uploads, coverage: 'full' as const }
}

function parseCursor(cursor: string): number {
  const [, digits] = /^changelog:(\d{1,15})$/.exec(cursor) ?? []
  if (digits !== undefined) return Number(digits)
  throw new PytiError(
    'bad-cursor',
    `not a cursor of an upload feed: ${JSON.stringify(cursor.slice(0, 50))}`,
    {
      hint: 'forget the stored cursor to begin with the uploads from now on',
    },
  )
}

/** Wheels and sdists that were added and, as far as these rows know, not removed again. */
function uploadsOf(rows: Row[]): Upload[] {
  const uploads = new Map<string, Upload>()
  for (const [name, version, , action, serial] of rows) {
    const [, verb, filename = ''] = /^(add|remove)(?: \S+)? file (\S+)$/.exec(action) ?? []
    const project = normalizeName(name)
    if (verb === 'remove') uploads.delete(filename)
    if (verb === 'add' && tryParseFilename(filename, project)?.project === project)
      uploads.set(filename, { project, filename, serial, ...(version === null ? {} : { version }) })
  }
  return [...uploads.values()]
}
