import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { formatEntry } from '../../src/attest/log/entry.ts'
import { signNote } from '../../src/attest/log/note.ts'
import { tilePath } from '../../src/attest/log/tiles.ts'
import { createLedger } from '../../src/coordinator/ledger.ts'
import { createSequencer } from '../../src/coordinator/sequencer.ts'
import { openTileFiles } from '../../src/store/tile-files.ts'
import { createCrash } from '../helpers/crashing-disk.ts'
import { only, told } from '../helpers/expect.ts'
import {
  askWitness,
  audit,
  auditWhole,
  copyStore,
  createWorld,
  entriesOf,
  growTo,
  type Log,
  logSigner,
  openLog,
  type World,
} from '../helpers/log-world.ts'

/** Numbers that repeat from run to run (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

async function flip(world: World, path: string, at = 0): Promise<void> {
  const bytes = Uint8Array.from((await world.disk.read(`/log/${path}`)) ?? assert.fail(`no ${path}`))
  bytes[at] = (bytes[at] ?? 0) ^ 1
  world.disk.overwrite(`/log/${path}`, bytes)
}

describe('a log that would fork', () => {
  it('is not signed by two at once', async () => {
    const world = createWorld()
    const ledger = createLedger({ store: world.store })
    await ledger.load()
    const files = await openTileFiles('/log', world.disk)
    const [one, two] = [1, 2].map(() =>
      createSequencer({ store: world.store, ledger, files, signer: logSigner, cosign: askWitness(world) }),
    )
    assert.ok(one && two)
    await one.load()
    await two.load()
    await ledger.commit([], entriesOf(3))
    const results = await Promise.allSettled([one.request(), two.request()])
    const lost = only(results.filter(result => result.status === 'rejected'))
    assert.ok(told('log-forked', /another program/)(lost.reason))
    assert.equal(world.shown.length, 1)
  })

  it('is refused after a leaf was changed in the store', async () => {
    const world = createWorld()
    await growTo(await openLog(world), 20)
    const value = Buffer.from(formatEntry(entriesOf(1, 'forged')[0] ?? assert.fail())).toString()
    await world.store.batch([{ type: 'put', key: 'leaf/0000000000000018', value }])
    const log = await openLog(world)
    await log.commit(entriesOf(1, 'more'))
    await assert.rejects(log.sequencer.request(), told('log-forked', /do not continue/))
    await assert.rejects(log.sequencer.request(), told('log-forked'))
    assert.equal(log.failures.length, 1)
    assert.equal(world.shown.length, 1)
  })

  it('is refused when the tiles on disk changed', async () => {
    const world = createWorld()
    await growTo(await openLog(world), 300)
    await flip(world, tilePath(1, 0, 1))
    await assert.rejects(openLog(world), told('log-forked'))
    await flip(world, tilePath(1, 0, 1))
    await flip(world, tilePath(0, 1, 44), 1_000)
    await assert.rejects(openLog(world), told('log-forked'))
    await flip(world, tilePath(0, 1, 44), 1_000)
    await openLog(world)
  })

  it('is not signed over tiles that come back from the disk changed', async () => {
    const world = createWorld()
    const files = await openTileFiles('/log', world.disk)
    const log = await openLog(world, createCrash(), {
      files: {
        ...files,
        read: async path => (await files.read(path))?.map((byte, at) => (at === 40 ? byte ^ 1 : byte)),
      },
    })
    await log.commit(entriesOf(5))
    await assert.rejects(log.sequencer.request(), told('log-forked', /tiles on disk/))
    assert.deepEqual(world.shown, [])
  })

  it('shows no proof out of a tile that lost a byte', async () => {
    const world = createWorld()
    await growTo(await openLog(world), 600)
    for (const at of [0, 4_000, 8_191]) {
      await flip(world, tilePath(0, 1), at)
      const { sequencer } = await openLog(world)
      await assert.rejects(sequencer.inclusion(256 + (at >> 5)), told('bad-tile'))
      await assert.rejects(sequencer.proofFile(300), told('bad-tile'))
      await assert.rejects(sequencer.consistency(300), told('bad-tile'))
      await sequencer.inclusion(3)
      await flip(world, tilePath(0, 1), at)
    }
    await world.disk.remove(`/log/${tilePath(0, 1)}`)
    const { sequencer } = await openLog(world)
    await assert.rejects(sequencer.inclusion(256), told('tile-missing'))
  })

  it('is refused when other tiles lie where new ones belong', async () => {
    const world = createWorld()
    const log = await openLog(world)
    await growTo(log, 3)
    world.disk.overwrite(`/log/${tilePath(0, 0, 5)}`, new Uint8Array(160))
    await log.commit(entriesOf(2, 'more'))
    await assert.rejects(log.sequencer.request(), told('tile-changed'))
  })
})

describe('a log that was rolled back', () => {
  it('is refused when the published checkpoint is larger than that of the store', async () => {
    const world = createWorld()
    const log = await openLog(world)
    await growTo(log, 10)
    const backup = await copyStore(world.store)
    await growTo(log, 20)
    await assert.rejects(openLog({ ...world, store: backup }), told('log-rolled-back', /20 leaves.*has 10/))
  })

  it('is refused when a larger checkpoint is shown, after a restart too', async () => {
    const world = createWorld()
    const log = await openLog(world)
    await growTo(log, 10)
    const store = await copyStore(world.store)
    const disk = world.disk.afterCrash(() => false)
    await growTo(log, 20)
    const restored = { ...world, store, disk }
    const again = await openLog(restored)
    await again.commit(entriesOf(15, 'other'))
    await again.sequencer.seen(world.shown[0] ?? '')
    await assert.rejects(again.sequencer.seen(world.shown[1] ?? ''), told('log-rolled-back'))
    await assert.rejects(again.sequencer.request(), told('log-rolled-back'))
    assert.equal(again.failures.length, 1)
    await assert.rejects(openLog(restored), told('log-rolled-back'))
    assert.equal(world.shown.length, 2)
  })

  it('is refused when another tree of the same or a smaller size is shown', async () => {
    const other = createWorld()
    const foreign = await openLog(other)
    await foreign.commit(entriesOf(10, 'other'))
    await foreign.sequencer.request()
    for (const size of [10, 300]) {
      const world = createWorld()
      const log = await openLog(world)
      await growTo(log, size)
      await assert.rejects(log.sequencer.seen(other.shown[0] ?? ''), told('log-forked'))
      await assert.rejects(log.sequencer.request(), told('log-forked'))
      await assert.rejects(openLog(world), told('log-forked'))
    }
  })

  it('goes on when anything else is shown', async () => {
    const world = createWorld()
    const log = await openLog(world)
    await growTo(log, 10)
    await growTo(log, 20)
    for (const note of world.shown) await log.sequencer.seen(note)
    await log.sequencer.seen(log.sequencer.checkpoint() ?? '')
    const body = `${logSigner.name}\n30\n${Buffer.alloc(32).toString('base64')}\n`
    const forged = await signNote(body, { ...logSigner, sign: () => new Uint8Array(64) })
    const renamed = await signNote(body.replace('30', '31'), { ...logSigner, name: 'other.example' })
    for (const note of [forged, renamed, '', 'x'.repeat(1_000)])
      await assert.rejects(log.sequencer.seen(note), told('bad-checkpoint'))
    await growTo(log, 30)
    await auditWhole(world, log)
  })
})

describe('a process that dies', () => {
  const play = async (log: Log, world: World) => {
    await log.commit(entriesOf(2, 'a'), entriesOf(1, 'b'))
    await log.sequencer.request()
    await Promise.all([log.sequencer.request(), log.commit(entriesOf(2, 'c'))])
    await log.commit(entriesOf(1, 'd'))
    await log.sequencer.request()
    await audit(world)
  }
  const attempt = async (world: World, random: () => number, at?: number, mode?: 'before' | 'after') => {
    const crash = createCrash(at, mode)
    world.disk = world.disk.afterCrash(() => false, crash)
    const played = openLog(world, crash).then(log => play(log, world))
    if (at === undefined) await played
    else await assert.rejects(played, () => crash.count() >= at)
    // Of the names that were not synced, some are lost.
    const share = random()
    world.disk = world.disk.afterCrash(() => random() < share)
    return crash.count()
  }

  const dieAndRecover = async (world: World, at: number, mode: 'before' | 'after') => {
    const random = seeded(at)
    await attempt(world, random, at, mode)
    // Dies once more while it recovers.
    if (at % 3 === 0) await attempt(world, random, 1 + Math.floor(random() * 20), mode)
    const log = await openLog(world)
    await log.commit(entriesOf(3, 'after'))
    await log.sequencer.request()
    await auditWhole(world, log)
  }
  const modes = ['before', 'after'] as const
  // The second one fills a tile.
  for (const start of [0, 252])
    it(`leaves a log that continues every checkpoint and holds every promised entry (from ${start})`, async () => {
      const base = createWorld()
      if (start > 0) await growTo(await openLog(base), start)
      const copy = async (): Promise<World> => ({
        ...base,
        store: await copyStore(base.store),
        disk: base.disk.afterCrash(() => false),
        promised: [...base.promised],
        shown: [...base.shown],
      })
      const count = await attempt(await copy(), seeded(0))
      assert.ok(count >= 40, `${count} changes`)
      for (let at = 1; at <= count; at += 1)
        for (const mode of start === 0 ? modes : [modes[at % 2] ?? 'after']) {
          try {
            await dieAndRecover(await copy(), at, mode)
          } catch (cause) {
            throw new Error(`power failed at change ${at}, ${mode}`, { cause })
          }
        }
    })
})
