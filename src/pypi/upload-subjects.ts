import { isCode } from '../errors.ts'
import { Subject } from '../wire/job.ts'
import type { IndexClient } from './index-client.ts'
import type { ProjectPage } from './index-page.ts'
import { tryParseFilename } from './names.ts'
import type { Upload } from './uploads.ts'

export interface SubjectsFor {
  subjects: Subject[]
  /** The project's page does not show them yet: ask again later. */
  pending: Upload[]
  /** `gone`: removed since. `no-digest` and `no-size`: this index does not tell enough. */
  refused: { upload: Upload; reason: 'gone' | 'no-digest' | 'no-size' | 'bad-name' }[]
}

/**
 * The files behind uploads, by their project pages: one request per project.
 * @throws PytiError `index-unreachable`, or the signal's reason
 */
export async function subjectsFor(
  uploads: Upload[],
  index: IndexClient,
  options: { signal?: AbortSignal } = {},
): Promise<SubjectsFor> {
  const result: SubjectsFor = { subjects: [], pending: [], refused: [] }
  for (const [project, wanted] of Map.groupBy(uploads, upload => upload.project)) {
    const page = await read(index, project, options.signal)
    for (const upload of wanted) {
      const file = page?.files.find(each => each.filename === upload.filename)
      if (!file) {
        const serial = page?.lastSerial
        const current = serial !== undefined && upload.serial !== undefined && serial >= upload.serial
        if (current) result.refused.push({ upload, reason: 'gone' })
        else result.pending.push(upload)
        continue
      }
      const parsed = tryParseFilename(file.filename, project)
      const size = await index.sizeOf(file, options.signal)
      const subject = Subject.safeParse({
        ...pick(parsed),
        filename: file.filename,
        sha256: file.sha256,
        size,
      })
      if (subject.success) result.subjects.push(subject.data)
      else if (file.sha256 === undefined) result.refused.push({ upload, reason: 'no-digest' })
      else result.refused.push({ upload, reason: size === undefined ? 'no-size' : 'bad-name' })
    }
  }
  return result
}

function pick(parsed: ReturnType<typeof tryParseFilename>) {
  return parsed ? { project: parsed.project, version: parsed.version, kind: parsed.kind } : {}
}

/** A project that is too new for this page cache, or damaged in it, is as good as a page without the file. */
async function read(
  index: IndexClient,
  project: string,
  signal: AbortSignal | undefined,
): Promise<ProjectPage | undefined> {
  try {
    return await index.project(project, signal)
  } catch (error) {
    if (isCode(error, 'project-not-found', 'bad-index-page')) return undefined
    throw error
  }
}
