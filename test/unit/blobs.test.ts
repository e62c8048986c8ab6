import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { isCode } from '../../src/errors.ts'
import { putBytes, readBlob } from '../../src/store/blob-bytes.ts'
import { openBlobStore } from '../../src/store/blobs.ts'
import { createMemoryBlobs } from '../../src/store/memory-blobs.ts'
import type { BlobStore } from '../../src/store/store.ts'
import { sha256 } from '../../src/wire/canonical.ts'
import { withDirectory } from '../helpers/temporary.ts'

const bytes = new TextEncoder().encode('the bytes of a blob')
const digest = sha256(bytes)
const other = sha256('other')

async function* chunks(): AsyncGenerator<Uint8Array> {
  for (const byte of bytes) yield Uint8Array.of(byte)
}

function runBlobContract(
  name: string,
  withBlobs: (use: (blobs: BlobStore) => Promise<void>) => Promise<void>,
) {
  describe(`blob contract: ${name}`, () => {
    const test = (what: string, use: (blobs: BlobStore) => Promise<void>) => it(what, () => withBlobs(use))

    test('stores a stream and reads ranges of it', async blobs => {
      assert.equal(await blobs.size(digest), undefined)
      await blobs.put(digest, chunks())
      assert.equal(await blobs.size(digest), bytes.length)
      assert.deepEqual(await blobs.read(digest, 0, bytes.length), bytes)
      assert.deepEqual(await blobs.read(digest, 4, 5), bytes.slice(4, 9))
      assert.deepEqual(await blobs.read(digest, bytes.length - 2, 100), bytes.slice(-2))
      assert.equal((await blobs.read(digest, 1_000, 5)).length, 0)
    })

    test('stores an empty blob', async blobs => {
      await blobs.put(sha256(''), [])
      assert.equal(await blobs.size(sha256('')), 0)
      assert.equal((await blobs.read(sha256(''), 0, 10)).length, 0)
    })

    test('refuses bytes of another digest and keeps none of them', async blobs => {
      await assert.rejects(blobs.put(other, [bytes]), error => isCode(error, 'blob-corrupt'))
      assert.equal(await blobs.size(other), undefined)
      await assert.rejects(blobs.read(other, 0, 1), error => isCode(error, 'blob-missing'))
    })

    test('keeps nothing of a source that fails', async blobs => {
      const failing = async function* () {
        yield bytes
        throw new Error('connection lost')
      }
      await assert.rejects(blobs.put(digest, failing()), /connection lost/)
      assert.equal(await blobs.size(digest), undefined)
      await blobs.put(digest, [bytes])
      assert.equal(await blobs.size(digest), bytes.length)
    })

    test('takes the same blob from several sources at once, and again later', async blobs => {
      await Promise.all([
        blobs.put(digest, chunks()),
        blobs.put(digest, [bytes]),
        blobs.put(digest, chunks()),
      ])
      await blobs.put(digest, [])
      assert.deepEqual(await blobs.read(digest, 0, 100), bytes)
    })

    test('deletes', async blobs => {
      await blobs.put(digest, [bytes])
      await blobs.delete(digest)
      await blobs.delete(digest)
      assert.equal(await blobs.size(digest), undefined)
    })

    test('takes nothing but a digest for a name', async blobs => {
      for (const name of ['', '../../etc/passwd', digest.toUpperCase(), `${digest}/..`, `${digest}\n`]) {
        const refused = (error: unknown) => isCode(error, 'bad-digest')
        await assert.rejects(blobs.size(name), refused)
        await assert.rejects(blobs.read(name, 0, 1), refused)
        await assert.rejects(blobs.put(name, [bytes]), refused)
        await assert.rejects(blobs.delete(name), refused)
      }
    })

    test('reads whole blobs up to a limit', async blobs => {
      assert.equal(await putBytes(blobs, bytes), digest)
      assert.deepEqual(await readBlob(blobs, digest, bytes.length), bytes)
      await assert.rejects(readBlob(blobs, digest, bytes.length - 1), error => isCode(error, 'too-large'))
      await assert.rejects(readBlob(blobs, other, 10), error => isCode(error, 'blob-missing'))
    })
  })
}

runBlobContract('memory', use => use(createMemoryBlobs()))
runBlobContract('disk', use => withDirectory(async dir => use(await openBlobStore(join(dir, 'blobs')))))

describe('blobs on disk', () => {
  it('lie in a fan-out of directories and leave no temporary files', () =>
    withDirectory(async dir => {
      const blobs = await openBlobStore(dir)
      await blobs.put(digest, [bytes])
      await assert.rejects(blobs.put(other, [bytes]))
      assert.equal(blobs.path(digest), join(dir, digest.slice(0, 2), digest.slice(2, 4), digest))
      assert.deepEqual(new Uint8Array(await readFile(blobs.path(digest))), bytes)
      assert.deepEqual(await readdir(join(dir, 'tmp')), [])
    }))

  it('are there after a restart, without what was half written', () =>
    withDirectory(async dir => {
      await (await openBlobStore(dir)).put(digest, [bytes])
      await mkdir(join(dir, 'tmp'), { recursive: true })
      await writeFile(join(dir, 'tmp', 'half'), 'ha')
      const blobs = await openBlobStore(dir)
      assert.equal(await blobs.size(digest), bytes.length)
      assert.equal(existsSync(join(dir, 'tmp', 'half')), false)
    }))
})
