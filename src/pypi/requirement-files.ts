import { posix } from 'node:path'

export interface RequirementLines {
  lines: string[]
  notes: string[]
}

const maximumFiles = 50

/**
 * Lines of a pip requirements file, with `-r` followed inside the archive. Options, URLs, editable and local paths
 * are left out with a note: nothing but names from the index is ever resolved. `.[extra]` becomes `PROJECT[extra]`. Where
 * `name.in` stands beside a `name.txt`, the latter is its compiled form, pinned on another day: the source is read.
 */
export function readRequirementFile(
  texts: ReadonlyMap<string, string>,
  path: string,
  project: string,
  seen: Set<string> = new Set(),
): RequirementLines {
  const source = compiledFrom(path)
  if (source !== path && texts.has(source)) return readRequirementFile(texts, source, project, seen)
  const text = texts.get(path)
  if (text === undefined) return { lines: [], notes: [`${path}: not in the archive`] }
  if (seen.has(path) || seen.size >= maximumFiles) return { lines: [], notes: [] }
  seen.add(path)
  return readLines(text, path, project, file =>
    readRequirementFile(texts, posix.join(posix.dirname(path), file), project, seen),
  )
}

/** The same for lines that stand elsewhere, such as `deps` of tox. */
export function readLines(
  text: string,
  where: string,
  project: string,
  include: (file: string) => RequirementLines,
): RequirementLines {
  const result: RequirementLines = { lines: [], notes: [] }
  for (const raw of text.replace(/\\\r?\n/g, ' ').split(/\r?\n/)) {
    // A hash pins one file; the lock has its own.
    const line = raw
      .replace(/(?:^|\s)#.*$/, '')
      .replace(/\s--hash[= ].*$/, '')
      .trim()
    if (line === '') continue
    const own = /^(?:-e\s*|--editable[=\s]\s*)?\.\/?\[([^\]]+)\]$/.exec(line)?.[1]
    const included = /^(?:-r\s*|--requirement[=\s]\s*)(\S+)$/.exec(line)?.[1]
    if (own !== undefined) result.lines.push(`${project}[${own}]`)
    else if (included !== undefined) {
      const { lines, notes } = include(included)
      result.lines.push(...lines)
      result.notes.push(...notes)
    } else if (/^-/.test(line) || /^[./~]|^[a-z+]+:\/\//i.test(line) || /\.(?:whl|zip|tar\.gz)$/.test(line))
      result.notes.push(`${where}: left out ${JSON.stringify(line.slice(0, 200))}`)
    else result.lines.push(line)
  }
  return result
}

/** `name.in` for `name.txt`. */
export function compiledFrom(path: string): string {
  return path.replace(/\.txt$/, '.in')
}
