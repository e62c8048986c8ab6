import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { PytiError } from '../../src/errors.ts'
import { runCommand } from '../../src/exec.ts'
import { diskTrouble, diskTroubleIn } from '../../src/host-disk.ts'
import { compile } from '../../src/pypi/compile.ts'
import { releaseReasonOf } from '../../src/volunteer/release-reason.ts'
import { withDirectory } from '../helpers/temporary.ts'

const system = (code: string, syscall = 'write', path?: string) =>
  Object.assign(new Error(`${code}: what the system says, ${syscall}`), {
    code,
    syscall,
    ...(path && { path }),
  })

describe('trouble with the disk of this machine', () => {
  it('is told apart from other errors, wherever among the causes it stands', () => {
    const wrapped = new PytiError('index-unreachable', 'no answer', {
      cause: new Error('x', { cause: system('ENOSPC') }),
    })
    for (const error of [system('ENOSPC'), system('EDQUOT'), wrapped]) {
      const trouble = diskTrouble(error)
      assert.deepEqual([trouble?.code, trouble?.cause], ['host-out-of-disk', error])
      assert.match(trouble?.hint ?? '', /free some space/)
      assert.equal(releaseReasonOf(error), 'host-out-of-disk')
    }
    assert.equal(diskTrouble(system('EROFS', 'mkdir', '/x'))?.code, 'host-disk-unusable')
    assert.equal(diskTrouble(system('EACCES', 'open', '/x'))?.code, 'host-disk-unusable')
  })

  it('is told once: what is told already stays as it is', () => {
    const trouble = diskTrouble(system('ENOSPC'))
    assert.equal(diskTrouble(trouble), trouble)
    assert.equal(
      diskTrouble(new PytiError('store-failed', 'a change could not be stored', { cause: trouble })),
      trouble,
    )
  })

  it('is not seen in a refusal of something else, nor in one that an error of ours is about', () => {
    const others = [
      system('EACCES', 'connect'),
      system('EACCES', 'spawn pyti', '/usr/bin/pyti'),
      system('EACCES', 'read', '/dev/kvm'),
      system('EIO'),
      new PytiError('root-not-kept', 'the version cannot be kept', {
        cause: system('EACCES', 'mkdir', '/x'),
      }),
      new Error('somebody says: No space left on device'),
      'ENOSPC',
      undefined,
    ]
    assert.deepEqual(
      others.map(diskTrouble),
      others.map(() => undefined),
    )
    const round = new Error('its own cause')
    round.cause = round
    assert.equal(diskTrouble(round), undefined)
    assert.equal(releaseReasonOf(others[0]), 'internal')
  })

  it('is read out of what programs print', () => {
    for (const text of [
      'cp: error writing x: No space left on device\n',
      'Write failed because No space left on device\nFATAL ERROR: Failed to write to output filesystem',
      'dpkg: error: failed to write (No space left on device)',
      "E: You don't have enough free space in /var/cache/apt/archives/.",
      'IO error: /db/000003.log: Disk quota exceeded',
      'error: Failed to write\n  cause: failed to write to file `/x`: No space left on device (os error 28)',
    ])
      assert.equal(diskTroubleIn(text)?.code, 'host-out-of-disk', text)
    assert.equal(diskTroubleIn('IO error: /db/LOCK: Read-only file system')?.code, 'host-disk-unusable')
    for (const text of ['', 'no such package: No space left on device >=1', 'all is well'])
      assert.equal(diskTroubleIn(text), undefined, text)
  })

  it('of a tool keeps what the tool said', async () => {
    const failing = runCommand([
      'sh',
      '-c',
      'echo "tar: x: Cannot write: No space left on device" >&2; exit 2',
    ])
    await assert.rejects(failing, { code: 'host-out-of-disk', message: /tar: x: Cannot write/ })
  })

  it('of uv is not taken for trouble of the index, nor for a requirement that has no solution', () =>
    withDirectory(async dir => {
      const path = join(dir, 'uv')
      const said =
        'error: Failed to fetch: `http://index.test/simple/six/`\n  cause: failed to write to file `/x`: No space left on device (os error 28)'
      await writeFile(path, `#!/bin/sh\ncat >&2 <<'END'\n${said}\nEND\nexit 2\n`, { mode: 0o755 })
      const uv = { path, cacheDir: dir, indexUrl: 'http://index.test/simple/', env: process.env }
      const request = { requirements: ['six'], python: '3.13', glibc: '2.41', exclude: [], workDir: dir }
      await assert.rejects(compile(uv, request), { code: 'host-out-of-disk' })
    }))
})
