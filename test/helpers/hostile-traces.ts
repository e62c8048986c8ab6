import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { access, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { processTree } from '../../src/sandbox/process-tree.ts'
import type { Vm } from '../../src/sandbox/vm.ts'

const withinMs = 1_000
const pollMs = 50
const groupRoot = '/sys/fs/cgroup'

/** Follows one VM, to know afterwards what of it must be gone. */
export class Trail {
  readonly runDir: string
  pid = 0
  /** The VM's own host user; absent where it runs as the user of this process. */
  #uid: string | undefined
  readonly #seen = new Map<number, string>()
  readonly #groups = new Set<string>()

  /** @param runDir nothing but this VM's folder may be in it */
  constructor(runDir: string) {
    this.runDir = runDir
  }

  /** For `BootOptions.onStart`. */
  readonly onStart = (vm: Vm): void => this.follow(vm.pid)

  /** @param pid of the jail's outermost process */
  follow(pid: number): void {
    this.pid = pid
    const uid = realUid(readFileSync(`/proc/${pid}/status`, 'utf8'))
    assert.notEqual(uid, '0', 'no VM runs as root of the host')
    if (uid !== String(process.getuid?.())) this.#uid = uid
  }

  /** Notes the VM's processes of this moment. @returns how many there are */
  async sample(): Promise<number> {
    const pids = await processTree(this.pid)
    for (const pid of pids) this.#seen.set(pid, await startTime(pid))
    const ours = await groupsOf('self')
    for (const group of await groupsOf(this.pid)) if (!ours.includes(group)) this.#groups.add(group)
    return pids.length
  }

  /** Fails when a second after the call there still is a process, mount, socket, file or control group of the VM. */
  async expectNothingLeft(also: { files?: boolean; groups?: boolean } = {}): Promise<void> {
    const { files = true, groups = true } = also
    const deadline = performance.now() + withinMs
    for (;;) {
      const left = [
        ...(await this.#processes()),
        ...(await this.#names()),
        ...(files ? await this.#files() : []),
        ...(groups ? await this.#leftGroups() : []),
      ]
      if (left.length === 0) return
      if (performance.now() > deadline) assert.deepEqual(left, [], 'left behind by the VM')
      await new Promise(resolve => setTimeout(resolve, pollMs))
    }
  }

  async #processes(): Promise<string[]> {
    const left = this.#uid === undefined ? [] : await processesOf(this.#uid)
    for (const [pid, started] of this.#seen)
      if (started !== '' && (await startTime(pid)) === started) left.push(`process ${pid}`)
    return left
  }

  /** Mounts and sockets. */
  async #names(): Promise<string[]> {
    const left: string[] = []
    for (const table of ['/proc/self/mountinfo', '/proc/net/unix'])
      for (const line of (await readFile(table, 'utf8')).split('\n'))
        if (line.includes(`${this.runDir}/`)) left.push(`${table}: ${line}`)
    return left
  }

  async #files(): Promise<string[]> {
    return (await readdir(this.runDir)).map(name => `file ${name}`)
  }

  async #leftGroups(): Promise<string[]> {
    const left: string[] = []
    for (const group of this.#groups) if (await exists(join(groupRoot, group))) left.push(`group ${group}`)
    return left
  }
}

function realUid(status: string): string {
  return /^Uid:\s+(\d+)/m.exec(status)?.[1] ?? ''
}

/**
 * Every live process whose real, effective, saved or file system user is this one. A zombie has nothing but a number: the
 * machine's init takes it when it likes.
 */
async function processesOf(uid: string): Promise<string[]> {
  const found: string[] = []
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const status = await readFile(`/proc/${name}/status`, 'utf8').catch(() => '')
    const uids = /^Uid:\s+(.+)$/m.exec(status)?.[1]?.split('\t') ?? []
    if (uids.includes(uid) && !/^State:\s+[ZX]/m.test(status))
      found.push(`process ${name} of user ${uid}: ${/^Name:\s+(.+)$/m.exec(status)?.[1]}`)
  }
  return found
}

/** Tells a process from a later one with the same number; '' when there is none, or a zombie. */
async function startTime(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return /[ZX]/.test(fields[0] ?? '') ? '' : (fields[19] ?? '')
}

/** Paths below the control group mount, `pids/pyti/x` or `pyti/x`. */
async function groupsOf(pid: number | 'self'): Promise<string[]> {
  const text = await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => '')
  return text
    .split('\n')
    .map(line => /^\d+:(?:name=)?([^:]*):(.+)$/.exec(line))
    .flatMap(match => (match ? [join(match[1] ?? '', match[2] ?? '')] : []))
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
