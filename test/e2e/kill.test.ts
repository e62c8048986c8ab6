import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { type ChildNode, startChildNode } from '../../src/cli/child-node.ts'
import { type Client, connectClient } from '../../src/cli/client.ts'
import type { NodeEvent } from '../../src/cli/events.ts'
import type { Target } from '../../src/cli/targets.ts'
import { systemClock } from '../../src/clock.ts'
import { type EmbeddedIndex, startEmbeddedIndex } from '../../src/pypi/embedded-index.ts'
import { makeDistributions } from '../../src/pypi/make-distribution.ts'
import type { JobStatus } from '../../src/wire/commands.ts'
import { taskNames } from '../../src/wire/job.ts'
import { alive, pyti, strayFolders, targetsOn, testDriver } from '../helpers/local-network.ts'

/** Resolves with the first event of a node that fits. */
function watchEvents() {
  const seen: { node: string; event: NodeEvent }[] = []
  const waiting = new Set<() => void>()
  const vms = new Set<number>()
  return {
    vms,
    push(node: string, event: NodeEvent) {
      if (event.event === 'vm') vms.add(event.pid)
      seen.push({ node, event })
      for (const wake of waiting) wake()
    },
    async wait(
      fits: (node: string, event: NodeEvent) => boolean,
    ): Promise<{ node: string; event: NodeEvent }> {
      for (let from = 0; ; ) {
        for (; from < seen.length; from++) {
          const entry = seen[from]
          if (entry && fits(entry.node, entry.event)) return entry
        }
        await new Promise<void>(resolve => {
          waiting.add(resolve)
        }).finally(() => waiting.clear())
      }
    },
  }
}

describe('killed processes', () => {
  let dir: string
  let index: EmbeddedIndex
  let coordinator: ChildNode
  let address: string
  let client: Client
  let targets: Target[]
  let backend: string
  const volunteers: ChildNode[] = []
  const events = watchEvents()

  const startCoordinator = async (listen: string) => {
    coordinator = startChildNode(
      'coordinator',
      ['coordinator', '--data', join(dir, 'coordinator'), '--listen', listen],
      event => events.push('coordinator', event),
    )
    const ready = await coordinator.ready
    address = ready.addresses[0] ?? ''
    client = await connectClient(address, AbortSignal.timeout(600_000))
  }
  const startVolunteer = async (name: string, to = address) => {
    const node = startChildNode(
      name,
      [
        'volunteer',
        '--data',
        join(dir, name),
        '--listen',
        '/ip4/127.0.0.1/tcp/0',
        '--coordinator',
        to,
        '--index',
        index.url,
        '--backend',
        backend,
      ],
      event => events.push(name, event),
    )
    volunteers.push(node)
    await node.ready
    return node
  }
  const ended = async (job: string): Promise<JobStatus> => {
    await events.wait(
      (_node, event) =>
        event.event === 'job' &&
        event.job === job &&
        (event.phase === 'reported' || event.phase === 'unresolved'),
    )
    return client.status(job)
  }

  before(async () => {
    backend = (await testDriver()).driver.backend
    dir = await mkdtemp(join(tmpdir(), 'pyti-kill-'))
    const samples = join(import.meta.dirname, '../../samples')
    const distributions = [
      ...(await makeDistributions(join(samples, 'tested'))),
      ...(await makeDistributions(join(samples, 'pure'))),
    ]
    index = await startEmbeddedIndex({ distributions, clock: systemClock })
    targets = await targetsOn(index.url, ['pyti-sample-tested', 'pyti-sample-pure'])
    await startCoordinator('/ip4/127.0.0.1/tcp/0')
    await Promise.all(['volunteer-1', 'volunteer-2', 'volunteer-3'].map(name => startVolunteer(name)))
  })
  after(async () => {
    await client?.close()
    await Promise.all(volunteers.map(node => node.stop()))
    await coordinator?.stop()
    await index?.close()
    await rm(dir, { recursive: true, force: true })
  })

  it('kill -9 of a volunteer in mid-job: its VM is gone, its seat is given to another, the report comes', async () => {
    const [target] = targets
    assert.ok(target)
    const job = await client.submit(target, { tasks: [...taskNames] })
    const { node, event } = await events.wait(
      (_node, seen) => seen.event === 'vm' && seen.state === 'started',
    )
    const vm = event.event === 'vm' ? event.pid : 0
    const victim = volunteers.find(one => one.name === node)
    victim?.process.kill('SIGKILL')
    await victim?.exited
    await startVolunteer('volunteer-4')
    const status = await ended(job)
    assert.equal(status.phase, 'reported', status.reason)
    assert.equal(status.seats.filter(seat => seat.state === 'submitted').length, 3)
    assert.throws(() => process.kill(vm, 0), 'the VM died with its volunteer')
  })

  it('kill -9 of the coordinator in mid-job: started again it goes on, and there is exactly one report', async () => {
    const target = targets[1]
    assert.ok(target)
    const job = await client.submit(target, { tasks: [...taskNames] })
    await events.wait(
      (_node, event) =>
        event.event === 'stage' && event.filename === target.subject.filename && event.stage === 'running',
    )
    await client.close()
    coordinator.process.kill('SIGKILL')
    await coordinator.exited
    await startCoordinator(address.replace(/\/p2p\/.*/, ''))
    const status = await ended(job)
    assert.equal(status.phase, 'reported', status.reason)
    assert.equal((await client.findReports({ sha256: target.subject.sha256 })).length, 1)
  })

  it('a second coordinator on the same data folder is refused with a plain message', async () => {
    const { code, stderr } = await pyti([
      'coordinator',
      '--data',
      join(dir, 'coordinator'),
      '--listen',
      '/ip4/127.0.0.1/tcp/0',
    ])
    assert.notEqual(code, 0)
    assert.match(stderr, /another process is running/)
  })

  it('a volunteer with a wrong peer id pinned says so and works for nobody', async () => {
    const wrong = `${address.replace(/\/p2p\/.*/, '')}/p2p/12D3KooWQK1wnefoLrcVHbbnf5tLzbopUd3K3bFAoJpA7YJgL5pV`
    await startVolunteer('astray', wrong)
    const { event } = await events.wait((node, seen) => node === 'astray' && seen.event === 'retrying')
    assert.match(JSON.stringify(event), /not the pinned/)
  })

  it('leaves nothing behind', async () => {
    await Promise.all(volunteers.map(node => node.stop()))
    assert.deepEqual(alive(events.vms), [])
    assert.deepEqual(await strayFolders(), [])
  })
})
