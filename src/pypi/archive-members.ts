import { posix } from 'node:path'
import { FaultFound } from './archive-fault.ts'

export interface ArchiveLimits {
  unpackedBytes: number
  archiveMembers: number
  metadataBytes: number
}

export interface Member {
  name: string
  type: 'file' | 'directory' | 'symlink' | 'hardlink'
  /** Target of a link, as stored. */
  target?: string
  /** Bytes the archive declares. */
  size: number
}

/** Checks members as they come by: names, links, counts, sizes. Every breach throws `FaultFound`. */
export class MemberCheck {
  count = 0
  #declared = 0
  #unpacked = 0
  readonly #limits: ArchiveLimits
  readonly #seen = new Map<string, Member['type']>()
  readonly #links: string[] = []

  constructor(limits: ArchiveLimits) {
    this.#limits = limits
  }

  /** @returns the member's normal path, without a trailing slash; undefined for the archive's root itself */
  add(member: Member): string | undefined {
    this.count++
    if (this.count > this.#limits.archiveMembers)
      throw new FaultFound('too-many-members', `more than ${this.#limits.archiveMembers} members`)
    this.#declared += member.size
    if (this.#declared > this.#limits.unpackedBytes) throw this.#tooLarge(member.name)
    const path = safePath(member.name)
    if (path === undefined) return undefined
    const known = this.#seen.get(path)
    if (known !== undefined && !(known === 'directory' && member.type === 'directory'))
      throw new FaultFound('duplicate-member', show(path))
    this.#seen.set(path, member.type)
    if (member.target !== undefined) this.#addLink(path, member)
    return path
  }

  /** Counts bytes really read. */
  read(bytes: number, name: string): void {
    this.#unpacked += bytes
    if (this.#unpacked > this.#limits.unpackedBytes) throw this.#tooLarge(name)
  }

  /** How much a tar archive may be once unzipped: the members' bytes and generous headers. */
  get streamBytes(): number {
    return this.#limits.unpackedBytes + this.#limits.archiveMembers * 4_096
  }

  /** A member below a link would be written to wherever the link points. */
  finish(): void {
    if (this.#links.length === 0) return
    const links = treeOf(this.#links)
    for (const path of this.#seen.keys())
      if (liesBelow(links, path)) throw new FaultFound('link-escape', `${show(path)} lies below a link`)
  }

  topFolders(): string[] {
    return [...new Set([...this.#seen.keys()].map(path => path.split('/', 1)[0] ?? ''))]
  }

  #tooLarge(name: string): FaultFound {
    return new FaultFound(
      'unpacks-too-large',
      `more than ${this.#limits.unpackedBytes} bytes at ${show(name)}`,
    )
  }

  #addLink(path: string, { target = '', type }: Member): void {
    this.#links.push(path)
    const from = type === 'symlink' ? posix.dirname(path) : '.'
    // `a/../b` means something else once `a` is a link: only leading `..` can be followed on paper.
    const steps = target.split('/').filter(step => step !== '' && step !== '.')
    const odd = steps.some((step, at) => step === '..' && at > 0 && steps[at - 1] !== '..')
    const end = posix.normalize(posix.join(from, target))
    const top = path.split('/')[0]
    const inside = end === top || end.startsWith(`${top}/`)
    if (odd || isUnsafe(target) || target.startsWith('/') || !inside)
      throw new FaultFound('link-escape', `${show(path)} -> ${show(target)}`)
  }
}

/** Paths by their parts: asking a set for every parent of a path costs the square of its length. */
interface PathTree {
  isEnd: boolean
  below: Map<string, PathTree>
}

function treeOf(paths: string[]): PathTree {
  const root: PathTree = { isEnd: false, below: new Map() }
  for (const path of paths) {
    let at = root
    for (const part of path.split('/')) {
      const next = at.below.get(part) ?? { isEnd: false, below: new Map() }
      at.below.set(part, next)
      at = next
    }
    at.isEnd = true
  }
  return root
}

/** Whether a part of the path before its last ends a path of the tree. */
function liesBelow(tree: PathTree, path: string): boolean {
  let at: PathTree | undefined = tree
  for (let start = 0, end = path.indexOf('/'); end !== -1; start = end + 1, end = path.indexOf('/', start)) {
    at = at.below.get(path.slice(start, end))
    if (at === undefined) return false
    if (at.isEnd) return true
  }
  return false
}

/** @throws FaultFound `path-escape` */
function safePath(name: string): string | undefined {
  const parts = name.split('/')
  if (name === '' || name.startsWith('/') || isUnsafe(name) || parts.includes('..'))
    throw new FaultFound('path-escape', show(name))
  const path = posix.normalize(name).replace(/\/$/, '')
  return path === '.' ? undefined : path
}

/** NUL, backslash (a separator on Windows), drive letter, or longer than any file system takes. */
function isUnsafe(path: string): boolean {
  return path.length > 4_096 || path.includes('\0') || path.includes('\\') || /^[A-Za-z]:/.test(path)
}

export function show(name: string): string {
  return JSON.stringify(name.length > 200 ? `${name.slice(0, 200)}...` : name)
}
