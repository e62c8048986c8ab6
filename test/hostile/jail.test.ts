import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile, readlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { after, before, describe, it } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { getSystemErrorName } from 'node:util'
import { ensureImage } from '../../src/cli/image.ts'
import { listHostGroups } from '../../src/sandbox/host-cgroup.ts'
import type { Image } from '../../src/sandbox/image/store.ts'
import { type Jailed, type JailOptions, startJail } from '../../src/sandbox/jail.ts'
import { processTree } from '../../src/sandbox/process-tree.ts'
import { jobArguments } from '../../src/sandbox/qemu-arguments.ts'
import { qemuPath } from '../../src/sandbox/qemu-files.ts'
import { qemuJail } from '../../src/sandbox/qemu-launch.ts'
import { acceleratorsOf, machines } from '../../src/sandbox/qemu-platform.ts'
import { umlJail } from '../../src/sandbox/uml.ts'
import { makeVmFolder } from '../../src/sandbox/vm-folder.ts'
import { paths } from '../helpers/local-network.ts'
import { attempts, hostSocket, outcomeOf } from './programs/attempts.ts'
import { type Call, rawCalls, readResults, scratch } from './programs/raw-calls.ts'

const host = { platform: 'linux', arch: 'x64' } as const
const qemu = qemuPath(machines.x64.binary)
const errorName = (errno: number) => getSystemErrorName(-errno)
const sleepForEver: Call = { nr: 35, args: [new Uint8Array(new BigUint64Array([1_000_000n, 0n]).buffer), 0] }
const fork: Call = { nr: 56, args: [17, 0, 0, 0, 0], childSleeps: true }
/** CLONE_VM, FS, FILES, SIGHAND, THREAD, SYSVSEM; it wakes on the same stack, which it does not use. */
const thread: Call = { nr: 56, args: [0x50f00, 0, 0, 0, 0], childSleeps: true }
const openRoot: Call = { nr: 257, args: [-100, '/', 0o200000] }
const listRoot: Call = { nr: 217, args: [{ resultOf: 0 }, scratch, 4096] }

let image: Image

/** The real jail of a backend with a program of ours where its kernel would be. */
const jails: Record<'uml' | 'qemu', (program: string, files: JailFiles) => Promise<JailOptions>> = {
  async uml(program, files) {
    const path: Image['path'] = part => (part === 'uml' ? program : image.path(part))
    return umlJail({ ...files, image: { ...image, path } })
  },
  async qemu(program, files) {
    const accelerator = acceleratorsOf(host, 'x64').find(({ name }) => name === 'tcg')
    assert.ok(accelerator)
    const command = [qemu, ...jobArguments(host, false)]
    const jail = await qemuJail({ accelerator, command, vm: { ...files, image } })
    assert.ok(jail.readOnly.some(([, path]) => path === qemu))
    return { ...jail, readOnly: jail.readOnly.map(([from, to]) => [to === qemu ? program : from, to]) }
  },
}

type JailFiles = Omit<Parameters<typeof umlJail>[0], 'image'> & { folder: string }

interface Run {
  jailed: Jailed
  uid: number | undefined
  results(): Promise<ReturnType<typeof readResults>>
}

/** Lends a jail in which a program makes these calls; whatever it did, nothing of it may be left afterwards. */
async function withJail<T>(kind: 'uml' | 'qemu', calls: Call[], use: (run: Run) => Promise<T>): Promise<T> {
  const folder = await makeVmFolder(paths.run)
  const files = { job: join(folder.path, 'job'), output: join(folder.path, 'output') }
  const program = join(folder.path, 'program')
  await writeFile(program, rawCalls(calls), { mode: 0o755 })
  for (const file of [...Object.values(files), program]) {
    await writeFile(file, '', { flag: 'a' })
    await folder.give(file)
  }
  const options = await jails[kind](program, {
    folder: folder.path,
    jobDisk: files.job,
    outputDisk: files.output,
    memoryMiB: 64,
    diskMiB: 16,
    cpu: 0,
    ...(folder.uid !== undefined && { uid: folder.uid }),
  })
  try {
    const jailed = await startJail(options)
    const output = readUntil(jailed.channel, 8 * calls.length)
    const members = await processTree(jailed.child.pid ?? 0)
    try {
      return await use({
        jailed,
        uid: folder.uid,
        results: async () => readResults(calls, await output),
      })
    } finally {
      await jailed.kill()
      for (const pid of members) assert.match((await statusOf(pid)).State ?? 'Z', /^Z/, 'a process is left')
      assert.deepEqual(await processesOf(folder.uid), [], 'processes of its user are left')
      const groups = (await listHostGroups()).filter(({ owner }) => owner === process.pid)
      assert.deepEqual(groups, [], 'control groups are left')
    }
  } finally {
    await folder.remove()
  }
}

/** What comes until there are so many bytes, or no more: a sleeping child may hold the other end open. */
async function readUntil(stream: Readable, bytes: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  try {
    for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
      chunks.push(chunk as Buffer)
      if (Buffer.concat(chunks).length >= bytes) break
    }
  } catch {
    // It was killed with bytes in flight.
  }
  return Buffer.concat(chunks)
}

async function statusOf(pid: number): Promise<Record<string, string>> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  return Object.fromEntries(text.split('\n').map(line => line.split(/:\s+/, 2)))
}

/** Names in a buffer of getdents64(2). */
function namesIn(listing: Buffer): string[] {
  const names: string[] = []
  for (let at = 0; at < listing.length; at += listing.readUInt16LE(at + 16))
    names.push(listing.toString('latin1', at + 19, listing.indexOf(0, at + 19)))
  return names
}

/** bubblewrap, its init and the program: the two shells before it run one after the other in the same processes. */
async function familyOnceStarted(pid: number): Promise<number[]> {
  for (;;) {
    const family = await processTree(pid)
    const last = await readFile(`/proc/${family.at(-1)}/comm`, 'utf8').catch(() => '')
    if (family.length >= 3 && !/bwrap|ld\.so|sh/.test(last)) return family
    await setTimeout(10)
  }
}

async function processesOf(uid: number | undefined): Promise<string[]> {
  if (uid === undefined) return []
  const found: string[] = []
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const { Uid, State } = await statusOf(Number(name))
    if (Uid?.startsWith(`${uid}\t`) && !State?.startsWith('Z')) found.push(name)
  }
  return found
}

async function outcomeInJail(kind: 'uml' | 'qemu', calls: Call[]): Promise<string> {
  return withJail(kind, calls, async ({ jailed, results }) => {
    const last = (await results()).results[calls.length - 1]
    if (last !== undefined) return outcomeOf(last, errorName)
    const exit = await jailed.exited
    return exit.kind === 'sandbox-violation' ? 'killed' : `${exit.kind}: ${jailed.console()}`
  })
}

async function outcomeOutside(calls: Call[]): Promise<string> {
  const folder = await makeVmFolder(paths.run)
  try {
    const program = join(folder.path, 'program')
    await writeFile(program, rawCalls(calls), { mode: 0o755 })
    const child = spawn(program, { stdio: ['ignore', 'ignore', 'ignore', 'pipe'], detached: true })
    const channel = child.stdio[3] as unknown as Readable
    const ended = once(child, 'exit')
    const { results } = readResults(calls, await readUntil(channel, 8 * calls.length))
    const [, signal] = await ended
    try {
      if (child.pid) process.kill(-child.pid, 'SIGKILL') // its group: the children that sleep
    } catch {
      // There are none.
    }
    return signal ?? outcomeOf(results[calls.length - 1], errorName)
  } finally {
    await folder.remove()
  }
}

describe('a hostile program in the kernel’s place', () => {
  const listener = createServer(socket => socket.destroy())
  before(async () => {
    image = await ensureImage(paths, { quiet: true })
  })
  before(() => new Promise<void>(resolve => listener.listen(hostSocket, resolve)))
  after(() => listener.close())

  it('control: outside a jail the same program gets through', async () => {
    for (const { name, calls, outside } of attempts)
      if (outside) assert.equal(await outcomeOutside(calls), 'works', name)
  })

  for (const kind of ['uml', 'qemu'] as const)
    describe(`in the jail of ${kind}`, () => {
      for (const { name, calls, [kind]: expected } of attempts)
        it(`${name}: ${expected}`, { timeout: 30_000 }, async () => {
          const outcome = await outcomeInJail(kind, calls)
          assert.ok(expected.split(' or ').includes(outcome), outcome)
        })

      it('sees nothing of the host in its root', { timeout: 30_000 }, () =>
        withJail(kind, [openRoot, listRoot], async ({ results }) => {
          const {
            results: [, size = 0],
            scratch: listing,
          } = await results()
          const names = namesIn(listing.subarray(0, size))
          assert.deepEqual(
            names.filter(name => !['.', '..', 'dev', 'k', 'lib', 'lib64', 'tmp', 'usr'].includes(name)),
            [],
          )
          assert.ok(names.includes('k'))
        }),
      )

      it('holds no descriptor but input, console and channel', { timeout: 30_000 }, () => {
        const calls: Call[] = Array.from({ length: 64 }, (_, fd) => ({ nr: 72, args: [fd, 1] }))
        return withJail(kind, calls, async ({ results }) => {
          const open = (await results()).results.flatMap((result, fd) => (result >= 0 ? [fd] : []))
          assert.deepEqual(open, [0, 1, 2, 3])
        })
      })

      it('starts no more processes than its limit', { timeout: 60_000 }, () => {
        const asThread = kind === 'qemu'
        const calls: Call[] = Array.from({ length: 400 }, () => (asThread ? thread : fork))
        return withJail(kind, calls, async ({ jailed, results }) => {
          const made = (await results()).results.filter(result => result > 0).length
          const limit = asThread ? 128 : 300
          assert.ok(made > limit / 2 && made < limit, `${made} were made`)
          await jailed.kill()
        })
      })

      it('is nobody on the host, without capabilities, under the filter', { timeout: 30_000 }, () =>
        withJail(kind, [sleepForEver], async ({ jailed, uid }) => {
          const ours = await readlink('/proc/self/ns/net')
          const [outer = 0, ...inner] = await familyOnceStarted(jailed.child.pid ?? 0)
          for (const pid of [outer, ...inner]) {
            const status = await statusOf(pid)
            const uids = (status.Uid ?? '').split('\t').map(Number)
            assert.equal(uids.length, 4)
            for (const one of uids) assert.equal(one, uid ?? process.getuid?.(), `process ${pid}`)
            for (const set of ['CapEff', 'CapPrm', 'CapInh', 'CapAmb'])
              assert.match(status[set] ?? '', /^0+$/, `${set} of ${pid}`)
            assert.equal(status.NoNewPrivs, '1')
            if (pid === outer) continue
            assert.match(status.CapBnd ?? '', /^0+$/)
            assert.equal(status.Seccomp, '2', `process ${pid} has no filter`)
            assert.notEqual(await readlink(`/proc/${pid}/ns/net`).catch(() => ''), ours)
          }
          assert.equal(inner.length, 2)
          assert.deepEqual(await jailed.kill(), { kind: 'killed' })
        }),
      )
    })
})
