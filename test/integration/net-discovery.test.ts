import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { type Clock, systemClock } from '../../src/clock.ts'
import { isCode } from '../../src/errors.ts'
import { keepConnected, type LinkState } from '../../src/net/discovery.ts'
import type { Libp2pNetwork } from '../../src/net/libp2p.ts'
import { startNode } from '../helpers/libp2p-nodes.ts'

const slow = { timeout: 60_000 }

/** Waits between tries are cut short, deadlines are not. */
const impatient: Clock = {
  now: systemClock.now,
  sleep: (ms, signal) => systemClock.sleep(ms < 5_000 ? Math.min(ms, 50) : ms, signal),
}

async function start(t: TestContext, ...args: Parameters<typeof startNode>): Promise<Libp2pNetwork> {
  const network = await startNode(...args)
  t.after(() => network.stop())
  return network
}

/** Keeps a connection for the length of a test; `next` waits for a state. */
function keep(t: TestContext, network: Libp2pNetwork, target: { peer: string; addresses: string[] }) {
  const abort = new AbortController()
  const states: LinkState[] = []
  let wake = () => {}
  const kept = keepConnected(network, target, {
    clock: impatient,
    random: () => 0.5,
    signal: abort.signal,
    onState: state => {
      states.push(state)
      wake()
    },
  })
  t.after(async () => {
    abort.abort()
    await kept
  })
  const next = async (state: LinkState['state']) => {
    while (!states.some(each => each.state === state))
      await new Promise<void>(resolve => {
        wake = resolve
      })
    return states.splice(0, states.findIndex(each => each.state === state) + 1)
  }
  return { next }
}

test('knowing only a third node and the pinned id, a volunteer finds the coordinator', slow, async t => {
  const meeting = await start(t, 1)
  const bootstrap = meeting.addresses()
  const volunteer = await start(t, 2, { role: 'volunteer', listen: [], bootstrap, clock: impatient })
  const coordinator = await start(t, 3, { bootstrap, clock: impatient })
  coordinator.serve('lease', async () => ({ leases: [], retryAfterMs: 7 }))

  const { next } = keep(t, volunteer, { peer: coordinator.self, addresses: [] })
  await next('connected')
  assert.equal((await volunteer.request(coordinator.self, 'lease', { want: 1 })).retryAfterMs, 7)
})

test('a coordinator that moves to another port is found again', slow, async t => {
  const meeting = await start(t, 1)
  const bootstrap = meeting.addresses()
  const before = await start(t, 3, { bootstrap, clock: impatient })
  const volunteer = await start(t, 2, { role: 'volunteer', listen: [], bootstrap, clock: impatient })
  const { next } = keep(t, volunteer, { peer: before.self, addresses: before.addresses() })
  await next('connected')
  await before.stop()
  await next('lost')
  await next('retrying')
  const after = await start(t, 3, { bootstrap, clock: impatient })
  assert.notDeepEqual(after.addresses(), before.addresses())
  await next('connected')
  assert.equal(volunteer.isConnected(after.self), true)
})

test('somebody else at the address: said clearly, and the DHT is asked', slow, async t => {
  const [meeting, other] = await Promise.all([start(t, 1), start(t, 4)])
  const bootstrap = meeting.addresses()
  const volunteer = await start(t, 2, { role: 'volunteer', listen: [], bootstrap, clock: impatient })
  const pinned = await start(t, 3, { clock: impatient })
  const wrong = other.addresses().map(text => text.split('/p2p/')[0] ?? '')
  const { next } = keep(t, volunteer, { peer: pinned.self, addresses: wrong })
  const state = (await next('retrying')).at(-1)
  assert.ok(state?.state === 'retrying')
  assert.match(state.reason, new RegExp(`is ${other.self}, not the pinned ${pinned.self}`))
  assert.ok(state.failures.some(failure => isCode(failure, 'wrong-peer')))
  // Now it becomes findable through the meeting point.
  const [address = ''] = meeting.addresses()
  await pinned.connect({ peer: meeting.self, addresses: [address] }, AbortSignal.timeout(10_000))
  await next('connected')
})

test('the bootstrap node itself may be the coordinator', slow, async t => {
  const coordinator = await start(t, 1)
  const bootstrap = coordinator.addresses()
  const volunteer = await start(t, 2, { role: 'volunteer', listen: [], bootstrap, clock: impatient })
  const { next } = keep(t, volunteer, { peer: coordinator.self, addresses: [] })
  await next('connected')
})

test('addresses are checked before anything starts', async () => {
  for (const bad of ['127.0.0.1:4001', '/ip4/127.0.0.1/tcp/4001x'])
    for (const where of ['listen', 'announce'])
      await assert.rejects(startNode(1, { [where]: [bad] }), error => isCode(error, 'bad-address'))
})

test('a bootstrap address without a peer id is refused at once', async () => {
  for (const bad of ['/ip4/127.0.0.1/tcp/4001', 'localhost:4001', '', '/p2p/12D3KooW'])
    await assert.rejects(startNode(1, { bootstrap: [bad] }), error => isCode(error, 'bad-address'))
})
