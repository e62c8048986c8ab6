import assert from 'node:assert/strict'
import { createReadStream, existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { describe, it } from 'node:test'
import { systemClock } from '../../src/clock.ts'
import { PytiError } from '../../src/errors.ts'
import { runCommand } from '../../src/exec.ts'
import { diskTrouble, lackOfRoom } from '../../src/host-disk.ts'
import { silentLogger } from '../../src/logger.ts'
import { createDownloadCache } from '../../src/pypi/download.ts'
import { emptyPlan } from '../../src/sandbox/backends.ts'
import { createDisk } from '../../src/sandbox/disks.ts'
import { fetchImage } from '../../src/sandbox/image/fetch.ts'
import { ImageStore } from '../../src/sandbox/image/store.ts'
import type { ReadyVm } from '../../src/sandbox/ready-vm.ts'
import { runJobIn } from '../../src/sandbox/run-guest.ts'
import { makeVmFolder } from '../../src/sandbox/vm-folder.ts'
import { putBytes } from '../../src/store/blob-bytes.ts'
import { openBlobStore } from '../../src/store/blobs.ts'
import { openLevelStore } from '../../src/store/level.ts'
import type { Store } from '../../src/store/store.ts'
import { openTileFiles } from '../../src/store/tile-files.ts'
import { sha256 } from '../../src/wire/canonical.ts'
import { noSmallDisk, type SmallDisk, withSmallDisk } from '../helpers/small-disk.ts'
import { makeImage } from '../helpers/small-image.ts'
import { withDirectory } from '../helpers/temporary.ts'

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
    'downloads, files of peers and guest images say so and leave nothing half',
    onSmallDisk(async ({ dir, fill }) => {
      const bytes = Buffer.alloc(MiB, 'bytes')
      const file = { filename: 'thing-1.0.tar.gz', sha256: sha256(bytes), size: bytes.length }
      const cache = createDownloadCache({
        dir: join(dir, 'downloads'),
        indexUrl: 'https://index.test/simple/',
        clock: systemClock,
        log: silentLogger,
        fetch: async () => new Response(bytes),
      })
      const elsewhere = await mkdtemp(join(tmpdir(), 'pyti-full-disk-'))
      try {
        const image = await makeImage(new ImageStore(elsewhere), elsewhere, 'x'.repeat(MiB))
        const source = {
          manifest: async () => image.manifest,
          fetchBlob: ({ sha256 }: { sha256: string }) => createReadStream(join(elsewhere, 'files', sha256)),
        }
        await mkdir(join(dir, 'images'))
        await mkdir(join(dir, 'downloads'))
        fill()
        await assert.rejects(
          cache.receive(file, () => Readable.from([bytes])),
          full,
        )
        await assert.rejects(cache.fetch({ ...file, url: 'https://files.test/thing' }), full)
        const images = join(dir, 'images')
        await assert.rejects(fetchImage(image.id, [source, source], new ImageStore(images), images), full)
      } finally {
        await rm(elsewhere, { recursive: true })
      }
      assert.deepEqual(await readdir(join(dir, 'downloads')), [])
      assert.deepEqual(await readdir(join(dir, 'images')), [])
    }),
  )

  describe('and a VM', () => {
    /** One whose guest broke off while package code ran. */
    const brokenOff = (folder: string, ended: () => void) => {
      const session = {
        async run() {
          throw new PytiError('guest-ended', 'it broke off', { details: { stage: 'working' } })
        },
      }
      const ready = { vm: {}, session, jobDisk: join(folder, 'job'), end: async () => ended() }
      return ready as unknown as ReadyVm
    }
    const job = { plan: emptyPlan, files: [], wallSeconds: 1, clockMs: 0 }

    it(
      'whose job disk cannot be written is ended, and the host is named',
      onSmallDisk(async ({ dir, fill }) => {
        await createDisk(join(dir, 'job'), MiB)
        fill()
        let ended = 0
        await assert.rejects(
          runJobIn(
            brokenOff(dir, () => ended++),
            1,
            job,
          ),
          full,
        )
        assert.equal(ended, 1)
      }),
    )

    it(
      'that breaks off where nothing is left for its output disk is not held against the package',
      onSmallDisk(async ({ dir }) => {
        await createDisk(join(dir, 'job'), MiB)
        await assert.rejects(
          runJobIn(
            brokenOff(dir, () => {}),
            1,
            job,
          ),
          full,
        )
      }),
    )

    it('that breaks off where there is room is', () =>
      withDirectory(async dir => {
        await createDisk(join(dir, 'job'), MiB)
        await assert.rejects(
          runJobIn(
            brokenOff(dir, () => {}),
            1,
            job,
          ),
          { code: 'guest-ended' },
        )
      }))
  })

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
      assert.equal((await lackOfRoom([dir], MiB))?.code, 'host-disk-unusable')
      await assert.rejects(told(makeVmFolder(join(dir, 'run'))), {
        code: 'host-disk-unusable',
        hint: /read and write there/,
      })
      await assert.rejects(openLevelStore(join(dir, 'db')), { code: 'host-disk-unusable' })
      remount('rw')
      assert.equal(await lackOfRoom([dir], MiB), undefined)
      assert.deepEqual((await readdir(dir)).sort(), ['db', 'run'])
    }),
  )
})
