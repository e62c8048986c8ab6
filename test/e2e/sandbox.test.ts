import assert from 'node:assert/strict'
import { readFile, readlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, describe, it } from 'node:test'
import { drivers, emptyPlan, probeBackendCached } from '../../src/sandbox/backends.ts'
import type { Image } from '../../src/sandbox/image/store.ts'
import { readMapCount, usualMapCount } from '../../src/sandbox/map-count.ts'
import { processTree } from '../../src/sandbox/process-tree.ts'
import { runGuest } from '../../src/sandbox/run-guest.ts'
import { GuestRecord } from '../../src/wire/raw-data.ts'
import { wheelOf } from '../helpers/hostile-package.ts'
import { alive, paths, strayFolders, testDriver } from '../helpers/local-network.ts'
import { withDirectory } from '../helpers/temporary.ts'

/** 300 MiB: more than 65,530 pages, none beside its neighbour. */
const scattered = `import mmap, random
memory = mmap.mmap(-1, 300 << 20)
pages = list(range(len(memory) // 4096))
random.Random(1).shuffle(pages)
for page in pages:
    memory[page * 4096] = 1
`

for (const driver of drivers)
  describe(`sandbox on ${driver.backend}`, () => {
    let image: Image
    let why: string | false = false
    const base = () => ({
      driver,
      image,
      plan: emptyPlan,
      files: [],
      memoryMiB: 256,
      diskMiB: 64,
      wallSeconds: 30,
      clockMs: Date.now(),
      runDir: paths.run,
    })

    before(async () => {
      image = (await testDriver()).image
      const probe = await probeBackendCached(driver, { image, runDir: paths.run, cacheDir: paths.probes })
      if (!probe.works) why = probe.detail
    })

    it('boots, runs an empty job and is gone', async context => {
      if (why) return context.skip(why)
      const output = await runGuest(base())
      const record = GuestRecord.parse(JSON.parse(output.items.get('guest.json')?.toString() ?? ''))
      assert.match(record.python, /^3\.13\./)
      assert.deepEqual(record.tasks, {})
      assert.deepEqual(await strayFolders(), [])
    })

    it('no process of it is root on the host, and none shares its network', async context => {
      if (why) return context.skip(why)
      const ours = await readlink('/proc/self/ns/net')
      let checked = 0
      let look: Promise<void> = Promise.resolve()
      await runGuest({
        ...base(),
        onEvent: event => {
          if (event.task !== 'setup' || event.state !== 'start') return
          look = (async () => {
            // The outermost process only waits for the jail it made; it is outside by necessity.
            const [outer = 0, ...inner] = await processTree(vmPid)
            for (const pid of [outer, ...inner]) {
              const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => undefined)
              if (status === undefined) continue
              const uids = /^Uid:\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)/m.exec(status)?.slice(1).map(Number) ?? [0]
              assert.ok(
                uids.every(uid => uid !== 0),
                `process ${pid} runs as ${uids}`,
              )
              assert.match(status, /^CapEff:\s+0000000000000000$/m)
              checked++
            }
            for (const pid of inner) {
              const net = await readlink(`/proc/${pid}/ns/net`).catch(() => undefined)
              assert.notEqual(net, ours, `process ${pid} is in the host's network namespace`)
            }
          })()
        },
        onStart: vm => {
          vmPid = vm.pid
        },
      })
      await look
      assert.ok(checked >= 2, `${checked} processes were looked at`)
    })
    let vmPid = 0

    it('a large process with scattered pages is not killed by the host', async context => {
      if (why) return context.skip(why)
      if (driver.backend !== 'uml') return context.skip('only its processes are processes of the host')
      if ((await readMapCount()) < usualMapCount && process.getuid?.() !== 0)
        return context.skip('root alone may raise vm.max_map_count')
      await withDirectory(async folder => {
        const { filename, bytes } = wheelOf('evil', { 'evil.py': scattered })
        const path = join(folder, filename)
        await writeFile(path, bytes)
        const output = await runGuest({
          ...base(),
          plan: {
            ...emptyPlan,
            subject: { project: 'evil', version: '1.0', filename, kind: 'wheel' },
            tasks: ['install', 'import'],
            limits: { ...emptyPlan.limits, taskSeconds: 60, memoryMiB: 512 },
          },
          files: [{ filename, path, size: bytes.length }],
          memoryMiB: 512,
          wallSeconds: 120,
        })
        const { tasks } = GuestRecord.parse(JSON.parse(output.items.get('guest.json')?.toString() ?? ''))
        assert.equal(tasks.import?.stable.status, 'passed', JSON.stringify(tasks.import))
      })
    })

    it('an abort in the middle leaves no process and no folder', async context => {
      if (why) return context.skip(why)
      const stop = new AbortController()
      let pid = 0
      const onStart = (vm: { pid: number }) => {
        pid = vm.pid
        stop.abort(new Error('enough'))
      }
      await assert.rejects(runGuest({ ...base(), signal: stop.signal, onStart }), /enough/)
      assert.ok(pid > 0)
      assert.deepEqual(alive([pid]), [])
      assert.deepEqual(await strayFolders(), [])
    })
  })
