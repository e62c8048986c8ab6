import { posix } from 'node:path'
import { cutBefore } from './cut.ts'

export interface RequirementLines {
  lines: string[]
  notes: string[]
}

const maximumFiles = 200

/**
 * Lines of a pip requirements file, with `-r` followed inside the archive. Options, URLs, editable and local paths
 * are left out with a note: nothing but names from the index is ever resolved. `.[extra]` becomes `PROJECT[extra]`. Where
 * `name.in` stands beside a `name.txt`, the latter is its compiled form, pinned on another day: the source is read.
 * @param seen files read before, which are not read again
 * @param into what is found goes to its end: lists handed from file to file would be copied once for each
 */
export function readRequirementFile(
  texts: ReadonlyMap<string, string>,
  path: string,
  project: string,
  seen: Set<string> = new Set(),
  into: RequirementLines = { lines: [], notes: [] },
): RequirementLines {
  const source = compiledFrom(path)
  if (source !== path && texts.has(source)) return readRequirementFile(texts, source, project, seen, into)
  const text = texts.get(path)
  if (text === undefined) into.notes.push(`${path}: not in the archive`)
  if (text === undefined || seen.has(path) || seen.size >= maximumFiles) return into
  seen.add(path)
  const include = (file: string) =>
    readRequirementFile(texts, posix.join(posix.dirname(path), file), project, seen, into)
  return readLines(text, path, project, include, into)
}

/** The same for lines that stand elsewhere, such as `deps` of tox. */
export function readLines(
  text: string,
  where: string,
  project: string,
  include: (file: string) => void,
  into: RequirementLines,
): RequirementLines {
  for (const raw of text.replace(/\\\r?\n/g, ' ').split(/\r?\n/)) {
    // A hash pins one file; the lock has its own.
    const line = cutBefore(cutBefore(raw, /(?:^|\s)#/), /\s--hash[= ]/).trim()
    if (line === '') continue
    const own = /^(?:-e\s*|--editable[=\s]\s*)?\.\/?\[([^\]]+)\]$/.exec(line)?.[1]
    const included = /^(?:-r\s*|--requirement[=\s]\s*)(\S+)$/.exec(line)?.[1]
    if (own !== undefined) into.lines.push(`${project}[${own}]`)
    else if (included !== undefined) include(included)
    else if (/^-/.test(line) || /^[./~]|^[a-z+]+:\/\//i.test(line) || /\.(?:whl|zip|tar\.gz)$/.test(line))
      into.notes.push(`${where}: left out ${JSON.stringify(line.slice(0, 200))}`)
    else into.lines.push(line)
  }
  return into
}

/** `name.in` for `name.txt`. */
export function compiledFrom(path: string): string {
  return path.replace(/\.txt$/, '.in')
}
