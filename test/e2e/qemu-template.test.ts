import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { chmod, mkdir, mkdtemp, open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { digestFile } from '../../src/digest-file.ts'
import { sweepStaleFolders } from '../../src/owned-folder.ts'
import { storedEntry, writeZip } from '../../src/pypi/zip-writer.ts'
import { probeBackendCached } from '../../src/sandbox/backends.ts'
import { tcgDriver } from '../../src/sandbox/qemu.ts'
import { collectTemplates } from '../../src/sandbox/qemu-template-store.ts'
import { startVm } from '../../src/sandbox/ready-vm.ts'
import { runJobIn } from '../../src/sandbox/run-guest.ts'
import type { VmShape } from '../../src/sandbox/vm.ts'
import type { GuestPlan } from '../../src/wire/guest.ts'
import { GuestRecord } from '../../src/wire/raw-data.ts'
import { paths, testDriver } from '../helpers/local-network.ts'

/** Says at its import what a clone must not have in common with another. */
const source = `import os, time
print("random", os.urandom(16).hex())
print("time", time.time())
`
const filename = 'proof-1-py3-none-any.whl'
const wheel = writeZip(
  Object.entries({
    'proof/__init__.py': source,
    'proof-1.dist-info/METADATA': 'Metadata-Version: 2.2\nName: proof\nVersion: 1\n',
    'proof-1.dist-info/WHEEL': 'Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n',
    'proof-1.dist-info/RECORD': '',
  }).map(([path, text]) => storedEntry(path, Buffer.from(text))),
)

const plan: GuestPlan = {
  schema: 'pyti.plan/2',
  subject: { project: 'proof', version: '1', filename, kind: 'wheel' },
  tasks: ['install', 'import'],
  packages: { build: [], run: [], test: [] },
  incomplete: [],
  limits: { taskSeconds: 60, memoryMiB: 256, processes: 64, logBytes: 4096, outputBytes: 65_536 },
  hashSeed: 0,
  network: 'dead',
  clockDays: [],
  seed: '0'.repeat(32),
}
const clones = 20

describe('templates of QEMU', () => {
  let shape: VmShape
  let why: string | false = false
  let folder: string
  let templates: string
  /** Of this test alone, so that nobody else's folders lie in it. */
  let runDir: string
  const start = (dir = templates) => startVm(tcgDriver, shape, { runDir, cpu: 0, templates: dir })
  const prepare = (dir = templates) => tcgDriver.prepare?.(shape, { templates: dir, runDir })
  const stateOf = async (dir: string) => {
    const name = (await readdir(dir)).find(name => name.endsWith('.state'))
    assert.ok(name)
    return join(dir, name)
  }

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'pyti-test-'))
    await chmod(folder, 0o711) // root's VMs run under other users
    templates = join(folder, 'templates')
    runDir = join(folder, 'run')
    const { image } = await testDriver()
    shape = { image, memoryMiB: 256, diskMiB: 64 }
    const probe = await probeBackendCached(tcgDriver, { image, runDir: paths.run, cacheDir: paths.probes })
    if (!probe.works) why = probe.detail
    else await writeFile(join(folder, filename), wheel)
  })
  after(() => rm(folder, { recursive: true, force: true }))

  it('two that want the same one make one, and a third finds it', async context => {
    if (why) return context.skip(why)
    const building = async () =>
      (await readdir(templates).catch(() => [])).filter(name => /^build-/.test(name))
    let most = 0
    const stop = new AbortController()
    const watch = (async () => {
      while (!stop.signal.aborted) {
        most = Math.max(most, (await building()).length)
        await wait(50)
      }
    })()
    await Promise.all([prepare(), prepare()])
    stop.abort()
    await watch
    assert.equal(most, 1)
    const { ino, mode } = await stat(await stateOf(templates))
    assert.equal(mode & 0o777, 0o400)
    await prepare()
    assert.equal((await stat(await stateOf(templates))).ino, ino)
    assert.equal((await readdir(templates)).length, 2)
    assert.deepEqual(await readdir(runDir), [])
  })

  it(`${clones} clones: own randomness, right time, and the state stays as it was`, async context => {
    if (why) return context.skip(why)
    const state = await stateOf(templates)
    const sha256 = await digestFile(state)
    const said: { random: string; behindMs: number }[] = []
    for (let index = 0; index < clones; index++) {
      const ready = await start()
      assert.ok(ready.vm.hello, `clone ${index} was booted: ${ready.vm.console()}`)
      assert.deepEqual(ready.hello, ready.vm.hello)
      const whole = index < 2
      let importedAt = 0
      const output = await runJobIn(ready, tcgDriver.slowness, {
        plan: whole ? plan : { ...plan, tasks: [] },
        files: [{ filename, path: join(folder, filename), size: wheel.length }],
        wallSeconds: 60,
        clockMs: Date.now(),
        onEvent: event => {
          if (event.task === 'import' && event.state === 'end') importedAt = Date.now()
        },
      })
      const record = GuestRecord.parse(JSON.parse(output.items.get('guest.json')?.toString() ?? ''))
      if (!whole) continue
      assert.equal(record.tasks.import?.stable.status, 'passed')
      const log = output.items.get('logs/import.txt')?.toString() ?? ''
      const random = /random ([0-9a-f]{32})/.exec(log)?.[1]
      const seconds = Number(/time ([\d.]+)/.exec(log)?.[1])
      assert.ok(random && seconds > 0, log)
      said.push({ random, behindMs: importedAt - seconds * 1000 })
    }
    assert.notEqual(said[0]?.random, said[1]?.random)
    context.diagnostic(`import's end after its clock: ${said.map(({ behindMs }) => Math.round(behindMs))} ms`)
    // The end of the import is told after the module was run, so this bounds the clock's error from both sides.
    for (const { behindMs } of said) assert.ok(Math.abs(behindMs) < 2_000, `${behindMs} ms off`)
    assert.equal(await digestFile(state), sha256)
    assert.deepEqual(await readdir(runDir), [])
  })

  it('a state that cannot be restored is removed, and the VM boots', async context => {
    if (why) return context.skip(why)
    const broken = join(folder, 'broken')
    await mkdir(broken)
    const record = (await stateOf(templates)).replace(/state$/, 'json')
    const name = record.slice(templates.length + 1)
    const half = join(broken, name.replace(/json$/, 'state'))
    const whole = await open(await stateOf(templates))
    const { bytesRead, buffer } = await whole.read(Buffer.alloc(8 << 20), 0, 8 << 20, 0)
    await whole.close()
    await writeFile(half, buffer.subarray(0, bytesRead))
    // Its record is in order: only the restored guest's silence can tell.
    const told = JSON.parse(await readFile(record, 'utf8'))
    told.state = { sha256: await digestFile(half), size: bytesRead }
    await writeFile(join(broken, name), JSON.stringify(told))
    const ready = await start(broken)
    try {
      assert.equal(ready.vm.hello, undefined)
      assert.match(ready.vm.console(), /^pyti: a clone of template [0-9a-f]{12} did not answer/)
      await ready.session.ping(10_000)
    } finally {
      await ready.end()
    }
    assert.deepEqual(await readdir(broken), [])
    assert.deepEqual(await readdir(runDir), [])
  })

  it('a full disk is told, and leaves nothing', async context => {
    if (why) return context.skip(why)
    if (process.getuid?.() !== 0) return context.skip('only root can mount a small disk')
    const small = join(folder, 'small')
    await mkdir(small)
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', small])
    try {
      await assert.rejects(async () => prepare(small), { code: 'host-out-of-disk' })
      assert.deepEqual(await readdir(small), [])
    } finally {
      execFileSync('umount', [small])
    }
    assert.deepEqual(await readdir(runDir), [])
  })

  it('a builder that is killed leaves nothing that counts and nothing that stays', async context => {
    if (why) return context.skip(why)
    const dir = join(folder, 'killed')
    const src = join(import.meta.dirname, '../../src')
    const program = `
      import { tcgDriver } from '${src}/sandbox/qemu.ts'
      import { ImageStore } from '${src}/sandbox/image/store.ts'
      const image = await new ImageStore('${paths.images}').open('${shape.image.id}')
      await tcgDriver.prepare({ image, memoryMiB: 256, diskMiB: 64 }, { templates: '${dir}', runDir: '${runDir}' })`
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    const ended = new Promise(resolve => child.once('exit', resolve))
    const begun = async () => (await readdir(dir).catch(() => [])).some(name => name.startsWith('build-'))
    while (!(await begun()) && child.exitCode === null) await wait(20)
    assert.ok(await begun(), `the builder ended by itself with ${child.exitCode}`)
    child.kill('SIGKILL')
    await ended
    assert.deepEqual(
      (await readdir(dir)).filter(name => !name.startsWith('build-')),
      [],
    )
    await collectTemplates(dir, [shape.image.id], Date.now())
    assert.deepEqual(await readdir(dir), [])
    await sweepStaleFolders(runDir)
    assert.deepEqual(await readdir(runDir), [])
  })
})
