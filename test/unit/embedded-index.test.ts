import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import type { Clock } from '../../src/clock.ts'
import {
  type EmbeddedIndex,
  type EmbeddedIndexOptions,
  startEmbeddedIndex,
} from '../../src/pypi/embedded-index.ts'
import { sha256 } from '../../src/wire/canonical.ts'
import { withDirectory } from '../helpers/temporary.ts'

const clock: Clock = { now: () => Date.UTC(2026, 0, 2, 3, 4, 5), sleep: async () => {} }
const bytes = Buffer.from('not looked into')
const digest = sha256(bytes)
const wheel = { filename: 'a_b-1.0-py3-none-any.whl', bytes, requiresPython: '>=3.9' }
const json = { headers: { accept: 'application/vnd.pypi.simple.v1+json' } }

async function withIndex(
  use: (index: EmbeddedIndex) => Promise<void>,
  options: Partial<EmbeddedIndexOptions> = {},
): Promise<void> {
  const index = await startEmbeddedIndex({ clock, distributions: [wheel], ...options })
  try {
    await use(index)
  } finally {
    await index.close()
  }
}

suite('embedded index', () => {
  test('lists a project in JSON with size, digest and upload time', () =>
    withIndex(async index => {
      const response = await fetch(`${index.url}a-b/`, json)
      assert.equal(response.headers.get('content-type'), 'application/vnd.pypi.simple.v1+json')
      assert.equal(response.headers.get('x-pypi-last-serial'), '1003')
      assert.deepEqual(await response.json(), {
        meta: { 'api-version': '1.1', '_last-serial': 1003 },
        name: 'a-b',
        versions: ['1.0'],
        files: [
          {
            filename: wheel.filename,
            url: `/files/${digest.slice(0, 16)}/${wheel.filename}`,
            hashes: { sha256: digest },
            size: bytes.length,
            yanked: false,
            'requires-python': '>=3.9',
            'upload-time': '2026-01-02T03:04:05Z',
          },
        ],
      })
      assert.deepEqual(index.requests, ['GET /simple/a-b/'])
    }))

  test('lists a project in HTML for those who want no JSON, or where there is none', () =>
    withIndex(async index => {
      const link = `href="/files/${digest.slice(0, 16)}/${wheel.filename}#sha256=${digest}" data-requires-python="&gt;=3.9"`
      assert.ok((await (await fetch(`${index.url}a-b/`)).text()).includes(link))
      index.features.json = false
      assert.ok((await (await fetch(`${index.url}a-b/`, json)).text()).includes(link))
      assert.match(await (await fetch(index.url)).text(), /href="\/simple\/a-b\/"/)
    }))

  test('leaves out upload times and serials when told so', () =>
    withIndex(
      async index => {
        index.features.serials = false
        const page = JSON.stringify(await (await fetch(`${index.url}a-b/`, json)).json())
        assert.doesNotMatch(page, /upload-time|serial/)
      },
      { withUploadTimes: false },
    ))

  test('serves files, tells unchanged pages by ETag, redirects odd names, knows what it has not', () =>
    withIndex(async index => {
      const file = await fetch(new URL(`/files/${digest.slice(0, 16)}/${wheel.filename}`, index.url))
      assert.deepEqual(Buffer.from(await file.arrayBuffer()), bytes)
      const etag = (await fetch(`${index.url}a-b/`, json)).headers.get('etag') ?? ''
      assert.equal(
        (await fetch(`${index.url}a-b/`, { headers: { ...json.headers, 'if-none-match': etag } })).status,
        304,
      )
      const odd = await fetch(`${index.url}A_b`, json)
      assert.deepEqual([odd.redirected, odd.status, odd.url], [true, 200, `${index.url}a-b/`])
      for (const path of ['/simple/none/', '/files/0/x.whl', `/files//${wheel.filename}`, '/', '/%ff'])
        assert.equal((await fetch(new URL(path, index.url))).status, 404, path)
      assert.equal((await fetch(index.url, { method: 'PUT' })).status, 405)
    }))

  test('serves other bytes than it promises, a page that lags, a canned answer, nothing', () =>
    withIndex(async index => {
      index.corrupt(wheel.filename)
      const file = await fetch(new URL(`/files/${digest.slice(0, 16)}/${wheel.filename}`, index.url))
      const got = Buffer.from(await file.arrayBuffer())
      assert.equal(got.length, bytes.length)
      assert.notDeepEqual(got, bytes)

      index.freeze('a-b', true)
      index.publish({ filename: 'a_b-1.1.tar.gz', bytes })
      assert.doesNotMatch(await (await fetch(`${index.url}a-b/`)).text(), /1\.1/)
      index.freeze('a-b', false)
      assert.match(await (await fetch(`${index.url}a-b/`)).text(), /1\.1/)
      index.remove('a_b-1.1.tar.gz')
      assert.doesNotMatch(await (await fetch(`${index.url}a-b/`)).text(), /1\.1/)

      index.answer('/simple/a-b/', { status: 503, body: 'busy' })
      assert.equal((await fetch(`${index.url}a-b/`)).status, 503)
      index.answer('/simple/a-b/', undefined)

      index.setOffline(true)
      await assert.rejects(fetch(index.url))
      index.setOffline(false)
      assert.equal((await fetch(index.url)).status, 200)
    }))

  test('takes files from a folder and refuses what it cannot name or has already', () =>
    withDirectory(async dir => {
      await writeFile(join(dir, 'c-2.tar.gz'), bytes)
      await writeFile(join(dir, 'notes.txt'), bytes)
      await withIndex(
        async index => {
          assert.match(await (await fetch(`${index.url}c/`)).text(), /c-2\.tar\.gz/)
          assert.throws(() => index.publish(wheel), { code: 'duplicate-file' })
          assert.throws(() => index.publish({ filename: 'what.whl', bytes }), { code: 'bad-filename' })
        },
        { dir },
      )
    }))
})
