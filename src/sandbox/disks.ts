import { open } from 'node:fs/promises'
import { limits } from '../wire/limits.ts'

/** A raw disk of a fixed size that takes no space until something is written; its size is a hard limit for the guest. */
export async function createDisk(path: string, bytes: number): Promise<void> {
  const disk = await open(path, 'wx', 0o600)
  try {
    await disk.truncate(bytes)
  } finally {
    await disk.close()
  }
}

/**
 * Reads what a guest wrote to its output disk. The guest may write anything anywhere on it: the caller checks the digest,
 * here only the range is held to the disk.
 * @returns undefined when the range is not on the disk
 */
export async function readOutput(path: string, at: number, size: number): Promise<Buffer | undefined> {
  if (at + size > limits.guestOutputBytes) return undefined
  const disk = await open(path, 'r')
  try {
    const data = Buffer.alloc(size)
    const { bytesRead } = await disk.read(data, 0, size, at)
    return bytesRead === size ? data : undefined
  } finally {
    await disk.close()
  }
}
