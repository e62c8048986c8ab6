import { z } from 'zod'
import { PytiError } from '../errors.ts'
import { Sha256 } from '../wire/job.ts'
import { parseAnchors } from './html-anchors.ts'
import { tryParseFilename } from './names.ts'

/** One file of a project as the index lists it. */
export interface IndexFile {
  filename: string
  /** Absolute. */
  url: string
  sha256?: string
  size?: number
  /** RFC 3339 as the index gives it. */
  uploadTime?: string
  requiresPython?: string
  yanked: boolean
  coreMetadata?: boolean
}

export interface ProjectPage {
  /** Normalised. */
  project: string
  format: 'json' | 'html'
  /** Wheels and sdists only, in the index's order. */
  files: IndexFile[]
  /** Serial of the project's last change, where the index tells. */
  lastSerial?: number
}

const JsonPage = z.object({
  meta: z.object({ 'api-version': z.string().regex(/^1\.\d+$/) }),
  files: z.array(z.unknown()),
})
const JsonFile = z.object({
  filename: z.string(),
  url: z.string(),
  hashes: z.object({ sha256: Sha256.optional() }),
  size: z.int().min(0).optional(),
  'upload-time': z.iso.datetime({ offset: true }).optional(),
  'requires-python': z.string().max(1_000).nullish(),
  yanked: z.union([z.boolean(), z.string()]).optional(),
  'core-metadata': z.union([z.boolean(), z.record(z.string(), z.string())]).optional(),
})

/**
 * Reads a project page of the Simple API: JSON (PEP 691, PEP 700).
 * @param base URL of the page, against which relative file URLs resolve
 * @throws PytiError `bad-index-page`
 */
export function parseJsonPage(text: string, project: string, base: string): ProjectPage {
  let page: z.infer<typeof JsonPage>
  try {
    page = JsonPage.parse(JSON.parse(text))
  } catch (cause) {
    throw badPage(project, 'not a page of version 1 of the JSON Simple API', cause)
  }
  const files = page.files.flatMap(raw => {
    const parsed = JsonFile.safeParse(raw)
    if (!parsed.success) return []
    const { filename, hashes, size, yanked = false } = parsed.data
    return listed(project, base, {
      filename,
      url: parsed.data.url,
      yanked: yanked !== false,
      sha256: hashes.sha256,
      size,
      uploadTime: parsed.data['upload-time'],
      requiresPython: parsed.data['requires-python'] ?? undefined,
      coreMetadata: (parsed.data['core-metadata'] ?? false) !== false,
    })
  })
  return { project, format: 'json', files }
}

/** The same from HTML (PEP 503). @throws PytiError `bad-index-page` */
export function parseHtmlPage(text: string, project: string, base: string): ProjectPage {
  const { anchors, base: declared, apiVersion } = parseAnchors(text)
  if (apiVersion !== undefined && !apiVersion.startsWith('1.'))
    throw badPage(project, `version ${apiVersion.slice(0, 20)} of the Simple API is not known here`)
  const root = declared !== undefined && URL.canParse(declared, base) ? new URL(declared, base).href : base
  const files = anchors.flatMap(attributes => {
    const href = attributes.get('href') ?? ''
    if (!URL.canParse(href, root)) return []
    const url = new URL(href, root)
    const sha256 = /^#(?:.*&)?sha256=([0-9a-f]{64})(?:&|$)/i.exec(url.hash)?.[1]?.toLowerCase()
    const size = attributes.get('data-size')
    const filename = url.pathname.split('/').at(-1) ?? ''
    return listed(project, root, {
      filename: decode(filename),
      url: href,
      yanked: attributes.has('data-yanked'),
      sha256,
      size: size !== undefined && /^\d{1,15}$/.test(size) ? Number(size) : undefined,
      uploadTime: z.iso.datetime({ offset: true }).safeParse(attributes.get('data-upload-time')).data,
      requiresPython: attributes.get('data-requires-python'),
      coreMetadata: attributes.has('data-core-metadata') || attributes.has('data-dist-info-metadata'),
    })
  })
  return { project, format: 'html', files }
}

type Loose<T> = { [K in keyof T]: T[K] | undefined } & { filename: string; url: string; yanked: boolean }

/** Old pages list eggs, installers and signatures too, and files a proxy mixed in: these do not exist for us. */
function listed(project: string, base: string, file: Loose<IndexFile>): IndexFile[] {
  if (tryParseFilename(file.filename, project)?.project !== project || !URL.canParse(file.url, base))
    return []
  const url = new URL(file.url, base)
  if (!/^https?:$/.test(url.protocol)) return []
  url.hash = ''
  const { filename, yanked, ...optional } = file
  const given = Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined))
  return [{ ...given, filename, yanked, url: url.href }]
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

function badPage(project: string, message: string, cause?: unknown): PytiError {
  return new PytiError('bad-index-page', `index page of ${project}: ${message}`, {
    hint: 'is the index URL the one of a Simple API (it often ends in /simple)?',
    cause,
  })
}
