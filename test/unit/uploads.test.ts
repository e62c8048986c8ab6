import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { Clock } from '../../src/clock.ts'
import { silentLogger } from '../../src/logger.ts'
import { type EmbeddedIndex, startEmbeddedIndex } from '../../src/pypi/embedded-index.ts'
import type { ChangelogRow } from '../../src/pypi/embedded-pages.ts'
import { rpcAnswer, rpcFault, rss } from '../../src/pypi/embedded-pages.ts'
import { createIndexClient, type IndexClient } from '../../src/pypi/index-client.ts'
import { createUploadFeed, subjectsFor, type UploadFeed } from '../../src/pypi/uploads.ts'
import { sha256 } from '../../src/wire/canonical.ts'

const clock: Clock = { now: () => Date.UTC(2026, 0, 1), sleep: async () => {} }
const never = new AbortController().signal

interface World {
  index: EmbeddedIndex
  client: IndexClient
  feed: UploadFeed
  /** A feed that has forgotten everything but its cursor, as after a restart. */
  restart(): UploadFeed
  publish(...filenames: string[]): void
}

async function withWorld(use: (world: World) => Promise<void>, answerBytes = 1_000_000): Promise<void> {
  const index = await startEmbeddedIndex({ clock })
  const client = createIndexClient({ url: index.url, clock, log: silentLogger })
  const restart = () => createUploadFeed({ index: client, log: silentLogger, timeoutMs: 5_000, answerBytes })
  const publish = (...filenames: string[]) =>
    index.publish(...filenames.map(filename => ({ filename, bytes: Buffer.from(filename) })))
  publish('old-1.0.tar.gz')
  try {
    await use({ index, client, feed: restart(), restart, publish })
  } finally {
    await index.close()
  }
}

const names = (batch: { uploads: { filename: string }[] }) => batch.uploads.map(upload => upload.filename)
const row = (name: string, action: string, serial: number): ChangelogRow => [name, '1.0', 1, action, serial]

suite('upload feed by changelog', () => {
  test('begins now, gives everything once, resumes from its cursor', () =>
    withWorld(async ({ feed, restart, publish }) => {
      const start = await feed.poll(undefined, never)
      assert.deepEqual([start.uploads, start.coverage], [[], 'full'])
      publish('My_Project-1.0.tar.gz', 'my_project-1.0-py3-none-any.whl', 'b-2-cp313-cp313-linux_x86_64.whl')
      const first = await feed.poll(start.cursor, never)
      assert.deepEqual(names(first), [
        'My_Project-1.0.tar.gz',
        'my_project-1.0-py3-none-any.whl',
        'b-2-cp313-cp313-linux_x86_64.whl',
      ])
      assert.deepEqual(first.uploads[0], {
        project: 'my-project',
        filename: 'My_Project-1.0.tar.gz',
        version: '1.0',
        serial: 1006,
      })
      assert.deepEqual(names(await feed.poll(first.cursor, never)), [])
      publish('c-1.tar.gz')
      const second = await restart().poll(first.cursor, never)
      assert.deepEqual(names(second), ['c-1.tar.gz'])
      assert.deepEqual(names(await feed.poll(start.cursor, never)).length, 4)
    }))

  test('leaves out what is no wheel or sdist, what belongs to another project, what was removed again', () =>
    withWorld(async ({ index, feed }) => {
      const { cursor } = await feed.poll(undefined, never)
      const rows = [
        row('gone', 'add source file gone-1.0.tar.gz', 2005),
        row('good', 'add py2.py3 file good-1.0-py2.py3-none-any.whl', 2004),
        row('egg', 'add 3.9 file egg-1.0-py3.9.egg', 2006),
        row('mine', 'add source file yours-1.0.tar.gz', 2007),
        row('path', 'add source file ../path-1.0.tar.gz', 2008),
        row('gone', 'remove file gone-1.0.tar.gz', 2009),
        row('good', 'add Owner mallory', 2010),
        row('stale', 'add source file stale-1.0.tar.gz', 1),
        row('good', 'yank release', 2011),
      ]
      index.answer('/pypi', { body: rpcAnswer(rows) })
      const batch = await feed.poll(cursor, never)
      assert.deepEqual([names(batch), batch.cursor], [['good-1.0-py2.py3-none-any.whl'], 'changelog:2011'])
    }))

  test('begins again when the changelog has begun anew', () =>
    withWorld(async ({ feed, publish }) => {
      const again = await feed.poll('changelog:900000', never)
      assert.deepEqual([again.uploads, again.cursor], [[], 'changelog:1003'])
      publish('c-1.tar.gz')
      assert.deepEqual(names(await feed.poll(again.cursor, never)), ['c-1.tar.gz'])
    }))

  test('fails without moving on when the answer is bad', () =>
    withWorld(async ({ index, feed, publish }) => {
      const { cursor } = await feed.poll(undefined, never)
      publish('c-1.tar.gz')
      const entity = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>'
      const deep = 50
      const bad = [
        '<methodResponse><params>',
        'no xml at all',
        '',
        '<html></html>',
        `<?xml version="1.0"?>${entity}<methodResponse><params><param><value>&b;</value></param></params></methodResponse>`,
        rpcAnswer(5),
        rpcAnswer([row('a', 'create', 1)]).replace('<int>1</int>', '<int>1e99</int>'),
        rpcAnswer([row('a', 'create', 1)]).replace('<int>1</int>', '<base64>AA==</base64>'),
        rpcFault(-32_500, 'RuntimeError: try later'),
        `<methodResponse><params><param>${'<value><array><data>'.repeat(deep)}${'</data></array></value>'.repeat(deep)}</param></params></methodResponse>`,
        Buffer.from([0xff, 0xfe, 0x3c]),
      ]
      for (const body of bad) {
        index.answer('/pypi', { body })
        await assert.rejects(feed.poll(cursor, never), { code: 'bad-feed' }, String(body).slice(0, 80))
      }
      for (const status of [429, 500, 503]) {
        index.answer('/pypi', { status, body: 'busy' })
        await assert.rejects(feed.poll(cursor, never), { code: 'index-unreachable' })
      }
      index.answer('/pypi', undefined)
      index.setOffline(true)
      await assert.rejects(feed.poll(cursor, never), { code: 'index-unreachable' })
      index.setOffline(false)
      assert.deepEqual(names(await feed.poll(cursor, never)), ['c-1.tar.gz'])
    }))

  test('reads no more than it was allowed to', () =>
    withWorld(async ({ index, feed }) => {
      index.answer('/pypi', { body: rpcAnswer([row('a', 'x'.repeat(20_000), 1)]) })
      await assert.rejects(feed.poll('changelog:1', never), { code: 'bad-feed' })
    }, 10_000))

  test('refuses a cursor it did not make, and stops when told', () =>
    withWorld(async ({ index, feed }) => {
      for (const cursor of ['', '17', 'changelog:', 'changelog:-1', 'changelog:1e3', 'rss:nothex', 'rss:00,'])
        await assert.rejects(feed.poll(cursor, never), { code: 'bad-cursor' }, cursor)
      const reason = new Error('stopped')
      await assert.rejects(feed.poll(undefined, AbortSignal.abort(reason)), reason)
      assert.deepEqual(
        index.requests.filter(request => request.startsWith('POST')),
        [],
      )
    }))
})

suite('upload feed by RSS', () => {
  const withRss = (use: (world: World) => Promise<void>) =>
    withWorld(async world => {
      world.index.features.changelog = false
      await use(world)
    })

  test('is used where there is no changelog, and says that coverage is partial', () =>
    withRss(async ({ feed, restart, publish }) => {
      const start = await feed.poll(undefined, never)
      assert.deepEqual([start.uploads, start.coverage], [[], 'partial'])
      assert.deepEqual(await feed.poll('changelog:17', never), start)
      publish('new-1.0.tar.gz', 'new-1.0-py3-none-any.whl', 'old-1.1.tar.gz')
      const first = await feed.poll(start.cursor, never)
      assert.deepEqual(names(first).sort(), ['new-1.0-py3-none-any.whl', 'new-1.0.tar.gz', 'old-1.1.tar.gz'])
      assert.equal(first.coverage, 'partial')
      assert.deepEqual(names(await feed.poll(first.cursor, never)), [])
      publish('old-1.2.tar.gz')
      assert.deepEqual(names(await restart().poll(first.cursor, never)), ['old-1.2.tar.gz'])
    }))

  test('waits for a page that lags behind the feed', () =>
    withRss(async ({ index, feed, publish }) => {
      const start = await feed.poll(undefined, never)
      index.freeze('old', true)
      publish('old-2.0.tar.gz')
      const early = await feed.poll(start.cursor, never)
      assert.deepEqual(names(early), [])
      index.answer('/simple/old/', { status: 404, body: '' })
      const still = await feed.poll(early.cursor, never)
      assert.deepEqual(names(still), [])
      index.answer('/simple/old/', undefined)
      index.freeze('old', false)
      assert.deepEqual(names(await feed.poll(still.cursor, never)), ['old-2.0.tar.gz'])
    }))

  test('finds a new project that has left the feed of releases', () =>
    withRss(async ({ index, feed, publish }) => {
      const start = await feed.poll(undefined, never)
      publish('fresh-1.0.tar.gz', 'fresh-1.1.tar.gz')
      index.answer('/rss/updates.xml', { body: rss([]) })
      const first = await feed.poll(start.cursor, never)
      assert.deepEqual(names(first), ['fresh-1.0.tar.gz', 'fresh-1.1.tar.gz'])
      index.answer('/rss/updates.xml', undefined)
      assert.deepEqual(names(await feed.poll(first.cursor, never)), [])
    }))

  test('keeps its cursor small, and forgets nothing that is still in the feed', () =>
    withRss(async ({ index, feed }) => {
      let { cursor } = await feed.poll(undefined, never)
      const page = (round: number) =>
        rss(Array.from({ length: 100 }, (_, n) => ({ title: `p${n} ${round}.0`, link: '' })))
      index.answer('/rss/packages.xml', { status: 404, body: '' })
      for (let round = 0; round < 3; round++) {
        index.publish(
          ...Array.from({ length: 100 }, (_, n) => ({
            filename: `p${n}-${round}.0.tar.gz`,
            bytes: Buffer.alloc(1),
          })),
        )
        index.answer('/rss/updates.xml', { body: page(round) })
        const batch = await feed.poll(cursor, never)
        assert.equal(batch.uploads.length, 100)
        assert.deepEqual(names(await feed.poll(batch.cursor, never)), [])
        cursor = batch.cursor
      }
      assert.ok(cursor.length < 40_000)
    }))

  test('bears RSS 0.91 with its DTD, odd titles and entries; refuses entities and what is no RSS', () =>
    withRss(async ({ index, feed, publish }) => {
      const { cursor } = await feed.poll(undefined, never)
      publish('new-1.0.tar.gz')
      index.answer('/rss/packages.xml', { status: 404, body: '' })
      const doctype = '<!DOCTYPE rss PUBLIC "-//Netscape//DTD RSS 0.91//EN" "http://dtd.test/rss-0.91.dtd">'
      const titles = ['new 1.0', 'no-version', '../../etc 1.0', '<b>x</b> 1', '&lol; 1', 'none 3.0']
      const items = titles.map(title => `<item><title>${title}</title></item>`).join('')
      index.answer('/rss/updates.xml', {
        body: `<?xml version="1.0"?>\n${doctype}<rss version="0.91"><channel><title>t</title>${items}<item/></channel></rss>`,
      })
      assert.deepEqual(names(await feed.poll(cursor, never)), ['new-1.0.tar.gz'])
      for (const body of [
        '<!DOCTYPE rss [<!ENTITY lol "lol">]><rss><channel><item><title>&lol; 1</title></item></channel></rss>',
        '<rss><channel></rss>',
        '<feed></feed>',
      ]) {
        index.answer('/rss/updates.xml', { body })
        await assert.rejects(feed.poll(cursor, never), { code: 'bad-feed' })
      }
    }))

  test('says so when an index tells of no uploads at all', () =>
    withRss(async ({ index, feed }) => {
      index.features.rss = false
      await assert.rejects(feed.poll(undefined, never), { code: 'no-upload-feed' })
      await assert.rejects(feed.poll('rss:', never), { code: 'no-upload-feed' })
      index.answer('/rss/updates.xml', { type: 'text/html', body: '<html>Welcome</html>' })
      await assert.rejects(feed.poll(undefined, never), { code: 'no-upload-feed' })
    }))
})

suite('subjects of uploads', () => {
  const upload = (filename: string, serial: number) => ({ project: 'old', filename, serial })

  test('come from the project page, one request per project', () =>
    withWorld(async ({ index, client, publish }) => {
      publish('old-1.1.tar.gz', 'old-1.1-py3-none-any.whl')
      const found = await subjectsFor(
        [upload('old-1.1.tar.gz', 1005), upload('old-1.1-py3-none-any.whl', 1006)],
        client,
      )
      assert.deepEqual(found.subjects, [
        {
          project: 'old',
          version: '1.1',
          filename: 'old-1.1.tar.gz',
          kind: 'sdist',
          sha256: sha256('old-1.1.tar.gz'),
          size: 14,
        },
        {
          project: 'old',
          version: '1.1',
          filename: 'old-1.1-py3-none-any.whl',
          kind: 'wheel',
          sha256: sha256('old-1.1-py3-none-any.whl'),
          size: 24,
        },
      ])
      assert.deepEqual([found.pending, found.refused], [[], []])
      assert.equal(index.requests.length, 1)
    }))

  test('wait for a page that is older than the upload, and give up on a file that is gone', () =>
    withWorld(async ({ index, client, publish }) => {
      index.freeze('old', true)
      publish('old-1.1.tar.gz')
      const late = [upload('old-1.1.tar.gz', 1005)]
      assert.deepEqual((await subjectsFor(late, client)).pending, late)
      assert.deepEqual(
        (await subjectsFor([{ project: 'unborn', filename: 'unborn-1.tar.gz' }], client)).pending.length,
        1,
      )
      index.freeze('old', false)
      assert.equal((await subjectsFor(late, client)).subjects.length, 1)
      const gone = await subjectsFor([upload('old-0.9.tar.gz', 1004)], client)
      assert.deepEqual(
        gone.refused.map(each => each.reason),
        ['gone'],
      )
      index.setOffline(true)
      await assert.rejects(subjectsFor(late, client), { code: 'index-unreachable' })
    }))

  test('ask for the size where the page gives none', () =>
    withWorld(async ({ index, client }) => {
      index.features.json = false
      const { subjects } = await subjectsFor([upload('old-1.0.tar.gz', 1003)], client)
      assert.equal(subjects[0]?.size, 14)
      assert.ok(index.requests.some(request => request.startsWith('HEAD ')))
    }))
})
