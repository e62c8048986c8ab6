import { z } from 'zod'
import { isCode, PytiError } from '../errors.ts'
import type { Logger } from '../logger.ts'
import { sha256 } from '../wire/canonical.ts'
import { badFeed, type FeedHttp } from './feed-http.ts'
import type { IndexClient } from './index-client.ts'
import { normalizeName, tryParseFilename } from './names.ts'
import type { Upload, UploadFeed } from './uploads.ts'
import { parseVersion } from './version.ts'
import { parseXml } from './xml.ts'

/** Most entries of one feed that are looked at, and most releases the cursor remembers. */
const itemsPerFeed = 500
const rememberedReleases = 2_000
const pagesPerPoll = 200

const Item = z.object({ title: z.string() })
const Feed = z.object({ rss: z.object({ channel: z.object({ item: z.array(z.unknown()).optional() }) }) })

/** A release of the feed, or (without version) a project that is new. */
interface Entry {
  project: string
  version?: string
}

/**
 * Uploads by the feeds of recent releases and new projects. They tell of releases, not of files, and only of the last
 * hundred: a file added to a release later on, or a release that has left the feed, is missed.
 */
export function createReleaseFeed(options: { http: FeedHttp; index: IndexClient; log: Logger }): UploadFeed {
  const { http, index, log } = options

  async function read(signal: AbortSignal): Promise<Entry[]> {
    const updates = entriesOf(await http.xml('/rss/updates.xml', signal), /^(\S{1,200}) (\S{1,200})$/)
    try {
      const newest = await http.xml('/rss/packages.xml', signal)
      return [...updates, ...entriesOf(newest, /^(\S{1,200}) added to /)]
    } catch (error) {
      if (isCode(error, 'feed-absent')) return updates
      throw error
    }
  }

  /** Files of the wanted releases, by release; none for a project whose page does not show yet. */
  async function look(project: string, signal: AbortSignal): Promise<Map<string, Upload[]>> {
    const releases = new Map<string, Upload[]>()
    try {
      for (const { filename } of (await index.project(project, signal)).files) {
        const version = tryParseFilename(filename, project)?.version
        if (version === undefined) continue
        const upload = { project, filename, version }
        releases.set(version, [...(releases.get(version) ?? []), upload])
      }
    } catch (error) {
      if (!isCode(error, 'project-not-found', 'bad-index-page')) throw error
      log.debug('project of the feed cannot be read yet', { project, error: error.message })
    }
    return releases
  }

  return {
    async poll(cursor, signal) {
      const entries = await read(signal)
      if (cursor === undefined) return batch(entries.map(keyOf), [])
      const remembered = parseCursor(cursor)
      const seen = new Set(remembered)
      const fresh = entries.filter(entry => !seen.has(keyOf(entry)))
      const projects = [...new Set(fresh.toReversed().map(entry => entry.project))].slice(0, pagesPerPoll)
      const uploads: Upload[] = []
      const added: string[] = []
      for (const project of projects) {
        const wanted = fresh.filter(entry => entry.project === project)
        const isNew = wanted.some(entry => entry.version === undefined)
        const releases = await look(project, signal)
        for (const [version, files] of releases) {
          const key = keyOf({ project, version })
          if (seen.has(key) || !(isNew || wanted.some(entry => entry.version === version))) continue
          uploads.push(...files)
          seen.add(key)
          added.push(key)
        }
        if (isNew && releases.size > 0) added.push(keyOf({ project }))
      }
      // What is still in the feeds comes first: it is what the bound must never forget.
      const window = entries.map(keyOf).filter(key => seen.has(key) || added.includes(key))
      return batch([...window, ...added, ...remembered], uploads)
    },
  }
}

function batch(keys: string[], uploads: Upload[]) {
  const kept = [...new Set(keys)].slice(0, rememberedReleases)
  return { cursor: `rss:${kept.join(',')}`, uploads, coverage: 'partial' as const }
}

function keyOf({ project, version = '' }: Entry): string {
  return sha256(`${project}\n${version}`).slice(0, 16)
}

function parseCursor(cursor: string): string[] {
  const keys = cursor === 'rss:' ? [] : cursor.slice('rss:'.length).split(',')
  if (keys.length <= rememberedReleases && keys.every(key => /^[0-9a-f]{16}$/.test(key))) return keys
  throw new PytiError(
    'bad-cursor',
    `not a cursor of an upload feed: ${JSON.stringify(cursor.slice(0, 50))}`,
    {
      hint: 'forget the stored cursor to begin with the uploads from now on',
    },
  )
}

function entriesOf(xml: string, title: RegExp): Entry[] {
  const feed = Feed.safeParse(parseXml(xml))
  if (!feed.success) throw badFeed('answer is not RSS', feed.error)
  return (feed.data.rss.channel.item ?? []).slice(0, itemsPerFeed).flatMap(raw => {
    const item = Item.safeParse(raw)
    const [, name, version] = title.exec(item.data?.title ?? '') ?? []
    if (name === undefined) return []
    const project = normalizeName(name)
    return [
      version === undefined ? { project } : { project, version: parseVersion(version)?.text ?? version },
    ]
  })
}
