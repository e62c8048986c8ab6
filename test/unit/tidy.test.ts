import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, utimes, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { describe, it } from 'node:test'
import { findPaths, type Paths } from '../../src/cli/paths.ts'
import { tidy, tidyDaily } from '../../src/cli/tidy.ts'
import { makeOwnedFolder, sweepStaleFolders } from '../../src/owned-folder.ts'
import { currentPart, noteUse, removeUnused } from '../../src/unused.ts'
import { withDirectory } from '../helpers/temporary.ts'

const day = 86_400_000

const withPaths = (use: (paths: Paths) => Promise<void>) =>
  withDirectory(dir => use(findPaths({ PYTI_HOME: dir })))

/** Last used so many days before `now`. */
async function place(path: string, days: number, now: number): Promise<string> {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, 'content')
  await age(path, days, now)
  return path
}

const age = (path: string, days: number, now: number) =>
  utimes(path, (now - days * day) / 1000, (now - days * day) / 1000)

async function endedProcess(): Promise<number> {
  const child = spawn('true')
  await once(child, 'exit')
  return child.pid ?? 0
}

describe('what is not used', () => {
  it('goes after two weeks, whole folders too; using it keeps it', () =>
    withDirectory(async dir => {
      const now = Date.now()
      await place(join(dir, 'old'), 15, now)
      await place(join(dir, 'young'), 13, now)
      await place(join(dir, 'used'), 15, now)
      await place(join(dir, 'folder/inside'), 0, now)
      await age(join(dir, 'folder'), 15, now)
      await noteUse(join(dir, 'used'), now)
      await removeUnused(dir, now)
      assert.deepEqual((await readdir(dir)).sort(), ['used', 'young'])
    }))

  it('nothing is done where there is nothing', async () => {
    await removeUnused('/nowhere/at/all', Date.now())
    await noteUse('/nowhere/at/all', Date.now())
  })

  it('a part of a cache is never removed while it is the current one, nor soon after', () =>
    withDirectory(async dir => {
      const start = Date.UTC(2026, 0, 1)
      let before = currentPart(dir, start)
      const parts = new Set<string>()
      for (let hours = 0; hours < 60 * 24; hours += 3) {
        const now = start + hours * 3_600_000
        const part = currentPart(dir, now)
        parts.add(part)
        await mkdir(part, { recursive: true })
        // What the file system itself notes is the time of this test.
        await age(part, 0, now)
        await removeUnused(dir, now)
        assert.ok(existsSync(part) && existsSync(before))
        before = part
      }
      assert.ok(parts.size > 3)
      assert.ok((await readdir(dir)).length <= 2)
    }))
})

describe('folders that a process owns', () => {
  it('stay while it runs and go when it has ended', () =>
    withDirectory(async dir => {
      const mine = await makeOwnedFolder(dir, 'job')
      const dead = await endedProcess()
      for (const name of [`vm-${dead}-123-abcdef`, `part-${dead}-123-abcdef`, `build-${dead}-abcdef`])
        await mkdir(join(dir, name, 'more'), { recursive: true })
      await mkdir(join(dir, `other-${dead}-abcdef`))
      assert.equal(await sweepStaleFolders(dir), 3)
      assert.deepEqual((await readdir(dir)).sort(), [basename(mine), `other-${dead}-abcdef`].sort())
    }))

  it('go also when another process has the id by now, as in a container that was started again', () =>
    withDirectory(async dir => {
      const mine = await makeOwnedFolder(dir, 'vm')
      const [, , start] = basename(mine).split('-')
      const stat = await readFile('/proc/self/stat', 'utf8')
      assert.ok(stat.split(' ').includes(start ?? ''))
      await mkdir(join(dir, `vm-${process.pid}-${Number(start) - 1}-abcdef`))
      // Of a version that did not note the start.
      await mkdir(join(dir, `vm-${process.pid}-123456`))
      assert.equal(await sweepStaleFolders(dir), 1)
      assert.deepEqual((await readdir(dir)).sort(), [basename(mine), `vm-${process.pid}-123456`].sort())
    }))
})

describe('tidying up', () => {
  it('bounds every folder of the cache, and leaves alone what is held', () =>
    withPaths(async paths => {
      const now = Date.now()
      const { downloads, tools, uvCache, probes } = paths
      const dead = await endedProcess()
      const gone = []
      for (const dir of [downloads, tools, uvCache, probes]) {
        gone.push(await place(join(dir, 'old'), 15, now))
        await place(join(dir, 'young'), 1, now)
      }
      for (const dir of [paths.cache, paths.images, paths.run, paths.templates, downloads, tools]) {
        const left = join(dir, `part-${dead}-1-abcdef`)
        await mkdir(left, { recursive: true })
        gone.push(left)
      }
      const held = await place(join(tools, 'uv-0'), 100, now)
      await tidy(paths, now, [held])
      assert.deepEqual(
        gone.filter(path => existsSync(path)),
        [],
      )
      for (const dir of [downloads, tools, uvCache, probes]) assert.ok(existsSync(join(dir, 'young')))
      assert.ok(existsSync(held))
    }))

  it('a folder that cannot be tidied keeps no other from it', () =>
    withPaths(async paths => {
      const now = Date.now()
      await place(paths.downloads, 0, now) // a file where a folder belongs
      const old = await place(join(paths.uvCache, 'old'), 15, now)
      await tidy(paths, now)
      assert.equal(existsSync(old), false)
    }))

  it('what runs for months does it once a day, until it ends', () =>
    withPaths(async paths => {
      const start = Date.now()
      let now = start
      const stop = new AbortController()
      const clock = {
        now: () => now,
        async sleep(ms: number) {
          now += ms
          if (now - start > 30 * day) stop.abort()
        },
      }
      const held = await place(join(paths.tools, 'uv-0'), 0, start)
      const left = await place(join(paths.downloads, 'left'), 0, start)
      await tidyDaily(paths, { clock, signal: stop.signal, inUse: [held] })
      assert.deepEqual([existsSync(held), existsSync(left)], [true, false])
    }))
})
