import { execFileSync } from 'node:child_process'
import { closeSync, openSync, writeSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Why a disk of its own cannot be had here, for `skip`. */
export const noSmallDisk: string | false = process.getuid?.() === 0 ? mountTrouble() : 'only root may mount'

function mountTrouble(): string | false {
  try {
    execFileSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'tmpfs', tmpdir()], { stdio: 'ignore' })
    return false
  } catch {
    return 'nothing can be mounted here'
  }
}

export interface SmallDisk {
  dir: string
  /** Writes until there is no space left. */
  fill(): void
  /** Takes that away again. */
  free(): Promise<void>
  /** Makes it one that can only be read, or again one that can be written to. */
  remount(how: 'ro' | 'rw'): void
}

/** Lends a real file system of its own with so few bytes. */
export async function withSmallDisk(bytes: number, use: (disk: SmallDisk) => Promise<void>): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'pyti-small-disk-'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', dir])
  const filler = join(dir, 'filler')
  try {
    await use({
      dir,
      fill() {
        const file = openSync(filler, 'w')
        try {
          for (;;) writeSync(file, Buffer.alloc(4_096))
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
        } finally {
          closeSync(file)
        }
      },
      free: () => rm(filler),
      remount: how => execFileSync('mount', ['-o', `remount,${how}`, dir]),
    })
  } finally {
    execFileSync('umount', ['--lazy', dir])
    await rm(dir, { recursive: true })
  }
}
