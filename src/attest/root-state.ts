import { demand } from './checks.ts'
import { parseCheckpoint } from './log/checkpoint.ts'
import { parseNote, parseVkey, type Vkey } from './log/note.ts'
import { badRoot, holds, type RootDocument } from './root-document.ts'

/** A root that was checked, as those ask it who check reports. They import its type only: the page does without it. */
export interface RootState {
  readonly document: RootDocument
  /** SHA-256 of the documents of all versions up to this one. */
  readonly ids: readonly string[]
  /** Every report key by peer id, whatever its range. */
  readonly reportKeys: readonly string[]
  /** C2SP vkeys of all ranges. */
  readonly logKeys: readonly string[]
  readonly witnesses: readonly string[]
  /** So many witnesses must have signed. */
  readonly witnessThreshold: number
  /**
   * The one key that may have signed this checkpoint.
   * @throws PytiError `bad-root` when there is none
   */
  logKeyFor(note: string): Vkey
  /**
   * Whether this key might sign what is this leaf.
   * @returns a sentence that says so
   * @throws PytiError `check-failed`
   */
  judge(report: { key: string; log: string; index: number }): string
}

export function createRootState(document: RootDocument, ids: readonly string[]): RootState {
  const { version, roles } = document
  const logs = roles.log.keys.map(({ key, ...range }) => ({ vkey: parseVkey(key), range }))
  return {
    document,
    ids,
    reportKeys: [...new Set(roles.report.keys.map(({ key }) => key))],
    logKeys: roles.log.keys.map(({ key }) => key),
    witnesses: roles.witness.keys,
    witnessThreshold: roles.witness.threshold,
    logKeyFor(note) {
      const { origin, size } = parseCheckpoint(parseNote(note).text)
      const found = logs.find(({ vkey, range }) => vkey.name === origin && holds(range, size - 1))
      if (!found)
        throw badRoot(`version ${version} has no key for a checkpoint of ${origin} with ${size} leaves`)
      return found.vkey
    },
    judge({ key, log, index }) {
      const ranges = roles.report.keys.filter(one => one.key === key && one.log === log)
      demand(ranges.length > 0, `version ${version} of the root has no report key ${key} for the log ${log}`)
      demand(
        ranges.some(range => holds(range, index)),
        `version ${version} of the root: report key ${key} does not hold for leaf ${index}`,
      )
      return `version ${version}: the report key holds for leaf ${index}`
    },
  }
}
