import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, describe, it } from 'node:test'
import {
  createHostGroup,
  describeHostCgroup,
  listHostGroups,
  sweepStaleGroups,
} from '../../src/sandbox/host-cgroup.ts'
import { findGroupParents, groupMounts, viewOfThisProcess } from '../../src/sandbox/host-cgroup-parents.ts'
import { withDirectory } from '../helpers/temporary.ts'

const MiB = 1024 * 1024

/** A folder that looks like a version 2 group this process is in. */
async function unified(dir: string, files: Record<string, string>) {
  const own = join(dir, 'user.slice/app.scope')
  await mkdir(own, { recursive: true })
  for (const [name, content] of Object.entries(files)) await writeFile(join(own, name), content)
  return {
    own,
    view: {
      mounts: `31 23 0:28 / ${dir} rw,relatime shared:4 - cgroup2 cgroup2 rw`,
      membership: '0::/user.slice/app.scope\n',
      pid: process.pid,
    },
  }
}

describe('looking for delegated control groups', () => {
  it('version 2, divided already', () =>
    withDirectory(async dir => {
      const { own, view } = await unified(dir, {
        'cgroup.controllers': 'cpu memory pids\n',
        'cgroup.subtree_control': 'memory pids\n',
      })
      assert.deepEqual(await findGroupParents(view), {
        version: 2,
        folders: [{ path: own, controllers: ['memory', 'pids'] }],
      })
    }))

  it('version 2, held by this process alone: it moves into a leaf and divides', () =>
    withDirectory(async dir => {
      const { own, view } = await unified(dir, {
        'cgroup.controllers': 'memory pids\n',
        'cgroup.subtree_control': '',
        'cgroup.procs': `${process.pid}\n`,
      })
      assert.equal(typeof (await findGroupParents(view)), 'object')
      assert.equal(await readFile(join(own, 'pyti-main/cgroup.procs'), 'utf8'), String(process.pid))
      assert.equal(await readFile(join(own, 'cgroup.subtree_control'), 'utf8'), '+memory +pids')
      // What it starts is in the leaf, and finds the same place.
      await writeFile(join(own, 'cgroup.subtree_control'), 'memory pids\n')
      const child = await findGroupParents({ ...view, membership: '0::/user.slice/app.scope/pyti-main\n' })
      assert.equal(typeof child === 'object' && child.folders[0]?.path, own)
    }))

  it('version 2, shared with others: their processes are not moved', () =>
    withDirectory(async dir => {
      const { own, view } = await unified(dir, {
        'cgroup.controllers': 'memory pids\n',
        'cgroup.subtree_control': '',
        'cgroup.procs': `1\n${process.pid}\n`,
      })
      assert.match(String(await findGroupParents(view)), /processes of others/)
      await assert.rejects(stat(join(own, 'pyti-main')), { code: 'ENOENT' })
    }))

  it('says what is lacking', () =>
    withDirectory(async dir => {
      const { view } = await unified(dir, { 'cgroup.controllers': 'cpu pids\n' })
      assert.match(String(await findGroupParents(view)), /no memory controller/)
      assert.match(String(await findGroupParents({ ...view, mounts: '' })), /not mounted/)
      assert.match(String(await findGroupParents({ ...view, membership: 'nonsense' })), /not mounted/)
      const elsewhere = { ...view, membership: '0::/not/there\n' }
      assert.match(String(await findGroupParents(elsewhere)), /controller/)
    }))

  it('version 1: below this process’s own groups, one folder per controller', () =>
    withDirectory(async dir => {
      await mkdir(join(dir, 'memory/job'), { recursive: true })
      await mkdir(join(dir, 'pids'))
      const view = {
        mounts: [
          `1 2 0:1 /docker/x ${dir}/memory rw - cgroup cgroup rw,memory`,
          `1 2 0:2 / ${dir}/pids rw - cgroup cgroup rw,pids`,
        ].join('\n'),
        membership: '4:memory:/docker/x/job\n3:pids:/\n0::/\n',
        pid: process.pid,
      }
      assert.deepEqual(await findGroupParents(view), {
        version: 1,
        folders: [
          { path: join(dir, 'memory/job'), controllers: ['memory'] },
          { path: join(dir, 'pids'), controllers: ['pids'] },
        ],
      })
    }))

  it('reads mount points with spaces', () =>
    assert.deepEqual(groupMounts('1 2 0:1 / /a\\040b rw - cgroup2 none rw\nnonsense\n\n'), [
      { type: 'cgroup2', root: '/', at: '/a b', options: ['rw'] },
    ]))
})

describe('limits of a version 2 group', () => {
  it('are written before anybody is in it', () =>
    withDirectory(async dir => {
      const group = await createHostGroup(
        { memoryBytes: 7 * MiB, processes: 9 },
        { version: 2, folders: [{ path: dir, controllers: ['memory', 'pids'] }] },
      )
      assert.ok(group)
      const [found] = await listHostGroups([dir])
      assert.ok(found?.owner === process.pid)
      const read = (name: string) => readFile(join(found.path, name), 'utf8')
      assert.equal(await read('memory.max'), String(7 * MiB))
      assert.equal(await read('memory.oom.group'), '1')
      assert.equal(await read('pids.max'), '9')
      assert.equal(await group.ranOutOfMemory(), false)
      await writeFile(join(found.path, 'memory.events'), 'max 4\noom 1\noom_kill 2\noom_group_kill 1\n')
      assert.equal(await group.ranOutOfMemory(), true)
    }))
  it('a place that is no more is no error', () =>
    withDirectory(async dir => {
      const nowhere = { version: 2 as const, folders: [{ path: join(dir, 'gone'), controllers: [] }] }
      assert.equal(await createHostGroup({ memoryBytes: MiB, processes: 1 }, nowhere), undefined)
    }))
})

describe('real control groups', () => {
  let why: string | false = false
  before(async () => {
    const text = await describeHostCgroup()
    if (text.startsWith('no ')) why = text
  })
  const limits = { memoryBytes: 24 * MiB, processes: 6 }

  it('a process that takes more memory than its group may is ended, and the group knows', async context => {
    if (why) return context.skip(why)
    const group = await createHostGroup(limits)
    assert.ok(group)
    const child = spawn('sh', ['-c', 'read -r go; exec tail /dev/zero'], {
      stdio: ['pipe', 'ignore', 'ignore'],
    })
    const ended = once(child, 'exit')
    await group.add(child.pid ?? 0)
    assert.equal(await group.ranOutOfMemory(), false)
    child.stdin.end('go\n')
    assert.equal((await ended)[1], 'SIGKILL')
    assert.equal(await group.ranOutOfMemory(), true)
    await group.remove()
    assert.deepEqual(await ours(), [])
  })

  it('stops a process at the ceiling of processes, and ends those that are left', async context => {
    if (why) return context.skip(why)
    const group = await createHostGroup(limits)
    assert.ok(group)
    const script = 'read -r go; for i in 1 2 3 4 5 6 7 8; do sleep 1000 & done; wait'
    const child = spawn('sh', ['-c', script], { stdio: ['pipe', 'ignore', 'pipe'] })
    await group.add(child.pid ?? 0)
    child.stdin.end('go\n')
    let said = ''
    // A shell may write a line in pieces.
    for await (const piece of child.stderr) {
      said += piece
      if (/fork/i.test(said)) break
    }
    assert.match(said, /fork/i)
    await group.remove()
    assert.deepEqual(await ours(), [])
  })

  it('sweeps what a dead process left, and leaves the groups of the living', async context => {
    if (why) return context.skip(why)
    const dead = spawnSync('true').pid
    const place = await findGroupParents(await viewOfThisProcess())
    assert.ok(typeof place === 'object')
    const mine = await createHostGroup(limits)
    const left = spawn('sleep', ['1000'])
    const ended = once(left, 'exit')
    for (const { path } of place.folders) {
      await mkdir(join(path, `pyti-vm-${dead}-left`))
      await writeFile(join(path, `pyti-vm-${dead}-left`, 'cgroup.procs'), String(left.pid))
    }
    assert.ok((await sweepStaleGroups()) >= place.folders.length)
    assert.equal((await ended)[1], 'SIGKILL')
    assert.equal((await listHostGroups()).filter(({ owner }) => owner === dead).length, 0)
    assert.equal((await ours()).length, place.folders.length)
    await mine?.remove()
    assert.deepEqual(await ours(), [])
  })
})

async function ours() {
  return (await listHostGroups()).filter(({ owner }) => owner === process.pid)
}
