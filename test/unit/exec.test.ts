import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { run, runCommand } from '../../src/exec.ts'

const sh = (script: string, extra: Partial<Parameters<typeof run>[0]> = {}) =>
  run({
    file: '/bin/sh',
    args: ['-c', script],
    env: { PATH: '/usr/bin:/bin', KNOWN: 'yes' },
    timeoutMs: 20_000,
    outputBytes: 1_000,
    ...extra,
  })

test('a program: input, output, exit code, and no inherited environment', async () => {
  const ended = await sh('cat; echo "$KNOWN$HOME$USER" >&2; exit 3', { input: 'hello' })
  assert.deepEqual(ended, { exitCode: 3, stdout: 'hello', stderr: 'yes\n' })
})

test('a program is stopped at its limits, children too', async () => {
  await assert.rejects(sh('sleep 100 & sleep 100', { timeoutMs: 50 }), { code: 'program-timeout' })
  await assert.rejects(sh('while :; do echo 0123456789; done'), { code: 'program-output' })
  await assert.rejects(sh('exit 0', { file: '/nonexistent' }), { code: 'program-missing' })
  const stop = new AbortController()
  const running = sh('sleep 100', { signal: stop.signal })
  stop.abort(new Error('enough'))
  await assert.rejects(running, /enough/)
  await assert.rejects(sh('exit 0', { signal: stop.signal }), /enough/)
})

test('a program that is stopped may clean up behind itself', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'pyti-exec-'))
  try {
    const stop = new AbortController()
    const cleaning = `trap 'rm -f ${dir}/left; exit 1' TERM; touch ${dir}/left; echo ready >&2; while :; do sleep 0.05; done`
    await assert.rejects(
      sh(cleaning, { signal: stop.signal, onLine: () => stop.abort(new Error('enough')) }),
      /enough/,
    )
    assert.deepEqual(await readdir(dir), [])
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
})

test('a tool that fails is an error with its last words', async () => {
  assert.equal(await runCommand(['/bin/sh', '-c', 'echo fine']), 'fine\n')
  await assert.rejects(runCommand(['/bin/sh', '-c', 'echo no such luck >&2; exit 4']), {
    code: 'command-failed',
    message: /exit code 4: no such luck/,
  })
})
