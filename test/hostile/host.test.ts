import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, chmod, mkdtemp, readFile, rm, rmdir, statfs, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { isCode } from '../../src/errors.ts'
import { runCommand } from '../../src/exec.ts'
import { sweepStaleFolders } from '../../src/owned-folder.ts'
import { listHostGroups, sweepStaleGroups } from '../../src/sandbox/host-cgroup.ts'
import { processTree } from '../../src/sandbox/process-tree.ts'
import { onEveryBackend } from '../helpers/hostile-backends.ts'
import { assertPoweredOff, runPackage, wheelOf } from '../helpers/hostile-package.ts'
import { attack } from '../helpers/hostile-root.ts'
import { Trail } from '../helpers/hostile-traces.ts'
import { paths } from '../helpers/local-network.ts'
import { withDirectory } from '../helpers/temporary.ts'

const controller = join(import.meta.dirname, '../helpers/hostile-controller.ts')
const shows = `
import json, os, random, secrets, tempfile, time, uuid
print("SAID", json.dumps({"clock": time.time(), "random": [os.urandom(16).hex(), secrets.token_hex(8), str(uuid.uuid4()), random.random(), os.path.basename(tempfile.mktemp())]}))
`

/** @param alsoTraced a guest process of User-mode Linux stands still with its kernel, which traces it */
async function signalAll(pid: number, signal: NodeJS.Signals, alsoTraced = true): Promise<number> {
  let reached = 0
  for (const each of await processTree(pid)) {
    const status = await readFile(`/proc/${each}/status`, 'utf8').catch(() => '')
    if (!alsoTraced && !/^TracerPid:\s+0$/m.test(status)) continue
    try {
      process.kill(each, signal)
      reached++
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }
  return reached
}

onEveryBackend(
  'trouble on the host',
  (arena, test) => {
    test('kill -9 of the controller in the middle of a fork bomb: nothing of the VM outlives it', () =>
      withDirectory(async dir => {
        const child = spawn(process.execPath, [controller, arena.backend], {
          stdio: ['ignore', 'pipe', 'inherit'],
          // What it leaves of its own is removed with this.
          env: { ...process.env, TMPDIR: dir },
        })
        const exited = once(child, 'exit')
        const said = await Promise.race([
          once(createInterface(child.stdout), 'line'),
          exited.then(([code]) => assert.fail(`the controller ended with ${code}`)),
        ])
        const { pid, runDir } = JSON.parse(String(said[0])) as { pid: number; runDir: string }
        const trail = new Trail(runDir)
        trail.follow(pid)
        await pause(300) // the bomb is to have grown
        assert.ok((await trail.sample()) > 1)
        child.kill('SIGKILL')
        await exited
        // The next command that needs the image sweeps the files; processes must be gone before that.
        await trail.expectNothingLeft({ files: false, groups: false })
        await sweepStaleFolders(paths.run)
        await sweepStaleGroups()
        await assert.rejects(access(runDir), { code: 'ENOENT' })
        assert.deepEqual(
          (await listHostGroups()).filter(({ owner }) => owner === child.pid),
          [],
        )
      }))

    test('SIGSTOP of its kernel and its jail, SIGCONT after a while: the job comes to its end', async () => {
      let frozen: Promise<number> | undefined
      const { tasks, exit } = await runPackage(arena, wheelOf('evil', { 'evil.py': shows }), {
        tasks: ['install', 'import'],
        wallSeconds: 40,
        onWorking: trail => {
          frozen = (async () => {
            const stopped = await signalAll(trail.pid, 'SIGSTOP', false)
            await pause(700)
            await signalAll(trail.pid, 'SIGCONT', false)
            return stopped
          })()
        },
      })
      assert.ok(((await frozen) ?? 0) > 1)
      assert.deepEqual([tasks.install?.stable.status, tasks.import?.stable.status], ['passed', 'passed'])
      assertPoweredOff(exit)
    })

    // User-mode Linux does not expect a signal from outside in a process it traces: the guest may not survive, the host must.
    test('SIGSTOP of all its processes and SIGCONT after a while: an end within its limit', async () => {
      let frozen: Promise<void> | undefined
      const fall = await attack(
        arena,
        'for number in range(150):\n  os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)\nhost.answer({})',
        {
          wallSeconds: 8,
          onBegin: (_ready, trail) => {
            frozen = (async () => {
              await pause(200)
              await signalAll(trail.pid, 'SIGSTOP')
              await pause(500)
              await signalAll(trail.pid, 'SIGCONT')
            })()
          },
        },
      )
      await frozen
      const ends = arena.backend === 'uml' ? ['answered', 'guest-ended', 'guest-timeout'] : ['answered']
      assert.ok(ends.includes(fall.code), `${fall.code} ${JSON.stringify(fall.error?.details)}`)
    })

    test('SIGSTOP for ever: its time runs out, and it is gone although it stands still', async () => {
      let frozen: Promise<number> | undefined
      const fall = await attack(arena, 'while True: time.sleep(0.01)', {
        wallSeconds: 1,
        onBegin: (_ready, trail) => {
          frozen = signalAll(trail.pid, 'SIGSTOP')
        },
      })
      assert.ok(((await frozen) ?? 0) > 1)
      assert.deepEqual([fall.code, fall.exit], ['guest-timeout', 'timeout'])
    })

    test('two VMs have nothing random in common, and both have the right time', async () => {
      const random = new Set<string>()
      for (let number = 0; number < 2; number++) {
        const before = Date.now()
        const { logs } = await runPackage(arena, wheelOf('evil', { 'evil.py': shows }), {
          tasks: ['install', 'import'],
        })
        const after = Date.now()
        const said = JSON.parse(/SAID (.*)/.exec(logs.get('logs/import.txt') ?? '')?.[1] ?? '{}')
        for (const value of said.random) random.add(String(value))
        const clock = said.clock * 1000
        assert.ok(
          clock > before - 2_000 && clock < after + 2_000,
          `${clock} is not from ${before} to ${after}`,
        )
      }
      assert.equal(random.size, 10)
    })

    const onSmallDisk = (name: string, use: (folder: string) => Promise<void>) =>
      test(name, async context => {
        if (process.getuid?.() !== 0) return context.skip('a small file system can only be mounted by root')
        await withSmallDisk(use)
      })

    onSmallDisk('a host disk that is full when the job is written: said as what it is', async folder => {
      const fall = await attack(arena, `host.answer({})\n# ${'x'.repeat(6 << 20)}`, {
        runDir: folder,
        beforeAck: true,
      })
      assert.equal(fall.code, 'host-out-of-disk', fall.error?.message)
      assert.match(fall.error?.hint ?? '', /PYTI_HOME/)
    })

    onSmallDisk('a host disk that the guest fills: an end within its limit', async folder => {
      const fall = await attack(
        arena,
        `
with open(DISKS["output"], "wb", buffering=0) as disk:
    try:
        while disk.write(bytes(1 << 20)): os.fsync(disk.fileno())
    except OSError as error:
        host.answer({"error": errno.errorcode[error.errno]})
`,
        { runDir: folder, wallSeconds: 3 },
      )
      assert.ok(['answered', 'guest-timeout', 'host-out-of-disk'].includes(fall.code), fall.code)
    })

    onSmallDisk('a host disk without a byte left: said as what it is, or no trouble at all', async folder => {
      const space = await statfs(folder)
      await writeFile(join(folder, 'full'), Buffer.alloc(space.bavail * space.bsize))
      await attack(arena, 'host.answer({})', { runDir: folder, beforeAck: true }).then(
        fall => assert.ok(['answered', 'host-out-of-disk'].includes(fall.code), fall.code),
        (error: unknown) => assert.ok(isCode(error, 'host-out-of-disk'), String(error)),
      )
    })
  },
  'long',
)

/** A file system with 4 MB of room. */
async function withSmallDisk(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'pyti-small-'))
  await runCommand(['mount', '-t', 'tmpfs', '-o', 'size=4m,mode=0711', 'tmpfs', folder])
  try {
    await chmod(folder, 0o711)
    await use(folder)
    await rm(join(folder, 'full'), { force: true })
    const mounts = await readFile('/proc/self/mountinfo', 'utf8')
    assert.equal(mounts.split('\n').filter(line => line.includes(folder)).length, 1)
  } finally {
    await runCommand(['umount', folder])
    await rmdir(folder)
  }
}
