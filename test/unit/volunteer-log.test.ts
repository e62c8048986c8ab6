import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openProof } from '../../src/attest/log/proof-file.ts'
import { silentLogger } from '../../src/logger.ts'
import { createMemoryHub } from '../../src/net/memory.ts'
import { createMemoryStore } from '../../src/store/memory.ts'
import { createLogWatch } from '../../src/volunteer/log-watch.ts'
import { Volunteer, type VolunteerEvent } from '../../src/volunteer/volunteer.ts'
import { utf8 } from '../../src/wire/bytes.ts'
import type { CommandRequest } from '../../src/wire/commands.ts'
import { coordinatorPeer, fileRequest, seededRandom, withHouse } from '../helpers/coordinator-house.ts'
import { createEvidence, createFakeLog, leavesOf, serveFakeLog } from '../helpers/fake-log.ts'
import { fakeTools } from '../helpers/fake-tools.ts'
import { createManualClock, settled, until } from '../helpers/manual-clock.ts'
import { testIdentity } from '../helpers/raw-data.ts'
import { collect } from '../helpers/store-contract.ts'

function openVolunteer(
  hub: ReturnType<typeof createMemoryHub>,
  clock: ReturnType<typeof createManualClock>,
  name: string,
) {
  const identity = testIdentity(name)
  const network = hub.join(identity.peerId)
  const memory = createMemoryStore()
  const evidence = createEvidence()
  const events: VolunteerEvent[] = []
  const common = { network, coordinator: coordinatorPeer, clock, log: silentLogger }
  const watch = createLogWatch({ ...common, memory, evidence })
  const volunteer = new Volunteer(
    {
      ...common,
      watch,
      signer: identity,
      tools: fakeTools(),
      random: seededRandom(name),
      onEvent: event => events.push(event),
    },
    { slots: 1, backends: ['uml'], cpu: 'x86-64-v3', operator: `owner-of-${name}` },
  )
  volunteer.start()
  return { volunteer, watch, memory, evidence, events }
}

test('every volunteer ends up with the proof that the log has what it handed in', () =>
  withHouse({}, async house => {
    const three = ['a', 'b', 'c'].map(name => openVolunteer(house.hub, house.clock, name))
    await settled()
    const job = await house.coordinator.submit(fileRequest('thing'))
    await until(async () => (await house.coordinator.status(job))?.phase === 'reported', 'a report')
    await until(() => three.every(({ events }) => events.some(({ event }) => event === 'submitted')), 'all')
    await house.clock.advance(120_000)
    for (const { memory, watch, events, evidence } of three) {
      const key = watch.logKey()
      assert.ok(key)
      const under = `log/${coordinatorPeer}`
      await until(async () => (await collect(memory.entries(`${under}/proof/`))).length === 1, 'a proof')
      const [[name, proof] = []] = await collect(memory.entries(`${under}/proof/`))
      const submitted = events.find(event => event.event === 'submitted')
      assert.equal(name, `${under}/proof/${submitted?.attestation}`)
      assert.ok(typeof proof === 'string' && submitted)
      const { project, version, filename, sha256 } = fileRequest('thing').subject
      const purl = `pkg:pypi/${project}@${version}?file_name=${filename}`
      const leaf = `pyti-leaf/v1\nraw\n${submitted.attestation}\n${sha256}\n${purl}\n`
      await openProof(proof, utf8(leaf), key)
      assert.deepEqual(await collect(memory.entries(`${under}/receipt/`)), [])
      assert.deepEqual([evidence.files.size, watch.fault()], [0, undefined])
    }
    await Promise.all(three.map(({ volunteer }) => volunteer.stop()))
  }))

/** A coordinator that counts what it is asked, with a log that can be made to lie. */
function openFakeCoordinator() {
  const hub = createMemoryHub()
  const clock = createManualClock()
  const log = createFakeLog()
  log.leaves = leavesOf(5)
  const network = hub.join(coordinatorPeer)
  serveFakeLog(network, log)
  const hellos: CommandRequest<'hello'>[] = []
  let leases = 0
  network.serve('hello', async request => {
    hellos.push(request)
    return { version: 2, reportKey: coordinatorPeer, logKey: log.key, software: 'fake' }
  })
  network.serve('lease', async () => {
    leases += 1
    return { leases: [], retryAfterMs: 10_000 }
  })
  return { hub, clock, log, network, hellos, asked: () => leases }
}

test('hello tells the processor and the operator, and no lease is asked for before the log was checked', async () => {
  const { hub, clock, log, hellos, asked } = openFakeCoordinator()
  const { head } = log
  log.head = () => Promise.reject(new Error('not now'))
  const { volunteer } = openVolunteer(hub, clock, 'a')
  await settled()
  const [hello] = hellos
  assert.deepEqual([hello?.version, hello?.cpu, hello?.operator], [2, 'x86-64-v3', 'owner-of-a'])
  const before = hellos.length
  await clock.advance(20_000)
  assert.ok(hellos.length > before)
  assert.equal(asked(), 0)
  log.head = head
  await clock.advance(10_000)
  assert.ok(asked() > 0)
  await volunteer.stop()
})

test('after a fork no lease is asked for and no hello said, until it is forgotten by hand', async () => {
  const { hub, clock, log, hellos, asked } = openFakeCoordinator()
  const { volunteer, watch, evidence } = openVolunteer(hub, clock, 'a')
  await settled()
  await clock.advance(30_000)
  const before = asked()
  assert.ok(before > 0)
  log.leaves = leavesOf(9, 'other')
  await clock.advance(40_000)
  assert.equal(watch.fault()?.code, 'log-forked')
  assert.deepEqual([...evidence.files.keys()], ['log-fork-1.json'])
  const [leases, greetings] = [asked(), hellos.length]
  hub.disconnect(coordinatorPeer)
  hub.connect(coordinatorPeer)
  await clock.advance(3_600_000)
  assert.deepEqual([asked(), hellos.length], [leases, greetings])
  await volunteer.stop()
})

test('a log that cannot be checked any more holds up the next lease', async () => {
  const { hub, clock, log, asked } = openFakeCoordinator()
  const { volunteer, watch } = openVolunteer(hub, clock, 'a')
  await settled()
  await clock.advance(30_000)
  const { head } = log
  log.head = () => Promise.reject(new Error('not now'))
  await clock.advance(40_000)
  const before = asked()
  await clock.advance(60_000)
  assert.equal(asked(), before)
  assert.equal(watch.fault(), undefined)
  log.head = head
  await clock.advance(60_000)
  assert.ok(asked() > before)
  await volunteer.stop()
})
