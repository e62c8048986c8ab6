import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { type ChildNode, startChildNode } from '../../src/cli/child-node.ts'
import { systemClock } from '../../src/clock.ts'
import { type EmbeddedIndex, startEmbeddedIndex } from '../../src/pypi/embedded-index.ts'
import { smallWheel } from '../helpers/small-wheel.ts'

for (const feed of ['changelog', 'rss'] as const)
  describe(`pyti coordinator --follow, by ${feed}`, () => {
    let dir: string
    let index: EmbeddedIndex
    let coordinator: ChildNode
    const jobs: string[] = []
    let wake = () => {}

    /** The index was asked again after `count` requests for what is new. */
    const polls = () => index.requests.filter(request => /POST|rss/.test(request)).length
    const start = () => {
      coordinator = startChildNode(
        'coordinator',
        [
          'coordinator',
          '--data',
          dir,
          '--listen',
          '/ip4/127.0.0.1/tcp/0',
          '--follow',
          '--poll-seconds',
          '1',
          '--index',
          index.url,
        ],
        event => {
          if (event.event === 'job' && event.phase === 'queued') jobs.push(String(event.filename))
          wake()
        },
      )
      return coordinator.ready
    }
    const until = async (condition: () => boolean) => {
      while (!condition())
        await new Promise<void>(resolve => {
          wake = resolve
          setTimeout(resolve, 50)
        })
    }

    before(async () => {
      dir = await mkdtemp(join(tmpdir(), 'pyti-follow-'))
      index = await startEmbeddedIndex({ distributions: [smallWheel('older', '1.0')], clock: systemClock })
      index.features.changelog = feed === 'changelog'
      await start()
      await until(() => polls() >= 1)
    })
    after(async () => {
      await coordinator?.stop()
      await index?.close()
      await rm(dir, { recursive: true, force: true })
    })

    it('a new file becomes a job, what was there before does not', async () => {
      const seen = polls()
      await until(() => polls() > seen)
      index.publish(smallWheel('newer', '1.0'))
      await until(() => jobs.length > 0)
      assert.deepEqual(jobs, ['newer-1.0-py3-none-any.whl'])
    })

    it('after a kill -9 it goes on from its cursor: nothing twice, nothing missed', async () => {
      coordinator.process.kill('SIGKILL')
      await coordinator.exited
      index.publish(smallWheel('meanwhile', '1.0'))
      await start()
      await until(() => jobs.length > 1)
      const seen = polls()
      await until(() => polls() > seen + 2)
      assert.deepEqual(jobs, ['newer-1.0-py3-none-any.whl', 'meanwhile-1.0-py3-none-any.whl'])
    })
  })
