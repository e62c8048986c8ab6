import { randomInt } from 'node:crypto'
import { chmod, chown, mkdir, rm } from 'node:fs/promises'
import { makeOwnedFolder } from '../owned-folder.ts'

/** First of a million host user ids that no account has; each VM started by root gets one of its own. */
const firstUid = 2_000_000

export interface VmFolder {
  path: string
  /** Host user that will own the VM's processes; absent when this process is itself unprivileged. */
  uid: number | undefined
  /** Hands a file in the folder to that user. */
  give(path: string): Promise<void>
  remove(): Promise<void>
}

/** A private folder (0700) for one VM. */
export async function makeVmFolder(root: string): Promise<VmFolder> {
  await mkdir(root, { recursive: true, mode: 0o711 })
  const path = await makeOwnedFolder(root, 'vm')
  await chmod(path, 0o700)
  const uid = process.getuid?.() === 0 ? firstUid + randomInt(1_000_000) : undefined
  const give = async (file: string) => {
    if (uid !== undefined) await chown(file, uid, uid)
  }
  await give(path)
  return { path, uid, give, remove: () => rm(path, { recursive: true, force: true }) }
}
