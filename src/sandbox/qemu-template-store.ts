import { constants } from 'node:fs'
import { chmod, type FileHandle, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { digestFile } from '../digest-file.ts'
import { sweepStaleFolders } from '../owned-folder.ts'
import { noteUse } from '../unused.ts'
import { Hello } from '../wire/guest.ts'
import { Sha256 } from '../wire/job.ts'
import { writeAtomically } from './image/store.ts'

/** `KEY.json` beside `KEY.state`. It is written last: a state without one does not count. */
const TemplateRecord = z.strictObject({
  schema: z.literal('pyti.template/1'),
  image: Sha256,
  /** What the guest said when it was up. */
  hello: Hello,
  state: z.strictObject({ sha256: Sha256, size: z.int().min(1) }),
})
export type TemplateRecord = z.infer<typeof TemplateRecord>

export interface Template {
  hello: Hello
  /** The state, open for reading only; closed by the caller. */
  state: FileHandle
}

const dayMs = 86_400_000
/** Between a state's and its record's rename there are moments, not hours. */
const orphanMs = dayMs / 24

const statePath = (dir: string, key: string) => join(dir, `${key}.state`)
const recordPath = (dir: string, key: string) => join(dir, `${key}.json`)

/** Files whose digest this process has checked, by what the file system says of them. */
const verified = new Map<string, string>()

/**
 * A whole template, or undefined. Its digest is checked once per process and again whenever the file is another one; what
 * does not have it is removed.
 */
export async function openTemplate(dir: string, key: string): Promise<Template | undefined> {
  const path = statePath(dir, key)
  const record = await readRecord(recordPath(dir, key))
  const state = record && (await open(path, constants.O_RDONLY | constants.O_NOFOLLOW).catch(() => undefined))
  if (!state) return undefined
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await state.stat({ bigint: true })
    const identity = [dev, ino, size, mtimeNs, ctimeNs, record.state.sha256].join(':')
    if (verified.get(path) !== identity) {
      if (Number(size) !== record.state.size || (await digestFile(path)) !== record.state.sha256) {
        await state.close()
        await removeTemplate(dir, key)
        return undefined
      }
      verified.set(path, identity)
    }
    await noteUse(recordPath(dir, key), Date.now())
    return { hello: record.hello, state }
  } catch (error) {
    await state.close()
    throw error
  }
}

export async function hasTemplate(dir: string, key: string): Promise<boolean> {
  const template = await openTemplate(dir, key)
  await template?.state.close()
  return template !== undefined
}

/** Takes a finished state into the folder; only then does the template exist. */
export async function adoptTemplate(
  dir: string,
  key: string,
  file: string,
  record: TemplateRecord,
): Promise<void> {
  await chmod(file, 0o400)
  await rm(recordPath(dir, key), { force: true })
  await rename(file, statePath(dir, key))
  await writeAtomically(recordPath(dir, key), JSON.stringify(record))
}

/** The record goes first, so that nobody takes half a template. */
export async function removeTemplate(dir: string, key: string): Promise<void> {
  await rm(recordPath(dir, key), { force: true })
  await rm(statePath(dir, key), { force: true })
}

/**
 * Removes templates of images that are not kept, those nobody used for 30 days, damaged ones, and what killed builders left.
 * @param now milliseconds since 1970
 * @returns freed bytes
 */
export async function collectTemplates(dir: string, keepImages: string[], now: number): Promise<number> {
  await sweepStaleFolders(dir)
  const names = await readdir(dir).catch((): string[] => [])
  let freed = 0
  for (const name of names) {
    const [, key, kind] = /^([0-9a-f]{64})\.(json|state)$/.exec(name) ?? []
    if (!key) continue
    const { mtimeMs, ctimeMs, size } = await stat(join(dir, name)).catch(() => gone)
    if (kind === 'state') {
      if (names.includes(`${key}.json`) || now - Math.max(mtimeMs, ctimeMs) < orphanMs) continue
      await rm(join(dir, name), { force: true })
      freed += size
      continue
    }
    const record = await readRecord(join(dir, name))
    if (record && keepImages.includes(record.image) && now - mtimeMs < 30 * dayMs) continue
    freed += size + (await stat(statePath(dir, key)).catch(() => gone)).size
    await removeTemplate(dir, key)
  }
  return freed
}

const gone = { mtimeMs: 0, ctimeMs: 0, size: 0 }

async function readRecord(path: string): Promise<TemplateRecord | undefined> {
  const text = await readFile(path, 'utf8').catch(() => '')
  try {
    return TemplateRecord.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}
