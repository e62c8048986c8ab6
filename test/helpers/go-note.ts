import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { messageOf } from '../../src/errors.ts'
import { runHost } from './host-program.ts'

const source = join(import.meta.dirname, '../fixtures/interop/main.go')

/**
 * Builds `test/fixtures/interop/main.go` without a network: with the x/mod of Debian's golang-golang-x-mod-dev, or the copy
 * that a Go toolchain carries for its own commands.
 */
export async function buildGoNote(): Promise<{
  path: string
  reason: string | false
  remove(): Promise<void>
}> {
  const folder = await mkdtemp(join(tmpdir(), 'pyti-test-'))
  const remove = () => rm(folder, { recursive: true, force: true })
  try {
    const { stdout } = await runHost('go', ['env', 'GOROOT'])
    const module = ['/usr/share/gocode/src', join(stdout.trim(), 'src/cmd/vendor')]
      .map(place => join(place, 'golang.org/x/mod'))
      .find(place => existsSync(join(place, 'sumdb/tlog')))
    if (module === undefined) throw new Error('no golang.org/x/mod on this machine')
    await mkdir(join(folder, 'src/golang.org/x'), { recursive: true })
    await symlink(module, join(folder, 'src/golang.org/x/mod'))
    const path = join(folder, 'go-note')
    const env = {
      GOPATH: folder,
      GO111MODULE: 'off',
      GOFLAGS: '',
      GOPROXY: 'off',
      GOTOOLCHAIN: 'local',
      CGO_ENABLED: '0',
    }
    const built = await runHost('go', ['build', '-o', path, source], { env, timeoutMs: 300_000 })
    if (built.exitCode !== 0) throw new Error(built.stderr)
    return { path, reason: false, remove }
  } catch (error) {
    await remove()
    return { path: '', reason: messageOf(error), remove }
  }
}
