import { parseVkey } from './log/note.ts'
import { badRoot, type RootDocument } from './root-document.ts'

type Roles = RootDocument['roles']

export function firstRoot(input: {
  expires: string
  rootKeys: readonly string[]
  threshold: number
  reportKey: string
  logKey: string
  witnesses: readonly string[]
  witnessThreshold: number
}): RootDocument {
  const log = parseVkey(input.logKey).name
  return {
    schema: 'pyti.root/1',
    version: 1,
    expires: input.expires,
    roles: {
      root: { keys: [...input.rootKeys], threshold: input.threshold },
      report: { keys: [{ key: input.reportKey, log, fromIndex: 0 }] },
      log: { keys: [{ key: input.logKey, fromIndex: 0 }] },
      witness: { keys: [...input.witnesses], threshold: input.witnessThreshold },
    },
  }
}

/** What is to change; all else stays. */
export interface RootChanges {
  readonly expires: string
  readonly addRootKeys?: readonly string[]
  readonly removeRootKeys?: readonly string[]
  readonly threshold?: number
  /** Peer id of a new report key. */
  readonly reportKey?: string
  /** A new log key: of the same log, or of a new one, which begins at leaf 0. */
  readonly logKey?: string
  /** The first leaf of the log that is not the old key's any more. */
  readonly at?: number
  readonly witnesses?: readonly string[]
  readonly witnessThreshold?: number
}

/** @throws PytiError `bad-root` for a change that makes no sense */
export function nextRoot(document: RootDocument, changes: RootChanges): RootDocument {
  const { version, roles } = document
  const { removeRootKeys = [], addRootKeys = [], witnesses = roles.witness.keys } = changes
  for (const key of removeRootKeys)
    if (!roles.root.keys.includes(key)) throw badRoot(`${key} is no root key of it`)
  const kept = roles.root.keys.filter(key => !removeRootKeys.includes(key))
  const usual = changes.witnesses ? witnesses.length : roles.witness.threshold
  return {
    schema: 'pyti.root/1',
    version: version + 1,
    expires: changes.expires,
    roles: {
      root: { keys: [...kept, ...addRootKeys], threshold: changes.threshold ?? roles.root.threshold },
      ...nextSigners(roles, changes),
      witness: { keys: [...witnesses], threshold: changes.witnessThreshold ?? usual },
    },
  }
}

function nextSigners(
  { report, log }: Roles,
  { reportKey, logKey, at }: RootChanges,
): Pick<Roles, 'report' | 'log'> {
  if (reportKey === undefined && logKey === undefined) return { report, log }
  if (at === undefined) throw badRoot('a change of the report key or the log key needs the leaf it begins at')
  const open = log.keys.find(({ toIndex }) => toIndex === undefined)
  if (!open) throw badRoot('it has no log that goes on')
  const { name } = parseVkey(open.key)
  const goesOn = logKey === undefined || parseVkey(logKey).name === name
  const from = { log: goesOn ? name : parseVkey(logKey).name, fromIndex: goesOn ? at : 0 }
  const openReportKeys = report.keys.filter(one => one.log === name && one.toIndex === undefined)
  const closesReportKeys = reportKey !== undefined || !goesOn
  const nextKeys = reportKey === undefined ? openReportKeys.map(({ key }) => key) : [reportKey]
  return {
    log: {
      keys:
        logKey === undefined
          ? log.keys
          : [
              ...log.keys.flatMap(one => (one === open ? endAt(one, at) : [one])),
              { key: logKey, fromIndex: from.fromIndex },
            ],
    },
    report: {
      keys: closesReportKeys
        ? [
            ...report.keys.flatMap(one => (openReportKeys.includes(one) ? endAt(one, at) : [one])),
            ...nextKeys.map(key => ({ key, ...from })),
          ]
        : report.keys,
    },
  }
}

/** None is left of a range that would begin where it ends. */
function endAt<Key extends { fromIndex: number }>(one: Key, at: number): (Key & { toIndex: number })[] {
  return one.fromIndex < at ? [{ ...one, toIndex: at }] : []
}
