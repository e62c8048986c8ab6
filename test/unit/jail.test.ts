import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { open, realpath, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { before, describe, it } from 'node:test'
import { ConsoleTail } from '../../src/sandbox/console-tail.ts'
import { describeHostCgroup } from '../../src/sandbox/host-cgroup.ts'
import { exitOf, type JailOptions, startJail } from '../../src/sandbox/jail.ts'
import { jailCommand } from '../../src/sandbox/jail-command.ts'
import { processTree } from '../../src/sandbox/process-tree.ts'
import { compileFilter } from '../../src/sandbox/seccomp/filter.ts'
import { withDirectory } from '../helpers/temporary.ts'

const MiB = 1024 * 1024
const guard = { timeout: 60_000 }
/** Lets everything pass but what the tests are to be killed for. */
const seccomp = compileFilter({
  allow: [],
  guarded: {},
  enosys: [],
  kill: ['sethostname', 'mount'],
  otherwise: 'allow',
})

let options: JailOptions
before(async () => {
  const linked = (program: string) =>
    [...execFileSync('ldd', [program], { encoding: 'utf8' }).matchAll(/(?:=> |^\s*)(\/\S+) \(0x/gm)].map(
      match => match[1] ?? '',
    )
  const libraries = [...new Set(['/bin/sh', '/usr/bin/mount', '/usr/bin/sleep'].flatMap(linked))]
  const find = (name: RegExp) => libraries.find(path => name.test(path)) ?? assert.fail(`no ${name}`)
  const bind = async (path: string): Promise<[string, string]> => [await realpath(path), path]
  options = {
    readOnly: await Promise.all(['/bin/sh', '/usr/bin/mount', '/usr/bin/sleep', ...libraries].map(bind)),
    shell: {
      program: await realpath('/bin/sh'),
      loader: await realpath(find(/ld-linux/)),
      libc: await realpath(find(/libc\.so/)),
    },
    groupBytes: 256 * MiB,
    tmpBytes: 16 * MiB,
    processes: 20,
    cpu: 0,
    // Any user without an account; a caller that is not root has one of its own.
    uid: process.getuid?.() === 0 ? 2_000_000 : undefined,
    command: [],
    seccomp,
  }
})

const shell = (script: string): JailOptions => ({ ...options, command: ['/bin/sh', '-c', script] })

async function run(script: string) {
  const jailed = await startJail(shell(script))
  const said = text(jailed.channel).catch(() => '')
  const exit = await jailed.exited
  return { exit, console: jailed.console(), said: await said }
}

describe('a jail', () => {
  it('tells a clean end, and hands over what came by the channel', guard, async () => {
    const { exit, said } = await run('echo hello >&3')
    assert.deepEqual(exit, { kind: 'clean' })
    assert.equal(said, 'hello\n')
  })

  it('tells an abnormal end with the last lines of the console', guard, async () => {
    const { exit } = await run('echo one; echo two; echo three >&2; exit 3')
    assert.equal(exit.kind, 'abnormal')
    assert.match('detail' in exit ? exit.detail : '', /^exit code 3: two \| three$/)
  })

  it('tells a forbidden system call', guard, async () => {
    assert.deepEqual((await run('exec mount -t tmpfs none /tmp')).exit, { kind: 'sandbox-violation' })
  })

  it('tells a kill from inside as lack of memory: nobody else kills there', guard, async () => {
    assert.deepEqual((await run('kill -9 $$')).exit, { kind: 'oom' })
  })

  it('is empty when kill() resolves, orphans included', guard, async () => {
    const jailed = await startJail(shell('sleep 1000 & (sleep 1001 &) ; echo up >&3; trap "" TERM; wait'))
    await new Promise(resolve => jailed.channel.once('data', resolve))
    const family = await processTree(jailed.child.pid ?? 0)
    assert.ok(family.length >= 5, `${family.length} processes`)
    assert.deepEqual(await jailed.kill(), { kind: 'killed' })
    for (const pid of family) assert.throws(() => process.kill(pid, 0), /ESRCH/)
  })

  it('ends with its first process, whatever else still runs', guard, async () => {
    const jailed = await startJail(shell('sleep 1000 & echo up >&3; read -r _ <&3'))
    await new Promise(resolve => jailed.channel.once('data', resolve))
    const family = await processTree(jailed.child.pid ?? 0)
    jailed.channel.write('go\n')
    assert.deepEqual(await jailed.exited, { kind: 'clean' })
    for (const pid of family) await gone(pid)
  })

  it('can be killed when somebody stopped it', guard, async () => {
    const jailed = await startJail(shell('echo up >&3; sleep 1000'))
    await new Promise(resolve => jailed.channel.once('data', resolve))
    for (const pid of await processTree(jailed.child.pid ?? 0)) process.kill(pid, 'SIGSTOP')
    assert.deepEqual(await jailed.kill(), { kind: 'killed' })
  })

  it('may be killed twice, and after its end', guard, async () => {
    const jailed = await startJail(shell('exit 0'))
    assert.deepEqual(await jailed.exited, { kind: 'clean' })
    assert.deepEqual(await jailed.kill(), { kind: 'clean' })
  })

  it('keeps little of a flood, however long its lines', guard, async () => {
    const double = 'x=0123456789abcdef; i=0; while [ $i -lt 13 ]; do x=$x$x; i=$((i+1)); done'
    const { exit, console } = await run(
      `${double}; i=0; while [ $i -lt 64 ]; do echo "$x"; i=$((i+1)); done; echo end`,
    )
    assert.equal(exit.kind, 'clean')
    assert.ok(console.length < 20_000, `${console.length} characters`)
    assert.match(console, /end$/)
  })

  it('ends for lack of memory at the ceiling of its control group', guard, async context => {
    const groups = await describeHostCgroup()
    if (groups.startsWith('no ')) return context.skip(groups)
    const script = 'x=0123456789abcdef; while :; do x=$x$x; echo "$x" >>/tmp/f; done'
    const jailed = await startJail({ ...shell(script), tmpBytes: 512 * MiB, groupBytes: 48 * MiB })
    assert.deepEqual(await jailed.exited, { kind: 'oom' })
  })

  it('gives the command its open file, and an end of input', guard, () =>
    withDirectory(async dir => {
      await writeFile(join(dir, 'state'), 'saved')
      const file = await open(join(dir, 'state'))
      try {
        const script = 'read -r saved <&5; read -r input; echo "$saved,$input" >&3'
        const jailed = await startJail({ ...shell(script), openFile: file.fd })
        const said = text(jailed.channel)
        assert.deepEqual(await jailed.exited, { kind: 'clean' })
        assert.equal(await said, 'saved,\n')
      } finally {
        await file.close()
      }
    }),
  )

  it('fails at once when a file it is to show is not there', guard, async () => {
    const missing: JailOptions = { ...shell('exit 0'), readOnly: [['/no-such-folder/file', '/k/x']] }
    const { exited } = await startJail(missing)
    const exit = await exited
    assert.match('detail' in exit ? exit.detail : '', /no-such-folder/)
  })
})

async function gone(pid: number): Promise<void> {
  // What outlived bubblewrap is taken off the table by the machine's own first process, in its own time.
  for (;;) {
    const state = await open(`/proc/${pid}/stat`).catch(() => undefined)
    if (!state) return
    const stat = await state.readFile('utf8').catch(() => '')
    await state.close()
    if (stat === '' || stat.slice(stat.lastIndexOf(')') + 2).startsWith('Z')) return
  }
}

describe('what an ending means', () => {
  const ending = { code: 0, signal: null, killed: false, lackedMemory: false, lines: [] }
  it('lack of memory comes before all that follows from it', () => {
    assert.deepEqual(exitOf({ ...ending, killed: true, code: 137, lackedMemory: true }), { kind: 'oom' })
  })
  it('an end of its own is not changed by a kill that came too late', () => {
    assert.deepEqual(exitOf({ ...ending, killed: true, code: 159 }), { kind: 'sandbox-violation' })
    assert.deepEqual(exitOf({ ...ending, killed: true }), { kind: 'clean' })
  })
  it('only we kill; otherwise it was the kernel, for memory', () => {
    assert.deepEqual(exitOf({ ...ending, code: null, signal: 'SIGKILL', killed: true }), { kind: 'killed' })
    assert.deepEqual(exitOf({ ...ending, code: null, signal: 'SIGKILL' }), { kind: 'oom' })
    assert.deepEqual(exitOf({ ...ending, code: 137 }), { kind: 'oom' })
  })
})

describe('the console’s tail', () => {
  it('shows noise as harmless text', () => {
    const tail = new ConsoleTail()
    tail.add(Buffer.from('\x1b[31mred\x1b]0;title\x07\r\n\x00\xff\x9b1A\u202e\ttab\n', 'latin1'))
    assert.match(tail.text(), /^[ -~\n]*$/)
    assert.match(tail.text(), /red/)
  })
  it('keeps the last lines, cut lines put together again', () => {
    const tail = new ConsoleTail()
    tail.add(Buffer.from('first\nsec'))
    tail.add(Buffer.from('ond\nthird'))
    assert.deepEqual(tail.lines(), ['first', 'second', 'third'])
  })
  it('is bounded', () => {
    const tail = new ConsoleTail()
    for (let index = 0; index < 100; index++) tail.add(Buffer.alloc(1_000_000, 'x\n'))
    assert.equal(tail.lines().length, 60)
    tail.add(Buffer.alloc(1_000_000, 'y'))
    assert.equal(tail.text().length, 300)
  })
})

describe('the jail’s command line', () => {
  const argv = (extra: Partial<JailOptions> = {}) =>
    jailCommand({ ...options, ...extra, command: ['/x', 'a b'] })
  it('puts every path into an argument of its own', () => {
    const hostile = '/tmp/$(touch x); "`'
    const line = argv({ readOnly: [[hostile, '/k/x']], writable: [[hostile, '/k/y']] })
    assert.equal(line.filter(word => word === hostile).length, 2)
    assert.equal(line.filter(word => word.includes('touch') && word !== hostile).length, 0)
    assert.deepEqual(line.slice(-2), ['/x', 'a b'])
  })
  it('has no place of the host but those it is told', () => {
    const line = argv({ readOnly: [], devices: ['/dev/kvm'] })
    const shown = line.flatMap((word, index) =>
      /^--(dev-|ro-)?bind$/.test(word) ? [`${line[index + 1]} ${line[index + 2]}`] : [],
    )
    const { program, loader, libc } = options.shell
    assert.deepEqual(shown, [
      `${program} /k/launch/sh`,
      `${loader} /k/launch/ld.so`,
      `${libc} /k/launch/lib/libc.so.6`,
      '/dev/kvm /dev/kvm',
      '/dev/null /dev/null',
    ])
    for (const option of ['--unshare-all', '--die-with-parent', '--clearenv', '--remount-ro'])
      assert.ok(line.includes(option), option)
    for (const option of ['--proc', '--dev', '--share-net']) assert.ok(!line.includes(option), option)
  })
})
