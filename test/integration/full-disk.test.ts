import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { runCommand } from '../../src/exec.ts'
import { diskTrouble, lackOfRoom } from '../../src/host-disk.ts'
import { makeVmFolder } from '../../src/sandbox/vm-folder.ts'
import { putBytes } from '../../src/store/blob-bytes.ts'
import { openBlobStore } from '../../src/store/blobs.ts'
import { openLevelStore } from '../../src/store/level.ts'
import type { Store } from '../../src/store/store.ts'
import { openTileFiles } from '../../src/store/tile-files.ts'
import { noSmallDisk, type SmallDisk, withSmallDisk } from '../helpers/small-disk.ts'

const MiB = 1024 * 1024
const full = { code: 'host-out-of-disk' as const, hint: /free some space/ }
const told = (work: Promise<unknown>) =>
  work.catch(error => {
    throw diskTrouble(error) ?? error
  })

const onSmallDisk = (use: (disk: SmallDisk) => Promise<void>) => () => withSmallDisk(3 * MiB, use)

describe('a full disk', { skip: noSmallDisk }, () => {
  const put = (store: Store, key: string, value: unknown = key) => store.batch([{ type: 'put', key, value }])
  const keysIn = async (store: Store) => {
    const keys = []
    for await (const [key] of store.entries('')) keys.push(key)
    return keys
  }

  it(
    'a database says so, and what it takes afterwards it still has at the next start',
    onSmallDisk(async ({ dir, fill, free }) => {
      const path = join(dir, 'db')
      const store = await openLevelStore(path)
      await put(store, 'before')
      fill()
      // More than one, as each tries to open the database anew.
      for (const key of ['lost 1', 'lost 2', 'lost 3'])
        await assert.rejects(put(store, key, 'x'.repeat(100_000)), full)
      await free()
      await put(store, 'after')
      assert.deepEqual(await keysIn(store), ['after', 'before'])
      await store.close()
      const again = await openLevelStore(path)
      assert.deepEqual(await keysIn(again), ['after', 'before'])
      await again.close()
    }),
  )

  it(
    'of batches at the same time those behind one that failed are not lost either',
    onSmallDisk(async ({ dir, fill, free }) => {
      const path = join(dir, 'db')
      const store = await openLevelStore(path)
      await put(store, 'before')
      fill()
      const results = await Promise.allSettled([
        put(store, 'large', 'x'.repeat(200_000)),
        ...Array.from({ length: 20 }, (_, at) => put(store, `small ${at}`)),
      ])
      await free()
      const kept = results.flatMap(({ status }, at) => (status === 'fulfilled' ? [`small ${at - 1}`] : []))
      await put(store, 'after')
      await store.close()
      const again = await openLevelStore(path)
      const keys = await keysIn(again)
      assert.deepEqual(
        ['after', 'before', ...kept].filter(key => !keys.includes(key)),
        [],
      )
      await again.close()
    }),
  )

  it(
    'a database cannot be opened, and nothing of it is lost by that',
    onSmallDisk(async ({ dir, fill, free }) => {
      const path = join(dir, 'db')
      const store = await openLevelStore(path)
      await put(store, 'before')
      await store.close()
      fill()
      await assert.rejects(openLevelStore(path), full)
      await free()
      const again = await openLevelStore(path)
      assert.deepEqual(await keysIn(again), ['before'])
      await again.close()
    }),
  )

  it(
    'blobs, tiles and folders of VMs say so and leave nothing half',
    onSmallDisk(async ({ dir, fill, free }) => {
      const blobs = await openBlobStore(join(dir, 'blobs'))
      const tiles = await openTileFiles(join(dir, 'log'))
      await mkdir(join(dir, 'run'))
      await tiles.writeCheckpoint('before')
      fill()
      await assert.rejects(told(putBytes(blobs, Buffer.alloc(MiB))), full)
      await assert.rejects(told(tiles.write('tile/0/000', Buffer.alloc(8_192))), full)
      await assert.rejects(told(tiles.writeCheckpoint('x'.repeat(8_192))), full)
      await assert.rejects(told(writeFile(join(dir, 'run/file'), Buffer.alloc(8_192))), full)
      assert.deepEqual(await readdir(join(dir, 'blobs/tmp')), [])
      assert.deepEqual(await readdir(join(dir, 'log/.tmp')), [])
      assert.equal(existsSync(join(dir, 'log/tile/0/000')), false)
      assert.equal(await tiles.readCheckpoint(), 'before')
      await free()
      await putBytes(blobs, Buffer.alloc(MiB))
      await tiles.write('tile/0/000', Buffer.alloc(8_192))
    }),
  )

  it(
    'a program that met it is believed',
    onSmallDisk(async ({ dir, fill }) => {
      fill()
      await assert.rejects(runCommand(['cp', process.execPath, join(dir, 'copy')]), full)
    }),
  )

  it(
    'room is looked for before there is none',
    onSmallDisk(async ({ dir, fill, free, remount }) => {
      assert.equal(await lackOfRoom([dir], MiB), undefined)
      assert.equal((await lackOfRoom([dir], 100 * MiB))?.code, 'host-out-of-disk')
      fill()
      assert.equal((await lackOfRoom([dir], 0))?.code, 'host-out-of-disk')
      await free()
      for (const name of ['db', 'run']) await mkdir(join(dir, name))
      remount('ro')
      assert.equal((await lackOfRoom([dir], MiB))?.code, 'host-disk-unwritable')
      await assert.rejects(told(makeVmFolder(join(dir, 'run'))), {
        code: 'host-disk-unwritable',
        hint: /may write/,
      })
      await assert.rejects(openLevelStore(join(dir, 'db')), { code: 'host-disk-unwritable' })
      remount('rw')
      assert.equal(await lackOfRoom([dir], MiB), undefined)
      assert.deepEqual((await readdir(dir)).sort(), ['db', 'run'])
    }),
  )
})
