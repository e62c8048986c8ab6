import { lstat } from 'node:fs/promises'
import { digestFile } from '../../digest-file.ts'

/**
 * Knows which files have been read through and had the bytes their name promises. Later a look at their inode is enough: any
 * write, replacement or change of owner or mode shows in it (`ctime` cannot be set back), and the file is read again.
 */
export class FileVerifier {
  readonly #digest: (path: string) => Promise<string>
  readonly #checks = new Map<string, { fingerprint: string; whole: Promise<boolean> }>()

  constructor(digest: (path: string) => Promise<string> = path => digestFile(path)) {
    this.#digest = digest
  }

  /** Whether a regular file, not a link to one, has this digest. */
  async isWhole(path: string, sha256: string): Promise<boolean> {
    const fingerprint = await fingerprintOf(path)
    if (fingerprint === undefined) return false
    const key = `${sha256} ${path}`
    const known = this.#checks.get(key)
    if (known?.fingerprint === fingerprint) return known.whole
    const whole = this.#read(path, sha256, fingerprint)
    this.#checks.set(key, { fingerprint, whole })
    if (!(await whole)) this.#checks.delete(key)
    return whole
  }

  async #read(path: string, sha256: string, fingerprint: string): Promise<boolean> {
    const actual = await this.#digest(path).catch(() => undefined)
    return actual === sha256 && (await fingerprintOf(path)) === fingerprint
  }
}

async function fingerprintOf(path: string): Promise<string | undefined> {
  const stats = await lstat(path, { bigint: true }).catch(() => undefined)
  if (!stats?.isFile()) return undefined
  return [stats.dev, stats.ino, stats.size, stats.mtimeNs, stats.ctimeNs].join(':')
}
