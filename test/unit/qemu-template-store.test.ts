import assert from 'node:assert/strict'
import {
  appendFile,
  chmod,
  mkdir,
  readdir,
  readFile,
  rename,
  stat,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import {
  adoptTemplate,
  collectTemplates,
  hasTemplate,
  openTemplate,
  removeTemplate,
} from '../../src/sandbox/qemu-template-store.ts'
import { sha256 } from '../../src/wire/canonical.ts'
import { withDirectory } from '../helpers/temporary.ts'

const key = 'ab'.repeat(32)
const other = 'cd'.repeat(32)
const image = '12'.repeat(32)
const hello = { version: 1 as const, kernel: '6.1', python: '3.13.5' }
const dayMs = 86_400_000

async function adopt(dir: string, name = key, content = `state of ${name}`) {
  const file = join(dir, 'finished')
  await writeFile(file, content)
  await adoptTemplate(dir, name, file, {
    schema: 'pyti.template/1',
    image,
    hello,
    state: { sha256: sha256(content), size: content.length },
  })
}

describe('templates on disk', () => {
  it('what was adopted is opened, read-only for everybody', () =>
    withDirectory(async dir => {
      await adopt(dir)
      const template = await openTemplate(dir, key)
      assert.deepEqual(template?.hello, hello)
      assert.equal((await template?.state.readFile())?.toString(), `state of ${key}`)
      await assert.rejects(template?.state.write('x') ?? Promise.resolve(), { code: 'EBADF' })
      await template?.state.close()
      assert.equal((await stat(join(dir, `${key}.state`))).mode & 0o777, 0o400)
      assert.deepEqual((await readdir(dir)).sort(), [`${key}.json`, `${key}.state`])
    }))

  it('checking the digest does not move what a clone reads', () =>
    withDirectory(async dir => {
      await adopt(dir)
      const template = await openTemplate(dir, key)
      const buffer = Buffer.alloc(5)
      // Position null: the descriptor's own, as QEMU reads it.
      await template?.state.read(buffer, 0, 5, null)
      assert.equal(buffer.toString(), 'state')
      await template?.state.close()
    }))

  it('there is none', () => withDirectory(async dir => assert.equal(await openTemplate(dir, key), undefined)))

  const damages: [string, (dir: string) => Promise<void>][] = [
    ['a byte more', dir => change(dir, path => appendFile(path, 'x'))],
    ['cut short', dir => change(dir, path => truncate(path, 3))],
    ['other bytes of the same length', dir => change(dir, path => writeFile(path, `STATE of ${key}`))],
    [
      'replaced by another file of the same bytes but one',
      async dir => {
        await writeFile(join(dir, 'x'), `state_of ${key}`)
        await rename(join(dir, 'x'), join(dir, `${key}.state`))
      },
    ],
  ]
  for (const [name, damage] of damages)
    for (const before of [false, true])
      it(`${name}: found and removed, ${before ? 'also after it was good' : 'at first sight'}`, () =>
        withDirectory(async dir => {
          await adopt(dir)
          if (before) assert.ok(await hasTemplate(dir, key))
          await damage(dir)
          assert.equal(await openTemplate(dir, key), undefined)
          assert.deepEqual(await readdir(dir), [])
        }))

  const records: [string, string][] = [
    ['empty', ''],
    ['no JSON', '{'],
    ['another schema', JSON.stringify({ schema: 'pyti.template/0' })],
    ['a list', '[]'],
  ]
  for (const [name, text] of records)
    it(`a record that is ${name} is none`, () =>
      withDirectory(async dir => {
        await adopt(dir)
        await writeFile(join(dir, `${key}.json`), text)
        assert.equal(await openTemplate(dir, key), undefined)
      }))

  it('a state without a record does not count: its builder was killed', () =>
    withDirectory(async dir => {
      await writeFile(join(dir, `${key}.state`), 'half')
      assert.equal(await openTemplate(dir, key), undefined)
      await adopt(dir)
      assert.ok(await hasTemplate(dir, key))
    }))

  it('a link in place of the state is not followed', () =>
    withDirectory(async dir => {
      await adopt(dir)
      const { symlink } = await import('node:fs/promises')
      await rename(join(dir, `${key}.state`), join(dir, 'elsewhere'))
      await symlink(join(dir, 'elsewhere'), join(dir, `${key}.state`))
      assert.equal(await openTemplate(dir, key), undefined)
    }))

  it('removing what is not there is no error', () => withDirectory(dir => removeTemplate(dir, key)))
})

describe('collecting templates', () => {
  const names = async (dir: string) => (await readdir(dir)).sort()
  const both = [`${key}.json`, `${key}.state`]

  it('keeps those of images that are kept', () =>
    withDirectory(async dir => {
      await adopt(dir)
      assert.equal(await collectTemplates(dir, [image], Date.now()), 0)
      assert.deepEqual(await names(dir), both)
    }))

  it('removes those of other images, and says how much', () =>
    withDirectory(async dir => {
      await adopt(dir)
      const bytes = (await stat(join(dir, `${key}.json`))).size + (await stat(join(dir, `${key}.state`))).size
      assert.equal(await collectTemplates(dir, ['34'.repeat(32)], Date.now()), bytes)
      assert.deepEqual(await names(dir), [])
    }))

  it('removes what was not used for 30 days; a use counts', () =>
    withDirectory(async dir => {
      await adopt(dir)
      await adopt(dir, other)
      const old = new Date(Date.now() - 29 * dayMs)
      await utimes(join(dir, `${key}.json`), old, old)
      await utimes(join(dir, `${other}.json`), old, old)
      assert.ok(await hasTemplate(dir, key))
      await collectTemplates(dir, [image], Date.now() + 2 * dayMs)
      assert.deepEqual(await names(dir), both)
    }))

  it('removes a state whose record never came, but not one that was written just now', () =>
    withDirectory(async dir => {
      await writeFile(join(dir, `${key}.state`), 'half')
      assert.equal(await collectTemplates(dir, [image], Date.now()), 0)
      assert.equal(await collectTemplates(dir, [image], Date.now() + dayMs), 4)
      assert.deepEqual(await names(dir), [])
    }))

  it('removes damaged records, leaves strangers alone', () =>
    withDirectory(async dir => {
      await adopt(dir)
      await writeFile(join(dir, `${key}.json`), 'x')
      await writeFile(join(dir, 'README'), 'mine')
      await mkdir(join(dir, `build-${process.pid}-mine`))
      await collectTemplates(dir, [image], Date.now())
      assert.deepEqual(await names(dir), ['README', `build-${process.pid}-mine`])
    }))

  it('no folder, nothing to do', () =>
    withDirectory(async dir => assert.equal(await collectTemplates(join(dir, 'none'), [], Date.now()), 0)))
})

async function change(dir: string, how: (path: string) => Promise<void>) {
  const path = join(dir, `${key}.state`)
  await chmod(path, 0o600)
  await how(path)
  assert.ok((await readFile(path)).length > 0)
}
