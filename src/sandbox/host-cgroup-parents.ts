import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { processTree } from './process-tree.ts'

export type Controller = 'memory' | 'pids'
const controllers: readonly Controller[] = ['memory', 'pids']

/** Where this process may make groups: one folder for both controllers in version 2, one each in version 1. */
export interface GroupParents {
  version: 1 | 2
  folders: { path: string; controllers: Controller[] }[]
}

/** What the kernel says of this process; another one in tests. */
export interface GroupView {
  mounts: string
  membership: string
  pid: number
}

interface Mount {
  type: string
  /** The part of the hierarchy that is mounted here: not `/` in a container. */
  root: string
  at: string
  options: string[]
}

/** Leaf this process moves itself into: in version 2 only a group without processes may hand controllers down. */
export const ownLeaf = 'pyti-main'

export async function viewOfThisProcess(): Promise<GroupView> {
  const read = (name: string) => readFile(`/proc/self/${name}`, 'utf8').catch(() => '')
  return { mounts: await read('mountinfo'), membership: await read('cgroup'), pid: process.pid }
}

/**
 * Looks for a delegated place below this process's own groups, never beside them: limits that were put on this process
 * hold for its VMs too. Version 1 works as root; version 2 where the group is this process's own
 * (`systemd-run --user --scope -p Delegate=yes`).
 * @returns the place, or why there is none
 */
export async function findGroupParents(view: GroupView): Promise<GroupParents | string> {
  const mounts = groupMounts(view.mounts)
  const memberships = view.membership.split('\n').map(line => /^\d+:([^:]*):(\/.*)$/.exec(line))
  const own = (mount: Mount, test: (names: string[]) => boolean) => {
    const path = memberships.find(match => match && test(match[1]?.split(',') ?? []))?.[2]
    if (path === undefined) return undefined
    const inMount =
      mount.root !== '/' && `${path}/`.startsWith(`${mount.root}/`) ? path.slice(mount.root.length) : path
    return join(mount.at, inMount).replace(/\/$/, '')
  }
  const folders: GroupParents['folders'] = []
  for (const controller of controllers) {
    const mount = mounts.find(({ type, options }) => type === 'cgroup' && options.includes(controller))
    const path = mount && own(mount, names => names.includes(controller))
    if (path !== undefined && (await mayMakeGroups(path))) folders.push({ path, controllers: [controller] })
  }
  if (folders.length > 0) return { version: 1, folders }

  const unified = mounts.find(({ type }) => type === 'cgroup2')
  const path = unified && own(unified, names => names.length === 1 && names[0] === '')
  if (path === undefined) return 'control groups are not mounted'
  return findInUnified(basename(path) === ownLeaf ? dirname(path) : path, view.pid)
}

async function findInUnified(path: string, pid: number): Promise<GroupParents | string> {
  const words = async (name: string) =>
    (await readFile(join(path, name), 'utf8').catch(() => '')).split(/\s+/).filter(Boolean)
  const offered = await words('cgroup.controllers')
  const lacking = controllers.filter(controller => !offered.includes(controller))
  if (lacking.length > 0) return `the group of this process has no ${lacking.join(' and ')} controller`
  if (!(await mayMakeGroups(path))) return 'the group of this process is not delegated to it'
  const parents: GroupParents = { version: 2, folders: [{ path, controllers: [...controllers] }] }
  const enabled = await words('cgroup.subtree_control')
  if (controllers.every(controller => enabled.includes(controller))) return parents
  const family = await processTree(pid)
  const members = (await words('cgroup.procs')).map(Number)
  if (members.some(member => !family.includes(member)))
    return 'the group of this process holds processes of others'
  try {
    const leaf = join(path, ownLeaf)
    await mkdir(leaf, { recursive: true })
    for (const member of members) await writeFile(join(leaf, 'cgroup.procs'), String(member))
    await writeFile(join(path, 'cgroup.subtree_control'), '+memory +pids')
    return parents
  } catch (error) {
    return `control groups cannot be divided: ${(error as NodeJS.ErrnoException).code}`
  }
}

/** Mount points of control groups (proc_pid_mountinfo(5)). */
export function groupMounts(mountinfo: string): Mount[] {
  const plain = (text: string) =>
    text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
  const mounts: Mount[] = []
  for (const line of mountinfo.split('\n')) {
    const [head = '', tail = ''] = line.split(' - ')
    const [, , , root = '', at = ''] = head.split(' ')
    const [type = '', , options = ''] = tail.split(' ')
    if (type === 'cgroup' || type === 'cgroup2')
      mounts.push({ type, root: plain(root), at: plain(at), options: options.split(',') })
  }
  return mounts
}

async function mayMakeGroups(path: string): Promise<boolean> {
  const trial = join(path, `pyti-vm-${process.pid}-trial-${Math.trunc(performance.now() * 1000)}`)
  try {
    await mkdir(trial)
    await rmdir(trial)
    return true
  } catch {
    return false
  }
}
