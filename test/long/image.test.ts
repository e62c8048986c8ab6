import assert from 'node:assert/strict'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { runCommand } from '../../src/exec.ts'

const repository = join(import.meta.dirname, '../..')
const main = join(repository, 'src/cli/main.ts')
const user = `pytibuild${process.pid}`

interface Built {
  image: string
  parts: Record<string, { sha256: string; size: number }>
}

/** Builds with a cache of its own, so that nothing is shared but Debian's archive. */
async function build(home: string, wrapper: string[]): Promise<Built> {
  const [file = 'env', ...args] = [
    ...wrapper,
    'env',
    `PYTI_HOME=${home}`,
    process.execPath,
    main,
    ...['image', 'build', '--allow-drift', '--json'],
  ]
  return JSON.parse(await runCommand([file, ...args]))
}

async function whyNot(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'needs root, to build as root and as another user'
  for (const tool of ['mmdebstrap', 'mksquashfs', 'newuidmap', 'useradd', 'runuser'])
    if (
      await runCommand(['sh', '-c', 'command -v "$1"', 'sh', tool]).then(
        () => false,
        () => true,
      )
    )
      return `needs ${tool}`
  return undefined
}

describe('the same recipe and lock give the same image', async () => {
  const why = await whyNot()
  const options = why === undefined ? {} : { skip: why }
  const homes: string[] = []
  const newHome = async () => {
    const home = await mkdtemp('/var/tmp/pyti-image-')
    await chmod(home, 0o755)
    homes.push(home)
    return home
  }
  let first: Built | undefined

  before(async () => {
    if (why !== undefined) return
    await runCommand(['useradd', '--system', '--add-subids-for-system', '--shell', '/bin/sh', user])
    first = await build(await newHome(), [])
  })
  after(async () => {
    if (why !== undefined) return
    await runCommand(['userdel', user])
    for (const home of homes) await rm(home, { recursive: true, force: true })
  })

  it('built twice by root', options, async () => {
    assert.deepEqual(await build(await newHome(), []), first)
  })

  it('built by root and by an unprivileged user', options, async context => {
    const as = ['runuser', '-u', user, '--']
    if (
      await runCommand(['runuser', '-u', user, '--', 'test', '-r', main]).then(
        () => false,
        () => true,
      )
    )
      return context.skip(`an unprivileged user cannot read ${repository}`)
    const home = await newHome()
    await runCommand(['chown', user, home])
    assert.deepEqual(await build(home, as), first)
  })
})
