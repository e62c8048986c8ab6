import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { type Disk, realDisk } from '../../src/store/disk.ts'
import { openTileFiles } from '../../src/store/tile-files.ts'
import { createCrash, createMemoryDisk } from '../helpers/crashing-disk.ts'
import { told } from '../helpers/expect.ts'
import { settled } from '../helpers/manual-clock.ts'
import { withDirectory } from '../helpers/temporary.ts'

const bytes = Buffer.from('some hashes')
const other = Buffer.from('other hashes')
const name = 'ab'.repeat(32)

/** The same on a real folder and on the disk that forgets. */
const disks: Record<string, (use: (root: string, disk: Disk) => Promise<void>) => Promise<void>> = {
  'a real disk': use => withDirectory(dir => use(join(dir, 'deep', 'log'), realDisk)),
  'a disk in memory': use => use('/log', createMemoryDisk()),
}

for (const [kind, withDisk] of Object.entries(disks))
  describe(`log folder on ${kind}`, () => {
    it('keeps tiles, documents and the checkpoint', () =>
      withDisk(async (root, disk) => {
        const files = await openTileFiles(root, disk)
        const paths = ['tile/0/000', 'tile/0/x001/x234/067.p/255', 'tile/entries/001.p/1', 'tile/63/999']
        for (const path of paths) {
          assert.equal(await files.read(path), undefined)
          await files.write(path, bytes)
        }
        await files.sync()
        assert.equal(await files.readCheckpoint(), undefined)
        await files.writeCheckpoint('one\n')
        await files.writeCheckpoint('two \u2014\n')
        assert.equal(await files.readDocument(name), undefined)
        await files.writeDocument(name, other)
        const again = await openTileFiles(root, disk)
        for (const path of paths) assert.deepEqual(Buffer.from((await again.read(path)) ?? []), bytes)
        assert.equal(await again.readCheckpoint(), 'two \u2014\n')
        assert.deepEqual(Buffer.from((await again.readDocument(name)) ?? []), other)
        assert.deepEqual(await disk.read(join(root, 'document', name)), await again.readDocument(name))
      }))

    it('writes each once', () =>
      withDisk(async (root, disk) => {
        const files = await openTileFiles(root, disk)
        for (const path of ['tile/1/000', 'tile/1/000.p/3']) {
          await files.write(path, bytes)
          await files.write(path, bytes)
          await assert.rejects(files.write(path, other), told('tile-changed'))
          assert.deepEqual(Buffer.from((await files.read(path)) ?? []), bytes)
        }
        await files.writeDocument(name, bytes)
        await files.writeDocument(name, bytes)
        await assert.rejects(files.writeDocument(name, other), told('document-changed'))
      }))

    it('removes the partial tiles below a full one', () =>
      withDisk(async (root, disk) => {
        const files = await openTileFiles(root, disk)
        for (const path of ['tile/1/000.p/3', 'tile/1/000.p/4', 'tile/1/001.p/4'])
          await files.write(path, bytes)
        await files.removePartial('tile/1/000')
        await files.removePartial('tile/1/002')
        assert.equal(await files.read('tile/1/000.p/3'), undefined)
        assert.equal(await files.read('tile/1/000.p/4'), undefined)
        assert.ok(await files.read('tile/1/001.p/4'))
      }))

    it('takes no path but those of tiles, no name but digests', () =>
      withDisk(async (root, disk) => {
        const files = await openTileFiles(root, disk)
        const tile = 'tile/0/000'
        const bad = [
          '',
          'checkpoint',
          '../a',
          'tile',
          'tile/0',
          'tile/0/0',
          '/tile/0/000',
          `${tile}/`,
          `${tile}\n`,
        ]
        bad.push(
          'tile/00/000',
          'tile/0/../../x',
          'tile/0/x1/000',
          `${tile}.p/0`,
          `${tile}.p/01`,
          `${tile}.p/1/2`,
        )
        bad.push(`${tile}.p/1.p/1`, 'tile/data/000', 'tile/0/x000', 'document/000', '.tmp/1')
        for (const path of bad) {
          await assert.rejects(files.write(path, bytes), told('bad-tile-path'), path)
          await assert.rejects(files.read(path), told('bad-tile-path'), path)
          await assert.rejects(files.removePartial(path), told('bad-tile-path'), path)
        }
        for (const id of ['', '..', name.toUpperCase(), `${name}0`, `../${name}`, `${name}\n`]) {
          await assert.rejects(files.writeDocument(id, bytes), told('bad-document-name'))
          await assert.rejects(files.readDocument(id), told('bad-document-name'))
        }
      }))
  })

it('removes what a killed process left half done, and tells the system’s errors', () =>
  withDirectory(async dir => {
    await mkdir(join(dir, '.tmp'))
    await writeFile(join(dir, '.tmp', '1'), 'half')
    const files = await openTileFiles(dir)
    await files.write('tile/0/000', bytes)
    assert.deepEqual(await readdir(join(dir, '.tmp')), [])
    assert.deepEqual(await readFile(join(dir, 'tile/0/000')), bytes)
    await mkdir(join(dir, 'checkpoint'))
    await assert.rejects(files.readCheckpoint(), /EISDIR/)
    await assert.rejects(files.writeCheckpoint('text'), /EISDIR|ENOTEMPTY|EEXIST/)
  }))

describe('after a power failure', () => {
  const lostAll = () => true
  /** Changes that opening a folder takes when it is there. */
  const opening = 2

  it('what was synced is there, however much else is lost', async () => {
    const disk = createMemoryDisk()
    const files = await openTileFiles('/var/log', disk)
    await files.write('tile/0/x001/000', bytes)
    await files.sync()
    await files.write('tile/0/x001/001', bytes)
    const left = await openTileFiles('/var/log', disk.afterCrash(lostAll))
    assert.deepEqual(Buffer.from((await left.read('tile/0/x001/000')) ?? []), bytes)
    assert.equal(await left.read('tile/0/x001/001'), undefined)
    await files.writeCheckpoint('text')
    await files.writeDocument(name, bytes)
    const later = await openTileFiles('/var/log', disk.afterCrash(lostAll))
    assert.equal(await later.readCheckpoint(), 'text')
    assert.deepEqual(Buffer.from((await later.readDocument(name)) ?? []), bytes)
  })

  it('a tile that an earlier process wrote without a sync is synced when it is written again', async () => {
    const disk = createMemoryDisk()
    await (await openTileFiles('/log', disk)).write('tile/0/000', bytes)
    const files = await openTileFiles('/log', disk)
    await files.write('tile/0/000', bytes)
    await files.sync()
    const left = await openTileFiles('/log', disk.afterCrash(lostAll))
    assert.deepEqual(Buffer.from((await left.read('tile/0/000')) ?? []), bytes)
  })

  it('a sync waits for one that is going on, and does what a failed one did not', async () => {
    const disk = createMemoryDisk()
    const gates: ((error?: Error) => void)[] = []
    const slow: Disk = {
      ...disk,
      syncFolder: path =>
        new Promise((resolve, reject) => {
          gates.push(error => (error ? reject(error) : resolve(disk.syncFolder(path))))
        }),
    }
    await openTileFiles('/log', disk)
    const files = await openTileFiles('/log', slow)
    await files.write('tile/0/000', bytes)
    const failed = assert.rejects(files.sync(), /gone/)
    let done = false
    const second = files.sync().then(() => {
      done = true
    })
    while (gates.length === 0) await settled()
    gates.shift()?.(new Error('gone'))
    await failed
    for (let folder = 0; folder < 3; folder += 1) {
      while (gates.length === 0) await settled()
      assert.ok(!done)
      gates.shift()?.()
    }
    await second
    const left = await openTileFiles('/log', disk.afterCrash(lostAll))
    assert.deepEqual(Buffer.from((await left.read('tile/0/000')) ?? []), bytes)
  })

  it('the checkpoint is the old or the new one, whole', async () => {
    for (let at = 1; at <= 4; at += 1)
      for (const mode of ['before', 'after'] as const)
        for (const lost of [true, false]) {
          const disk = createMemoryDisk()
          await (await openTileFiles('/log', disk)).writeCheckpoint('old checkpoint')
          const crashing = disk.afterCrash(() => false, createCrash(opening + at, mode))
          const files = await openTileFiles('/log', crashing)
          await assert.rejects(files.writeCheckpoint('new checkpoint'), /power failed/)
          const left = await openTileFiles(
            '/log',
            crashing.afterCrash(() => lost),
          )
          const found = await left.readCheckpoint()
          const renamed = at > 3 || (at === 3 && mode === 'after')
          const synced = at === 4 && mode === 'after'
          assert.equal(found, synced || (renamed && !lost) ? 'new checkpoint' : 'old checkpoint')
        }
  })
})
