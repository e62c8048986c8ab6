import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isCode, PytiError } from '../../src/errors.ts'
import { backoff, type Dialer, keepConnected, type LinkState } from '../../src/net/discovery.ts'

const peer = '12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq'

/** A network in which only the addresses in `alive` answer. */
function fakeDialer(options: { alive?: Set<string>; found?: () => Promise<string[]> }) {
  const tried: string[] = []
  const listeners = new Set<Parameters<Dialer['onPeer']>[0]>()
  let connected = false
  const dialer: Dialer = {
    isConnected: () => connected,
    connect: async ({ addresses: [address = ''] }) => {
      tried.push(address)
      if (!options.alive?.has(address)) throw new PytiError('unreachable', `nothing at ${address}`)
      connected = true
    },
    findAddresses: options.found ?? (async () => []),
    onPeer: listener => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
  const lose = () => {
    connected = false
    for (const listener of listeners) listener(peer, 'disconnected')
  }
  return { dialer, tried, listeners, lose }
}

/** Runs until `enough` states were reported; no time passes, waits are recorded. */
async function run(
  dialer: Dialer,
  addresses: string[],
  enough: number,
  onState: (state: LinkState) => void = () => {},
): Promise<{ states: LinkState[]; waits: number[] }> {
  const abort = new AbortController()
  const states: LinkState[] = []
  const waits: number[] = []
  const clock = {
    now: () => 0,
    // Deadlines never come; waits between tries are over at once.
    sleep: (ms: number, signal?: AbortSignal) => {
      if (signal !== abort.signal) return Promise.race<void>([])
      waits.push(ms)
      return signal.aborted ? Promise.reject(signal.reason) : Promise.resolve()
    },
  }
  await keepConnected(
    dialer,
    { peer, addresses },
    {
      clock,
      random: () => 0.5,
      signal: abort.signal,
      onState: state => {
        states.push(state)
        onState(state)
        if (states.length === enough) abort.abort(new Error('enough'))
      },
    },
  )
  return { states, waits }
}

test('given addresses come first, in order, then what the DHT knows, without repeats', async () => {
  const { dialer, tried } = fakeDialer({
    alive: new Set(['/c']),
    found: async () => ['/b', `/a/p2p/${peer}`, '/b', '/c', '/d'],
  })
  const { states } = await run(dialer, ['/a', `/x/p2p/${peer}`], 1)
  assert.deepEqual(states, [{ state: 'connected' }])
  assert.deepEqual(tried, ['/a', `/x/p2p/${peer}`, '/b', '/c'])
})

test('retries for ever, waits longer each time up to a minute', async () => {
  const { dialer } = fakeDialer({})
  const { states, waits } = await run(dialer, ['/a'], 20)
  assert.ok(states.every(state => state.state === 'retrying'))
  assert.deepEqual(waits.slice(0, 8), [750, 1_500, 3_000, 6_000, 12_000, 24_000, 45_000, 45_000])
})

test('the wait is spread over its upper half and never grows out of bounds', () => {
  assert.deepEqual([backoff(1, 0), backoff(1, 0.999)], [500, 999])
  assert.deepEqual([backoff(7, 0), backoff(1_000_000, 0.999)], [30_000, 59_970])
})

test('a loss is reported, and the next try starts anew', async () => {
  const { dialer, lose, listeners } = fakeDialer({ alive: new Set(['/a']) })
  const { states, waits } = await run(dialer, ['/a'], 5, state => {
    if (state.state === 'connected') queueMicrotask(lose)
  })
  assert.deepEqual(
    states.map(state => state.state),
    ['connected', 'lost', 'connected', 'lost', 'connected'],
  )
  assert.deepEqual(waits, [1_500, 1_500])
  assert.equal(listeners.size, 0)
})

test('a loss between the dial and the listener is not missed', async () => {
  const { dialer } = fakeDialer({ alive: new Set(['/a']) })
  const forgetful = { ...dialer, isConnected: () => false }
  const { states } = await run(forgetful, ['/a'], 2)
  assert.deepEqual(
    states.map(state => state.state),
    ['connected', 'lost'],
  )
})

test('somebody else at an address is the reason that is told, and other ways go on being tried', async () => {
  const { dialer, tried } = fakeDialer({ found: async () => ['/found'] })
  const strict: Dialer = {
    ...dialer,
    connect: async (target, signal) => {
      if (target.addresses[0] !== '/wrong') return dialer.connect(target, signal)
      throw new PytiError('wrong-peer', 'the node at /wrong is X, not the pinned Y')
    },
  }
  const { states } = await run(strict, ['/a', '/wrong', '/b'], 1)
  const [state] = states
  assert.ok(state?.state === 'retrying')
  assert.equal(state.reason, 'the node at /wrong is X, not the pinned Y')
  assert.equal(state.failures.length, 4)
  assert.deepEqual(tried, ['/a', '/b', '/found'])
})

test('a lookup that fails is one more reason, not the end', async () => {
  const { dialer } = fakeDialer({ found: () => Promise.reject(new TypeError('broken')) })
  const { states } = await run(dialer, [], 3)
  assert.equal(states.length, 3)
  assert.ok(states.every(state => state.state === 'retrying' && isCode(state.failures[0], 'unreachable')))
})

test('the DHT may answer with any number of addresses; a few are tried', async () => {
  const many = Array.from({ length: 10_000 }, (_, index) => `/${index}`)
  const { dialer, tried } = fakeDialer({ found: async () => many })
  await run(dialer, [], 1)
  assert.equal(tried.length, 16)
})

test('a signal that has fired already: nothing is tried', async () => {
  const { dialer, tried } = fakeDialer({ alive: new Set(['/a']) })
  const clock = { now: () => 0, sleep: async () => {} }
  await keepConnected(
    dialer,
    { peer, addresses: ['/a'] },
    { clock, random: () => 0, signal: AbortSignal.abort() },
  )
  assert.deepEqual(tried, [])
})
