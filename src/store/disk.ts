import { mkdir, open, readFile, rename, rm } from 'node:fs/promises'

/** The few operations that durable files are made of; tests pass in a disk that fails and forgets. Paths are absolute. */
export interface Disk {
  /** The whole file, or nothing when there is none. */
  read(path: string): Promise<Uint8Array | undefined>
  /** A new file; its bytes are on disk when the promise resolves, its name may not be. */
  write(path: string, bytes: Uint8Array): Promise<void>
  rename(from: string, to: string): Promise<void>
  /** With the folders above it. @returns the uppermost one that was not there */
  makeFolder(path: string): Promise<string | undefined>
  /** Names in the folder are on disk when the promise resolves. */
  syncFolder(path: string): Promise<void>
  /** A file, or a folder with all in it; none is no error. */
  remove(path: string): Promise<void>
}

/** Errors are the system's own (`ENOSPC`, `EIO`, ...). */
export const realDisk: Disk = {
  async read(path) {
    try {
      return await readFile(path)
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
      throw error
    }
  },
  async write(path, bytes) {
    const file = await open(path, 'wx', 0o644)
    try {
      await file.writeFile(bytes)
      await file.sync()
    } finally {
      await file.close()
    }
  },
  rename,
  makeFolder: path => mkdir(path, { recursive: true }),
  async syncFolder(path) {
    const folder = await open(path, 'r')
    try {
      await folder.sync()
    } finally {
      await folder.close()
    }
  },
  remove: path => rm(path, { recursive: true, force: true }),
}
