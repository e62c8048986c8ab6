import { randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { kill } from 'node:process'
import { setTimeout } from 'node:timers/promises'
import { isAlive } from '../owned-folder.ts'
import { findGroupParents, type GroupParents, groupMounts, viewOfThisProcess } from './host-cgroup-parents.ts'

export interface GroupLimits {
  memoryBytes: number
  processes: number
}

/** One VM's control groups on the host. */
export interface HostGroup {
  add(pid: number): Promise<void>
  /** Whether the kernel killed a process of it for the group's memory ceiling. */
  ranOutOfMemory(): Promise<boolean>
  /** Kills what is left in it and takes it away. */
  remove(): Promise<void>
}

const groupName = /^pyti-vm-(\d+)-/
/** A killed process leaves its group within milliseconds; one in the middle of disk writes may take longer. */
const emptyMs = 5_000
/** How deep below a mount point a stale group is looked for: systemd nests units about so far. */
const sweepDepth = 8

let parents: Promise<GroupParents | string> | undefined
function parentsOfThisProcess(): Promise<GroupParents | string> {
  parents ??= viewOfThisProcess().then(findGroupParents)
  return parents
}

/**
 * Makes a group with a ceiling on memory and processes for one VM.
 * @returns undefined where groups are not delegated to this process: normal, the jail has other limits
 */
export async function createHostGroup(
  limits: GroupLimits,
  place?: GroupParents,
): Promise<HostGroup | undefined> {
  const where = place ?? (await parentsOfThisProcess())
  if (typeof where === 'string') return undefined
  const name = `pyti-vm-${process.pid}-${randomBytes(6).toString('hex')}`
  const made: string[] = []
  try {
    for (const folder of where.folders) {
      const path = join(folder.path, name)
      await mkdir(path)
      made.push(path)
      if (folder.controllers.includes('memory')) await limitMemory(path, where.version, limits.memoryBytes)
      if (folder.controllers.includes('pids'))
        await writeFile(join(path, 'pids.max'), String(limits.processes))
    }
  } catch {
    await removeFolders(made)
    return undefined
  }
  return {
    async add(pid) {
      for (const path of made) await writeFile(join(path, 'cgroup.procs'), String(pid))
    },
    async ranOutOfMemory() {
      const file = where.version === 2 ? 'memory.events' : 'memory.oom_control'
      for (const path of made) {
        const text = await readFile(join(path, file), 'utf8').catch(() => '')
        if (Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0) > 0) return true
      }
      return false
    },
    remove: () => removeFolders(made),
  }
}

async function limitMemory(path: string, version: 1 | 2, bytes: number): Promise<void> {
  const set = (file: string, value: string) => writeFile(join(path, file), value)
  const absent = () => {} // a kernel without swap accounting
  if (version === 1) {
    await set('memory.limit_in_bytes', String(bytes))
    await set('memory.memsw.limit_in_bytes', String(bytes)).catch(absent)
    return
  }
  await set('memory.max', String(bytes))
  await set('memory.swap.max', '0').catch(absent)
  await set('memory.oom.group', '1').catch(absent)
}

async function members(path: string): Promise<number[]> {
  const text = await readFile(join(path, 'cgroup.procs'), 'utf8').catch(() => '')
  return text.split('\n').filter(Boolean).map(Number)
}

async function removeFolders(paths: string[]): Promise<void> {
  const deadline = performance.now() + emptyMs
  for (const path of paths)
    while (!(await removeEmpty(path)) && performance.now() < deadline) {
      for (const pid of await members(path)) end(pid)
      await setTimeout(5)
    }
}

/** @returns whether it is gone */
async function removeEmpty(path: string): Promise<boolean> {
  try {
    await rmdir(path)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'EBUSY'
  }
}

function end(pid: number): void {
  try {
    if (pid > 1) kill(pid, 'SIGKILL')
  } catch {
    // It has ended.
  }
}

/**
 * Ends what is left in groups whose process is gone, and takes the groups away: what a killed one left. Groups of another
 * process namespace are left alone.
 * @returns how many
 */
export async function sweepStaleGroups(mountPoints?: string[]): Promise<number> {
  let swept = 0
  for (const { path, owner } of await listHostGroups(mountPoints)) {
    if (isAlive(owner) || (await members(path)).includes(0)) continue
    await removeFolders([path])
    swept++
  }
  return swept
}

/** Every group of a VM on this machine, with the process that made it. */
export async function listHostGroups(mountPoints?: string[]): Promise<{ path: string; owner: number }[]> {
  const roots = mountPoints ?? groupMounts((await viewOfThisProcess()).mounts).map(({ at }) => at)
  const paths = await Promise.all(roots.map(root => findGroups(root, sweepDepth)))
  return paths.flat().map(path => ({ path, owner: Number(groupName.exec(basename(path))?.[1]) }))
}

async function findGroups(folder: string, depth: number): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => [])
  const found: string[] = []
  for (const entry of entries) {
    if (!entry.isDirectory()) continue
    const path = join(folder, entry.name)
    if (groupName.test(entry.name)) found.push(path)
    else if (depth > 1) found.push(...(await findGroups(path, depth - 1)))
  }
  return found
}

/** One line for `pyti doctor`: makes a group and takes it away, as a VM would. */
export async function describeHostCgroup(): Promise<string> {
  const place = await parentsOfThisProcess()
  if (typeof place === 'string')
    return `no ceiling per VM (${place}; \`systemd-run --user --scope -p Delegate=yes\` gives one)`
  const group = await createHostGroup({ memoryBytes: 64 * 1024 * 1024, processes: 8 }, place)
  if (!group) return 'no ceiling per VM (a group could be made, its limits not set)'
  await group.remove()
  const kinds = place.folders.flatMap(({ controllers }) => controllers)
  return `a ceiling on ${kinds.join(' and ')} per VM (control groups version ${place.version})`
}
