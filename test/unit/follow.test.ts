import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { UploadFeed } from '../../src/coordinator/follow.ts'
import { openRecords } from '../../src/coordinator/records.ts'
import { createMemoryStore } from '../../src/store/memory.ts'
import type { Subject } from '../../src/wire/job.ts'
import { fileRequest, type House, openHouse, withHouse } from '../helpers/coordinator-house.ts'
import { createCrashingStore } from '../helpers/crashing-store.ts'
import { settled } from '../helpers/manual-clock.ts'
import { collect } from '../helpers/store-contract.ts'

const subject = (name: string): Subject => fileRequest(name).subject

interface FakeFeed extends UploadFeed {
  /** Cursors it was asked with. */
  asked: (string | undefined)[]
  uploads: unknown[]
  /** Thrown instead of the next answers. */
  failures: unknown[]
}

/** An index whose cursor is the number of uploads seen; `page` of them at a time. */
function fakeFeed(uploads: unknown[], page = 100): FakeFeed {
  const feed: FakeFeed = {
    asked: [],
    uploads,
    failures: [],
    async poll(cursor) {
      feed.asked.push(cursor)
      if (feed.failures.length > 0) throw feed.failures.shift()
      const from = Number(cursor ?? 0)
      const found = feed.uploads.slice(from, from + page)
      return { cursor: String(from + found.length), uploads: found }
    },
  }
  return feed
}

const projects = async (house: House): Promise<string[]> =>
  (await collect(openRecords(house.store).jobs.entries())).map(([, { job }]) => job.subject.project).sort()

describe('following uploads', () => {
  it('makes a job of each new file and remembers where it was', async () => {
    const feed = fakeFeed([subject('a1'), subject('b1')])
    await withHouse({ deps: { feed } }, async house => {
      await settled()
      assert.deepEqual(await projects(house), ['a1', 'b1'])
      feed.uploads.push(subject('c1'))
      await house.clock.advance(30_000)
      assert.deepEqual(await projects(house), ['a1', 'b1', 'c1'])
      await house.restart()
      await settled()
      await house.clock.advance(30_000)
      assert.deepEqual(await projects(house), ['a1', 'b1', 'c1'])
      assert.deepEqual(feed.asked, [undefined, '2', '3', '3'])
    })
  })

  it('takes no file twice: not within a page, not later, not when it was submitted before', async () => {
    const feed = fakeFeed([])
    await withHouse({ deps: { feed } }, async house => {
      await house.coordinator.submit(fileRequest('asked'))
      feed.uploads.push(subject('a1'), subject('a1'), subject('asked'), {
        ...subject('b1'),
        sha256: subject('a1').sha256,
      })
      await house.clock.advance(30_000)
      feed.uploads.push(subject('a1'))
      await house.clock.advance(30_000)
      assert.deepEqual(await projects(house), ['a1', 'asked'])
    })
  })

  it('passes over uploads that cannot be read', async () => {
    const feed = fakeFeed([
      { ...subject('a1'), sha256: 'x' },
      null,
      'text',
      { ...subject('b1'), filename: '../b' },
      subject('c1'),
    ])
    await withHouse({ deps: { feed } }, async house => {
      await settled()
      assert.deepEqual(await projects(house), ['c1'])
      assert.equal((await openRecords(house.store).cursors.get('uploads'))?.cursor, '5')
    })
  })

  it('waits longer after each error and recovers', async () => {
    const feed = fakeFeed([subject('a1')])
    feed.failures.push(new Error('unreachable'), 'a text', new Error('unreachable'))
    await withHouse({ deps: { feed } }, async house => {
      const asked = async (ms: number) => {
        await house.clock.advance(ms)
        return feed.asked.length
      }
      assert.equal(await asked(0), 1)
      assert.equal(await asked(59_999), 1)
      assert.equal(await asked(1), 2)
      assert.equal(await asked(119_999), 2)
      assert.equal(await asked(1), 3)
      assert.equal(await asked(240_000), 4)
      assert.deepEqual(await projects(house), ['a1'])
      assert.equal(await asked(30_000), 5)
    })
  })

  it('treats a malformed answer as an error', async () => {
    const answers: unknown[] = [undefined, {}, { cursor: 1, uploads: [] }, { cursor: 'x', uploads: 'many' }]
    const feed: UploadFeed = { poll: async () => answers.shift() as { cursor: string; uploads: unknown[] } }
    await withHouse({ deps: { feed } }, async house => {
      await house.clock.advance(60 * 60_000)
      assert.deepEqual(await projects(house), [])
      assert.equal(await openRecords(house.store).cursors.get('uploads'), undefined)
    })
  })

  it('stops asking while too many jobs wait', async () => {
    const feed = fakeFeed([subject('a1'), subject('b1'), subject('c1'), subject('d1')], 2)
    await withHouse({ deps: { feed }, config: { maxQueued: 2 } }, async house => {
      await house.clock.advance(120_000)
      assert.equal(feed.asked.length, 1)
      for (const name of ['x', 'y', 'z']) {
        const volunteer = house.volunteer(name)
        await volunteer.hello()
        for (const { id } of await volunteer.lease(1)) await volunteer.release(id, 'file-missing')
      }
      await house.clock.advance(30_000)
      assert.equal(feed.asked.length, 2)
      assert.deepEqual(await projects(house), ['a1', 'b1', 'c1', 'd1'])
    })
  })

  it('gives up on an index that does not answer, and does not hold up a stop', async () => {
    let polls = 0
    const feed: UploadFeed = {
      poll: () => {
        polls += 1
        return new Promise(() => {})
      },
    }
    await withHouse({ deps: { feed } }, async house => {
      await house.clock.advance(119_000)
      assert.equal(polls, 1)
      await house.clock.advance(1_000 + 60_000)
      assert.equal(polls, 2)
    })
  })

  it('moves the cursor and makes the jobs in one batch', async () => {
    for (const mode of ['before', 'after'] as const) {
      const base = createMemoryStore()
      await (await openHouse({ store: base })).close()
      const feed = fakeFeed([subject('a1'), subject('b1')])
      const house = await openHouse({ store: createCrashingStore(base, mode, 1), deps: { feed } })
      try {
        await settled()
        assert.equal(house.failures.length, 1)
        const written = mode === 'after'
        assert.equal((await openRecords(base).cursors.get('uploads'))?.cursor, written ? '2' : undefined)
        assert.equal((await collect(base.entries('job/'))).length, written ? 2 : 0)
        await house.restart(base)
        await settled()
        assert.deepEqual(await projects(house), ['a1', 'b1'])
      } finally {
        await house.close()
      }
    }
  })
})
