import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isCode } from '../../src/errors.ts'
import { createMemoryHub } from '../../src/net/memory.ts'
import { peerIdFromPublicKey } from '../../src/peer-id.ts'
import { runNetworkContract } from '../helpers/network-contract.ts'

const peer = (number: number) => peerIdFromPublicKey(new Uint8Array(32).fill(number))

runNetworkContract('memory', async () => {
  const hub = createMemoryHub()
  const [server, client] = [hub.join(peer(1)), hub.join(peer(2))]
  return {
    server,
    client,
    cut: async () => hub.disconnect(client.self),
    reconnect: async () => hub.connect(client.self),
    close: async () => {
      await server.stop()
      await client.stop()
    },
  }
})

test('a newcomer and those who are there learn of each other', async () => {
  const hub = createMemoryHub()
  const events: string[] = []
  const join = (name: number) => {
    const network = hub.join(peer(name))
    network.onPeer((other, state) => events.push(`${name} ${other === peer(1) ? 1 : 2} ${state}`))
    return network
  }
  join(1)
  const second = join(2)
  await null
  await second.stop()
  await null
  assert.deepEqual(events, ['1 2 connected', '2 1 connected', '1 2 disconnected', '2 1 disconnected'])
})

test('a node that stopped may join again with nothing left of before', async () => {
  const hub = createMemoryHub()
  const client = hub.join(peer(1))
  const before = hub.join(peer(2))
  before.serve('lease', async () => ({ leases: [], retryAfterMs: 0 }))
  assert.throws(
    () => hub.join(peer(2)),
    error => isCode(error, 'already-joined'),
  )
  await before.stop()
  hub.join(peer(2))
  await assert.rejects(client.request(peer(2), 'lease', { want: 1 }), error =>
    isCode(error, 'UNSUPPORTED_VERSION'),
  )
})

test('the same calls run in the same order every time', async () => {
  const run = async () => {
    const hub = createMemoryHub()
    const server = hub.join(peer(0))
    const order: string[] = []
    server.serve('lease', async ({ want }) => {
      order.push(`handled ${want}`)
      await null
      return { leases: [], retryAfterMs: want }
    })
    await Promise.all(
      [1, 2, 3, 4].map(async want => {
        const reply = await hub.join(peer(want)).request(peer(0), 'lease', { want })
        order.push(`answered ${reply.retryAfterMs}`)
      }),
    )
    return order
  }
  const first = await run()
  assert.equal(first.length, 8)
  for (let again = 0; again < 5; again += 1) assert.deepEqual(await run(), first)
})
