import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  createTree,
  inclusionProof,
  leafHash,
  rootAt,
  verifyConsistency,
} from '../../src/attest/log/merkle.ts'
import { entriesPath, tilePath } from '../../src/attest/log/tiles.ts'
import { createTileHashes } from '../../src/coordinator/tile-hashes.ts'
import { removePartialTiles, writeTiles } from '../../src/coordinator/tile-writer.ts'
import { openTileFiles } from '../../src/store/tile-files.ts'
import { createCrash, createMemoryDisk } from '../helpers/crashing-disk.ts'
import { told } from '../helpers/expect.ts'
import {
  askWitness,
  auditWhole,
  createWorld,
  entriesOf,
  growTo,
  logSigner,
  openLog,
} from '../helpers/log-world.ts'
import { settled } from '../helpers/manual-clock.ts'

describe('growth', () => {
  it('publishes an empty log', async () => {
    const world = createWorld()
    const log = await openLog(world)
    assert.equal(log.sequencer.checkpoint(), undefined)
    await assert.rejects(log.sequencer.inclusion(0), told('not-merged'))
    await log.sequencer.request()
    await auditWhole(world, log)
    assert.equal(log.sequencer.size(), 0)
    assert.deepEqual((await log.sequencer.consistency(0)).hashes, [])
  })

  it('can be audited at every size, with any restarts, and superseded partial tiles are gone', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.oneof(fc.nat(3), fc.nat(300), fc.constant(256)), fc.boolean()), {
          maxLength: 4,
        }),
        async steps => {
          const world = createWorld()
          let log = await openLog(world)
          for (const [count, restart] of [...steps, [1, true] as const]) {
            await growTo(log, log.ledger.size() + count)
            if (restart) log = await openLog(world)
            await auditWhole(world, log)
          }
        },
      ),
      {
        numRuns: 25,
        examples: [
          [
            [
              [255, false],
              [1, true],
              [1, false],
              [256, true],
            ],
          ],
        ],
      },
    )
  })

  it('reaches the third level of tiles', async () => {
    const disk = createMemoryDisk()
    const files = await openTileFiles('/log', disk)
    const tree = createTree()
    const leaves = {
      async *entries(from: number, to: number) {
        for (let index = from; index < to; index += 1) yield Buffer.from(`leaf ${index}`)
      },
    }
    let from = 0
    for (const to of [65_534, 65_793]) {
      for (let index = from; index < to; index += 1) tree.append(leafHash(Buffer.from(`leaf ${index}`)))
      const root = await writeTiles(files, leaves, from, to)
      assert.deepEqual(root, tree.root())
      const read = createTileHashes(files).at(to)
      assert.deepEqual(await rootAt(to, read), root)
      assert.deepEqual(await inclusionProof(300, to, read), await inclusionProof(300, to, tree.read))
      assert.deepEqual(await rootAt(from, read), await rootAt(from, tree.read))
      from = to
    }
    await removePartialTiles(files, 65_534, 65_793)
    const partial = disk.files().filter(path => path.includes('.p/'))
    assert.deepEqual(
      partial.sort(),
      [tilePath(0, 257, 1), tilePath(1, 1, 1), tilePath(2, 0, 1), entriesPath(257, 1)]
        .sort()
        .map(path => `/log/${path}`),
    )
  })

  it('proves consistency between all sizes', async () => {
    const world = createWorld()
    const log = await openLog(world)
    const sizes = [0, 1, 2, 3, 7, 8, 255, 256, 257, 511, 512, 515]
    await growTo(log, 515)
    const read = createTileHashes(await openTileFiles('/log', world.disk)).at(515)
    const newRoot = await rootAt(515, read)
    for (const oldSize of sizes) {
      const { hashes: proof, size: newSize, checkpoint } = await log.sequencer.consistency(oldSize)
      assert.equal(checkpoint, log.sequencer.checkpoint())
      verifyConsistency({ oldSize, oldRoot: await rootAt(oldSize, read), newSize, newRoot, proof })
    }
    await assert.rejects(log.sequencer.consistency(516), told('not-merged'))
    await assert.rejects(log.sequencer.inclusion(515), told('not-merged'))
  })
})

describe('request', () => {
  it('covers everything committed before the call, with as few checkpoints as can be', async () => {
    const world = createWorld()
    const witness = askWitness(world)
    const gates: (() => void)[] = []
    const log = await openLog(world, createCrash(), {
      cosign: async (note, proveFrom) => {
        await new Promise<void>(resolve => gates.push(resolve))
        return witness(note, proveFrom)
      },
    })
    const open = async () => {
      while (gates.length === 0) await settled()
      gates.shift()?.()
    }
    const sizes: [number, number][] = []
    const request = (wanted: number) =>
      log.sequencer.request().then(() => sizes.push([wanted, log.sequencer.size()]))
    await log.commit(entriesOf(3))
    const first = request(3)
    while (gates.length === 0) await settled()
    await log.commit(entriesOf(4, 'more'))
    const others = [request(7), request(7)]
    await log.commit(entriesOf(2, 'most'))
    others.push(request(9))
    await open()
    await first
    await open()
    await Promise.all(others)
    await log.sequencer.request()
    assert.deepEqual(sizes, [
      [3, 3],
      [7, 9],
      [7, 9],
      [9, 9],
    ])
    assert.equal(world.shown.length, 2)
    await auditWhole(world, log)
  })

  it('keeps the signed checkpoint when witnesses fail, and may be repeated', async () => {
    const world = createWorld()
    let fails = true
    const witness = askWitness(world)
    const log = await openLog(world, createCrash(), {
      async cosign(note, proveFrom) {
        if (fails) throw new Error('nobody there')
        return witness(note, proveFrom)
      },
    })
    await log.commit(entriesOf(5))
    await assert.rejects(log.sequencer.request(), told('cosigning-failed', /nobody there/))
    assert.equal(log.sequencer.checkpoint(), undefined)
    await log.commit(entriesOf(1, 'more'))
    await assert.rejects(log.sequencer.request(), told('cosigning-failed'))
    fails = false
    await log.sequencer.request()
    assert.deepEqual(log.failures, [])
    await auditWhole(world, log)
  })

  it('publishes nothing but what it signed', async () => {
    const other = createWorld()
    const foreign = await openLog(other)
    await foreign.commit(entriesOf(2, 'foreign'))
    await foreign.sequencer.request()
    for (const [note, code] of [
      [foreign.sequencer.checkpoint() ?? '', 'log-forked'],
      ['nothing', 'bad-checkpoint'],
    ] as const) {
      const world = createWorld()
      const log = await openLog(world, createCrash(), { cosign: async () => note })
      await log.commit(entriesOf(2))
      await assert.rejects(log.sequencer.request(), told(code))
      assert.ok(!world.disk.files().includes('/log/checkpoint'))
      assert.equal(log.failures.length, 1)
    }
  })

  it('does not store what its key did not sign', async () => {
    const world = createWorld()
    const log = await openLog(world, createCrash(), {
      signer: { ...logSigner, sign: () => new Uint8Array(64) },
    })
    await assert.rejects(log.sequencer.request(), told('bad-checkpoint'))
    assert.equal(await world.store.get('log/signed/last'), undefined)
  })
})

describe('a log folder', () => {
  it('belongs to one key, and its checkpoint must be readable', async () => {
    const world = createWorld()
    await growTo(await openLog(world), 3)
    const signer = { ...logSigner, name: 'other.example' }
    await assert.rejects(openLog(world, createCrash(), { signer }), told('log-damaged', /last signed/))
    world.disk.overwrite('/log/checkpoint', Buffer.from('nothing'))
    await assert.rejects(openLog(world), told('log-damaged', /published/))
  })

  it('is made again when it is gone', async () => {
    const world = createWorld()
    await growTo(await openLog(world), 700)
    const before = world.disk.files().filter(path => !path.includes('checkpoint'))
    await world.disk.remove('/log')
    const log = await openLog(world)
    assert.equal(log.sequencer.checkpoint(), undefined)
    assert.deepEqual(world.disk.files().sort(), before.sort())
    world.witness = undefined
    await log.sequencer.request()
    await auditWhole(world, log)
  })
})
