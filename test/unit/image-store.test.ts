import assert from 'node:assert/strict'
import { mkdir, rename, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { digestFile } from '../../src/digest-file.ts'
import { isCode } from '../../src/errors.ts'
import { ImageStore } from '../../src/sandbox/image/store.ts'
import { FileVerifier } from '../../src/sandbox/image/verify.ts'
import { sha256 } from '../../src/wire/canonical.ts'
import { imageParts } from '../../src/wire/image.ts'
import { makeImage } from '../helpers/small-image.ts'
import { withDirectory } from '../helpers/temporary.ts'

describe('verification of files', () => {
  const content = 'twelve bytes'
  const counted = () => {
    let reads = 0
    const verifier = new FileVerifier(async path => {
      reads++
      return digestFile(path)
    })
    return { verifier, reads: () => reads }
  }
  const withFile = (use: (path: string, dir: string) => Promise<void>) =>
    withDirectory(async dir => {
      const path = join(dir, 'file')
      await writeFile(path, content)
      await use(path, dir)
    })

  it('reads a file once, also when asked twice at the same time', () =>
    withFile(async path => {
      const { verifier, reads } = counted()
      const ask = () => verifier.isWhole(path, sha256(content))
      assert.deepEqual(await Promise.all([ask(), ask()]), [true, true])
      assert.equal(await ask(), true)
      assert.equal(reads(), 1)
    }))

  it('reads it again when anything about it changed, even with size and time put back', () =>
    withFile(async (path, dir) => {
      const { verifier, reads } = counted()
      const ask = () => verifier.isWhole(path, sha256(content))
      const { atime, mtime } = await stat(path)
      assert.equal(await ask(), true)
      await writeFile(path, 'TWELVE BYTES')
      await utimes(path, atime, mtime)
      assert.equal(await ask(), false)
      await writeFile(path, content)
      assert.equal(await ask(), true)
      await writeFile(join(dir, 'other'), content)
      await rename(join(dir, 'other'), path)
      assert.equal(await ask(), true)
      assert.equal(reads(), 4)
    }))

  it('refuses links, folders, missing files and other digests', () =>
    withFile(async (path, dir) => {
      const { verifier } = counted()
      await symlink(path, join(dir, 'link'))
      for (const name of ['link', '.', 'missing'])
        assert.equal(await verifier.isWhole(join(dir, name), sha256(content)), false, name)
      assert.equal(await verifier.isWhole(path, sha256('other')), false)
      assert.equal(await verifier.isWhole(path, sha256(content)), true)
    }))

  it('refuses a file that changes while it is read', () =>
    withFile(async path => {
      const verifier = new FileVerifier(async read => {
        const digest = await digestFile(read)
        await writeFile(read, 'something longer')
        return digest
      })
      assert.equal(await verifier.isWhole(path, sha256(content)), false)
    }))
})

describe('the image store', () => {
  const corrupt = (error: unknown) => isCode(error, 'image-corrupt')

  it('opens an image whose parts are whole', () =>
    withDirectory(async dir => {
      const store = new ImageStore(dir)
      const { id, manifest } = await makeImage(store, dir)
      const image = await store.open(id)
      assert.deepEqual(image.manifest, manifest)
      for (const part of imageParts)
        assert.equal(await digestFile(image.path(part)), manifest.parts[part].sha256)
    }))

  it('refuses each part that is damaged, missing or a link, also after it was fine', () =>
    withDirectory(async dir => {
      for (const part of imageParts) {
        const store = new ImageStore(dir)
        const { id } = await makeImage(store, dir)
        const path = (await store.open(id)).path(part)
        await rm(path)
        await writeFile(path, 'damaged')
        await assert.rejects(store.open(id), corrupt)
        await rm(path)
        await assert.rejects(store.open(id), corrupt)
        await writeFile(join(dir, 'elsewhere'), part)
        await symlink(join(dir, 'elsewhere'), path)
        await assert.rejects(
          store.open(id),
          error =>
            isCode(error, 'image-corrupt') && error.message.startsWith(part) && error.hint !== undefined,
        )
        await rm(path)
      }
    }))

  it('refuses a manifest that is not the one its name promises, or no manifest', () =>
    withDirectory(async dir => {
      const store = new ImageStore(dir)
      const { id, manifest } = await makeImage(store, dir)
      await assert.rejects(store.open(sha256('other')), error => isCode(error, 'image-missing'))
      for (const text of ['', '{}', JSON.stringify({ ...manifest, python: '3.12' })]) {
        await writeFile(join(dir, `${id}.json`), text)
        await assert.rejects(store.open(id), corrupt)
        assert.deepEqual(await store.list(), [])
      }
    }))

  it('keeps the file it has when the same bytes come again', () =>
    withDirectory(async dir => {
      const store = new ImageStore(dir)
      await makeImage(store, dir)
      const path = store.partPath(sha256('base'))
      const before = await stat(path)
      await writeFile(join(dir, 'again'), 'base')
      assert.deepEqual(await store.adopt(join(dir, 'again')), { sha256: sha256('base'), size: 4 })
      assert.equal((await stat(path)).ino, before.ino)
      await assert.rejects(stat(join(dir, 'again')), { code: 'ENOENT' })
    }))

  it('puts the right bytes where something else was', () =>
    withDirectory(async dir => {
      const store = new ImageStore(dir)
      await mkdir(join(dir, 'files'))
      await symlink('/etc/hostname', store.partPath(sha256('base')))
      const { id } = await makeImage(store, dir)
      assert.equal((await store.open(id)).id, id)
    }))

  it('notes the time of use at most once an hour', () =>
    withDirectory(async dir => {
      let now = Date.now()
      const store = new ImageStore(dir, () => now)
      const { id } = await makeImage(store, dir)
      const path = join(dir, `${id}.json`)
      const saved = (await stat(path)).mtimeMs
      now = saved + 3_500_000
      await store.open(id)
      assert.equal((await stat(path)).mtimeMs, saved)
      now = saved + 7_200_000
      await store.open(id)
      assert.ok(Math.abs((await stat(path)).mtimeMs - now) < 1)
    }))
})
