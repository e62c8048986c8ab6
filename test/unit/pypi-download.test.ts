import assert from 'node:assert/strict'
import { access, readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { systemClock } from '../../src/clock.ts'
import { PytiError } from '../../src/errors.ts'
import { silentLogger } from '../../src/logger.ts'
import { createDownloadCache } from '../../src/pypi/download.ts'
import { saveBody } from '../../src/pypi/download-body.ts'
import { type EmbeddedIndex, startEmbeddedIndex } from '../../src/pypi/embedded-index.ts'
import type { Fetch } from '../../src/pypi/http.ts'
import { createIndexClient } from '../../src/pypi/index-client.ts'
import { ensureUv } from '../../src/pypi/uv.ts'
import { deflatedEntry, writeZip } from '../../src/pypi/zip-writer.ts'
import { sha256 } from '../../src/wire/canonical.ts'
import { withDirectory } from '../helpers/temporary.ts'

const hasty = { now: systemClock.now, sleep: async () => {} }
const bytes = Buffer.from('the bytes of a wheel '.repeat(10_000))
const filename = 'demo-1.0-py3-none-any.whl'

interface House {
  index: EmbeddedIndex
  dir: string
  cacheOf(extra?: { fetch?: Fetch; maxBytes?: number }): ReturnType<typeof createDownloadCache>
  request: { url: string; sha256: string; size: number; filename: string }
}

async function withHouse(use: (house: House) => Promise<void>) {
  await withDirectory(async dir => {
    const index = await startEmbeddedIndex({ distributions: [{ filename, bytes }], clock: systemClock })
    const options = { clock: hasty, log: silentLogger }
    const cacheOf: House['cacheOf'] = extra =>
      createDownloadCache({ ...options, dir: join(dir, 'cache'), indexUrl: index.url, ...extra })
    try {
      const page = await createIndexClient({ ...options, url: index.url }).project('demo')
      const [file] = page.files
      assert.ok(file)
      await use({ index, dir, cacheOf, request: { ...file, sha256: sha256(bytes), size: bytes.length } })
    } finally {
      await index.close()
    }
  })
}

const downloads = (index: EmbeddedIndex) => index.requests.filter(line => line.includes('/files/')).length

test('a file is downloaded once, with progress', () =>
  withHouse(async ({ index, cacheOf, request }) => {
    const progress: number[] = []
    const cache = cacheOf()
    const path = await cache.fetch(request, { onProgress: total => progress.push(total) })
    assert.deepEqual(await readFile(path), bytes)
    assert.equal(progress.at(-1), bytes.length)
    assert.equal(await cache.fetch(request), path)
    assert.equal(await cacheOf().fetch(request), path)
    assert.equal(downloads(index), 1)
  }))

test('a cached file that changed is not used', () =>
  withHouse(async ({ index, cacheOf, request }) => {
    const cache = cacheOf()
    const path = await cache.fetch(request)
    await writeFile(path, 'something else')
    assert.deepEqual(await readFile(await cache.fetch(request)), bytes)
    assert.equal(downloads(index), 2)
  }))

async function leavesNothing(dir: string): Promise<void> {
  assert.deepEqual(await readdir(join(dir, 'cache')), [])
}

test('wrong bytes are refused and leave nothing', () =>
  withHouse(async ({ index, dir, cacheOf, request }) => {
    index.corrupt(filename)
    await assert.rejects(cacheOf().fetch(request), { code: 'hash-mismatch' })
    assert.equal(downloads(index), 1)
    await leavesNothing(dir)
  }))

test('a file that is gone', () =>
  withHouse(async ({ index, dir, cacheOf, request }) => {
    index.remove(filename)
    await assert.rejects(cacheOf().fetch(request), { code: 'file-missing', hint: /try again later/ })
    await leavesNothing(dir)
  }))

test('more bytes than announced or allowed', () =>
  withHouse(async ({ dir, cacheOf, request }) => {
    await assert.rejects(cacheOf().fetch({ ...request, size: 100 }), { code: 'too-large' })
    await assert.rejects(cacheOf({ maxBytes: 1_000 }).fetch(request), { code: 'too-large' })
    const { size: _, ...unknown } = request
    await assert.rejects(cacheOf({ maxBytes: 1_000 }).fetch(unknown), { code: 'too-large' })
    await leavesNothing(dir)
  }))

test('an index that is down, and one that comes back', () =>
  withHouse(async ({ index, dir, cacheOf, request }) => {
    index.setOffline(true)
    const cache = cacheOf()
    await assert.rejects(cache.fetch(request), { code: 'index-unreachable' })
    await leavesNothing(dir)
    index.setOffline(false)
    assert.deepEqual(await readFile(await cache.fetch(request)), bytes)
  }))

test('a connection that breaks in the middle is tried again', () =>
  withHouse(async ({ cacheOf, request }) => {
    let calls = 0
    const fetch: Fetch = async () => {
      calls++
      const headers = { 'content-length': String(bytes.length) }
      return new Response(calls === 1 ? bytes.subarray(0, 100) : bytes, { headers })
    }
    assert.deepEqual(await readFile(await cacheOf({ fetch }).fetch(request)), bytes)
    assert.equal(calls, 2)
  }))

test('the signal ends a download, which leaves nothing', () =>
  withHouse(async ({ dir, cacheOf, request }) => {
    const stop = new AbortController()
    const endless: Fetch = async () =>
      new Response(new ReadableStream({ pull: stream => stream.enqueue(Buffer.alloc(100)) }))
    const { size: _, ...unknown } = request
    await assert.rejects(
      cacheOf({ fetch: endless }).fetch(unknown, {
        signal: stop.signal,
        onProgress: () => stop.abort(new Error('enough')),
      }),
      /enough/,
    )
    await leavesNothing(dir)
  }))

test('only http(s) is followed, and https never down to http', () =>
  withHouse(async ({ dir, cacheOf, request }) => {
    for (const url of ['file:///etc/passwd', 'ftp://files.test/x', 'nonsense'])
      await assert.rejects(cacheOf().fetch({ ...request, url }), { code: 'index-unreachable' })
    const secure = createDownloadCache({
      dir: join(dir, 'other'),
      indexUrl: 'https://index.test/simple',
      clock: hasty,
      log: silentLogger,
    })
    await assert.rejects(secure.fetch(request), { code: 'index-unreachable', message: /only https/ })
  }))

test('several at once: all get the file', () =>
  withHouse(async ({ dir, cacheOf, request }) => {
    const paths = await Promise.all(Array.from({ length: 5 }, () => cacheOf().fetch(request)))
    assert.equal(new Set(paths).size, 1)
    assert.deepEqual(await readdir(join(dir, 'cache')), [request.sha256])
  }))

test('a full disk is told apart', async () => {
  const request = { url: 'https://files.test/x', sha256: sha256(bytes), filename }
  await assert.rejects(
    saveBody(new Response(bytes), '/dev/full', request, 1_000_000, () => {}),
    {
      code: 'host-out-of-disk',
      hint: /free some space/,
    },
  )
})

test('a file that was not used for an hour is noted as used', () =>
  withHouse(async ({ index, cacheOf, request }) => {
    const path = await cacheOf().fetch(request)
    const ago = (days: number) => Date.now() / 1000 - days * 86_400
    await utimes(path, ago(13), ago(13))
    await cacheOf().fetch(request)
    assert.ok((await stat(path)).mtimeMs / 1000 > ago(1))
    assert.equal(downloads(index), 1)
  }))

async function* inPieces(sent: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < sent.length; at += 1_000) yield sent.subarray(at, at + 1_000)
}

test('a file of a peer is asked for once, and kept like any other', () =>
  withHouse(async ({ index, cacheOf, request }) => {
    let asked = 0
    const source = () => {
      asked += 1
      return inPieces(bytes)
    }
    const path = await cacheOf().receive(request, source)
    assert.deepEqual(await readFile(path), bytes)
    assert.equal(await cacheOf().receive(request, source), path)
    assert.equal(await cacheOf().fetch(request), path)
    assert.deepEqual([asked, downloads(index)], [1, 0])
  }))

test('a peer that sends other bytes, too many, or none leaves nothing', () =>
  withHouse(async ({ dir, cacheOf, request }) => {
    const failing = async function* () {
      yield bytes.subarray(0, 10)
      throw new PytiError('blob-missing', 'gone')
    }
    const cache = cacheOf()
    const other = Buffer.from(bytes).fill(0, 5, 9)
    await assert.rejects(
      cache.receive(request, () => inPieces(other)),
      { code: 'hash-mismatch' },
    )
    await assert.rejects(
      cache.receive(request, () => inPieces(Buffer.concat([bytes, bytes]))),
      { code: 'too-large' },
    )
    await assert.rejects(cache.receive(request, failing), { code: 'blob-missing' })
    await leavesNothing(dir)
  }))

const uvBinary = Buffer.from('#!/bin/sh\necho uv\n')
const uvWheel = writeZip([deflatedEntry('uv-1.0.data/scripts/uv', uvBinary)])
const pin = {
  version: '1.0',
  filename: 'uv-1.0-py3-none-any.whl',
  sha256: sha256(uvWheel),
  member: 'uv-1.0.data/scripts/uv',
  binarySha256: sha256(uvBinary),
}

async function uvFrom({ index, dir, cacheOf }: House, changes: Partial<typeof pin> = {}): Promise<string> {
  const client = createIndexClient({ url: index.url, clock: hasty, log: silentLogger })
  return ensureUv({
    toolsDir: join(dir, 'tools'),
    index: client,
    cache: cacheOf(),
    clock: systemClock,
    log: silentLogger,
    pin: { ...pin, ...changes },
  })
}

test('uv that is found is noted as used: what tidies up next must not take it for old', () =>
  withHouse(async house => {
    house.index.publish({ filename: pin.filename, bytes: uvWheel })
    const folder = dirname(await uvFrom(house))
    await utimes(folder, 0, 0)
    await uvFrom(house)
    assert.ok(Date.now() - (await stat(folder)).mtimeMs < 3_600_000)
  }))

test('uv comes out of its wheel once, and again when the binary was changed', () =>
  withHouse(async house => {
    house.index.publish({ filename: pin.filename, bytes: uvWheel })
    const path = await uvFrom(house)
    assert.deepEqual(await readFile(path), uvBinary)
    assert.equal((await stat(path)).mode & 0o777, 0o755)
    const before = house.index.requests.length
    assert.equal(await uvFrom(house), path)
    assert.equal(house.index.requests.length, before)
    await writeFile(path, 'changed')
    assert.deepEqual(await readFile(await uvFrom(house)), uvBinary)
    assert.deepEqual(await readdir(join(house.dir, 'tools', 'uv-1.0')), ['uv'])
  }))

test('no other uv than the pinned one is taken', () =>
  withHouse(async house => {
    await assert.rejects(uvFrom(house), { code: 'project-not-found' })
    house.index.publish({ filename: 'uv-2.0-py3-none-any.whl', bytes: uvWheel })
    await assert.rejects(uvFrom(house), { code: 'uv-unavailable' })
    house.index.publish({ filename: pin.filename, bytes: uvWheel })
    await assert.rejects(uvFrom(house, { sha256: '0'.repeat(64) }), { code: 'hash-mismatch' })
    await assert.rejects(uvFrom(house, { binarySha256: '0'.repeat(64) }), { code: 'hash-mismatch' })
  }))

test('a changed wheel of uv is refused', () =>
  withHouse(async house => {
    house.index.publish({ filename: pin.filename, bytes: uvWheel })
    house.index.corrupt(pin.filename)
    await assert.rejects(uvFrom(house), { code: 'hash-mismatch' })
    await assert.rejects(access(join(house.dir, 'tools', 'uv-1.0', 'uv')), { code: 'ENOENT' })
  }))
