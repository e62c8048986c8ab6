import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  consistencyProof,
  createTree,
  emptyRoot,
  inclusionProof,
  leafHash,
  type ReadHash,
  rootAt,
  type Tree,
  verifyInclusion,
} from '../../src/attest/log/merkle.ts'
import { openBundle, tileReader } from '../../src/attest/log/tile-reader.ts'
import {
  bundlesToWrite,
  decodeEntries,
  encodeEntries,
  entriesPath,
  makeTile,
  parseTilePath,
  pathOf,
  tilePath,
  tilesToWrite,
} from '../../src/attest/log/tiles.ts'
import { numberedTree } from '../helpers/log.ts'

const badTile = { code: 'bad-tile' }
const big = 70_000
const tree = numberedTree(big)

/** All tiles of the tree of `size` leaves, as files. */
async function publish(size: number): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>()
  for (const tile of tilesToWrite(0, size))
    files.set(pathOf(tile), await makeTile(Number(tile.level), tile.index, tile.width, tree.read))
  return files
}

/** A reader over files that notes which it fetched; `change` may put others in their place. */
async function readerOver(
  files: ReadonlyMap<string, Uint8Array>,
  size: number,
  change: (path: string, bytes: Uint8Array) => Uint8Array = (_, bytes) => bytes,
): Promise<{ read: ReadHash; fetched: Set<string> }> {
  const fetched = new Set<string>()
  const read = tileReader(size, await rootAt(size, tree.read), path => {
    const bytes = files.get(path)
    assert.ok(bytes, `${path} is not of this tree`)
    fetched.add(path)
    return change(path, bytes)
  })
  return { read, fetched }
}

test('paths as the specification writes them', () => {
  assert.equal(tilePath(0, 1_234_067), 'tile/0/x001/x234/067')
  assert.equal(tilePath(3, 0), 'tile/3/000')
  assert.equal(tilePath(0, 273, 112), 'tile/0/273.p/112')
  assert.equal(tilePath(63, 1_000, 1), 'tile/63/x001/000.p/1')
  assert.equal(entriesPath(1_234_067, 5), 'tile/entries/x001/x234/067.p/5')
  assert.equal(entriesPath(Number.MAX_SAFE_INTEGER), 'tile/entries/x009/x007/x199/x254/x740/991')
})

test('a path has one form, and reads back', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.constant('entries' as const), fc.nat(63)),
      fc.oneof(fc.nat(3_000), fc.maxSafeNat()),
      fc.integer({ min: 1, max: 256 }),
      (level, index, width) => {
        assert.deepEqual(parseTilePath(pathOf({ level, index, width })), { level, index, width })
      },
    ),
  )
  for (const path of [
    '',
    'checkpoint',
    'tile/0',
    'tile/0/',
    'tile/0/1',
    'tile/0/0001',
    'tile/00/001',
    'tile/64/001',
    'tile/-1/001',
    'tile/data/001',
    'tile/0/x000/001',
    'tile/0/001/002',
    'tile/0/x001',
    'tile/0/x001/x002',
    'tile/0/001.p/0',
    'tile/0/001.p/256',
    'tile/0/001.p/01',
    'tile/0/001.p/',
    'tile/0/001.p',
    'tile/0/001 ',
    'tile/0/001\n',
    '/tile/0/001',
    'tile/0/../001',
    'tile/0/x999/x999/x999/x999/x999/999',
  ])
    assert.throws(() => parseTilePath(path), badTile, JSON.stringify(path))
  for (const [level, index, width] of [
    [-1, 0, 256],
    [64, 0, 256],
    [0.5, 0, 256],
    [0, -1, 256],
    [0, 2 ** 53, 256],
    [0, 0, 0],
    [0, 0, 257],
  ] as const)
    assert.throws(() => tilePath(level, index, width), badTile)
})

test('the geometry of 70,000 leaves and of 256', () => {
  const counts = new Map<string, number>()
  for (const { level, width } of tilesToWrite(0, big))
    counts.set(`${level}/${width}`, (counts.get(`${level}/${width}`) ?? 0) + 1)
  assert.deepEqual(Object.fromEntries(counts), { '0/256': 273, '0/112': 1, '1/256': 1, '1/17': 1, '2/1': 1 })
  assert.deepEqual(tilesToWrite(0, 256).map(pathOf), ['tile/0/000', 'tile/1/000.p/1'])
  assert.deepEqual(tilesToWrite(0, 0), [])
  assert.deepEqual(bundlesToWrite(0, 257).map(pathOf), ['tile/entries/000', 'tile/entries/001.p/1'])
})

test('step by step one writes exactly what the larger tree has and the smaller has not', () => {
  fc.assert(
    fc.property(fc.nat(big), fc.nat(big), (one, other) => {
      const [oldSize, newSize] = one < other ? [one, other] : [other, one]
      const had = new Set(tilesToWrite(0, oldSize).map(pathOf))
      const added = tilesToWrite(0, newSize).map(pathOf)
      assert.deepEqual(
        tilesToWrite(oldSize, newSize).map(pathOf),
        added.filter(path => !had.has(path)),
      )
    }),
    { numRuns: 40 },
  )
  for (const [oldSize, newSize] of [
    [2, 1],
    [-1, 1],
    [0, 2 ** 53],
    [0, Number.NaN],
    [1, 0],
  ] as const)
    assert.throws(() => tilesToWrite(oldSize, newSize), badTile)
})

test('roots and proofs out of tiles are those of the tree', async () => {
  for (const size of [0, 1, 2, 255, 256, 257, 512, 1_000, 65_535, 65_536, 65_537, big]) {
    const { read } = await readerOver(await publish(size), size)
    assert.deepEqual(await rootAt(size, read), await rootAt(size, tree.read))
    for (const index of [0, 1, 254, 255, 256, 65_535, 65_536, size - 1].filter(at => at >= 0 && at < size)) {
      const proof = await inclusionProof(index, size, read)
      assert.deepEqual(proof, await inclusionProof(index, size, tree.read))
      const root = await rootAt(size, tree.read)
      verifyInclusion({ index, size, root, proof, leafHash: await read(0, index) })
      const oldSize = index + 1
      assert.deepEqual(
        await consistencyProof(oldSize, size, read),
        await consistencyProof(oldSize, size, tree.read),
      )
    }
  }
})

test('one proof of 70,000 leaves takes few tiles, each fetched once', async () => {
  let fetches = 0
  const files = await publish(big)
  const { read, fetched } = await readerOver(files, big, (_, bytes) => {
    fetches++
    return bytes
  })
  await inclusionProof(1_000, big, read)
  await inclusionProof(1_001, big, read)
  assert.deepEqual([...fetched].sort(), [
    'tile/0/003',
    'tile/0/273.p/112',
    'tile/1/000',
    'tile/1/001.p/17',
    'tile/2/000.p/1',
  ])
  assert.equal(fetches, fetched.size)
})

test('a flipped byte in any fetched tile is noticed, whatever is asked', async () => {
  for (const size of [1, 200, 256, 300, 65_536, big]) {
    const files = await publish(size)
    await fc.assert(
      fc.asyncProperty(
        fc.nat(size - 1),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        async (index, where, change) => {
          const asked = (read: ReadHash) => inclusionProof(index, size, read).then(() => read(0, index))
          const sound = await readerOver(files, size)
          await asked(sound.read)
          assert.ok(sound.fetched.size > 0)
          for (const target of sound.fetched) {
            const { read, fetched } = await readerOver(files, size, (path, bytes) =>
              path === target ? flip(bytes, where, change) : bytes,
            )
            await assert.rejects(asked(read), badTile, target)
            assert.ok(fetched.has(target))
          }
        },
      ),
      { numRuns: 12 },
    )
  }
})

test('no byte of a tile is given out before all of it is bound to the root', async () => {
  const files = await publish(big)
  for (let byte = 0; byte < 256 * 32; byte += 97) {
    // The leaf asked for is in the tile, and itself untouched.
    const leaf = byte < 32 ? 255 : 0
    const { read } = await readerOver(files, big, (path, bytes) =>
      path === 'tile/0/000' ? flip(bytes, byte, 1) : bytes,
    )
    await assert.rejects(async () => read(0, leaf), badTile)
    // What needs none of that tile is still there.
    assert.deepEqual(await read(0, 256), tree.read(0, 256))
  }
})

test('tiles that are too short, too long, of another tree or in each other’s place', async () => {
  const files = await publish(big)
  const other = numberedTree(1_000)
  const strange = await makeTile(
    0,
    0,
    256,
    {
      read: (level: number, index: number) => other.read(level, index + 1),
    }.read,
  )
  const bad: Record<string, (bytes: Uint8Array) => Uint8Array> = {
    empty: () => new Uint8Array(),
    short: bytes => bytes.slice(32),
    long: bytes => Uint8Array.from([...bytes, ...new Uint8Array(32)]),
    other: () => strange,
    neighbour: () => files.get('tile/0/001') ?? assert.fail(),
  }
  for (const [name, change] of Object.entries(bad)) {
    const { read } = await readerOver(files, big, (path, bytes) =>
      path === 'tile/0/000' ? change(bytes) : bytes,
    )
    await assert.rejects(async () => read(0, 5), badTile, name)
  }
})

test('a tile that could not be fetched is fetched again', async () => {
  const files = await publish(300)
  let down = true
  const read = tileReader(300, await rootAt(300, tree.read), path => {
    if (down) throw new Error('unreachable')
    return files.get(path) ?? assert.fail()
  })
  await assert.rejects(async () => read(0, 5), /unreachable/)
  down = false
  assert.deepEqual(await read(0, 5), tree.read(0, 5))
})

test('a root that is not that of the tiles, and hashes that the tree has not', async () => {
  const files = await publish(300)
  const fetch = (path: string) => files.get(path) ?? assert.fail()
  await assert.rejects(async () => tileReader(300, emptyRoot, fetch)(0, 0), badTile)
  const { read } = await readerOver(files, 300)
  for (const [level, index] of [
    [0, 300],
    [8, 1],
    [9, 0],
    [0, -1],
    [-1, 0],
    [0.5, 0],
    [0, 0.5],
  ] as const)
    await assert.rejects(async () => read(level, index), badTile, `${level} ${index}`)
  for (const size of [-1, 0.5, 2 ** 53, Number.NaN])
    assert.throws(() => tileReader(size, emptyRoot, fetch), badTile)
  assert.deepEqual(await rootAt(0, tileReader(0, emptyRoot, fetch)), emptyRoot)
})

test('bundles of entries: what went in comes out, and nothing else is taken', () => {
  const text = (length: number) => Uint8Array.from(Buffer.alloc(length, 'x'))
  const entries = [text(0), text(1), text(255), text(256), text(65_535)]
  const bytes = encodeEntries(entries)
  assert.deepEqual(decodeEntries(bytes, 5), entries)
  assert.deepEqual([...bytes.subarray(0, 5)], [0, 0, 0, 1, 120])
  for (const width of [4, 6]) assert.throws(() => decodeEntries(bytes, width), badTile)
  for (const length of [0, 1, 4, bytes.length - 1])
    assert.throws(() => decodeEntries(bytes.subarray(0, length), 5), badTile)
  assert.throws(() => encodeEntries([text(65_536)]), badTile)
})

test('a bundle opens only with the entries of the tree', async () => {
  const { read } = await readerOver(await publish(300), 300)
  const entries = Array.from({ length: 44 }, (_, at) => Uint8Array.from(Buffer.from(String(256 + at))))
  const tile = { level: 'entries', index: 1, width: 44 } as const
  assert.deepEqual(await openBundle(tile, encodeEntries(entries), read), entries)
  const bytes = encodeEntries(entries)
  for (let at = 0; at < bytes.length; at++)
    await assert.rejects(openBundle(tile, flip(bytes, at, 1), read), badTile)
  await assert.rejects(openBundle({ ...tile, index: 0 }, bytes, read), badTile)
  await assert.rejects(openBundle({ ...tile, width: 43 }, bytes, read), badTile)
})

test('trees of every size to 600 out of tiles with random leaves', async () => {
  const random: Tree = createTree()
  for (let index = 0; index < 600; index++) random.append(leafHash(Buffer.from(`${index * 7_919}`)))
  for (let size = 1; size <= 600; size += 7) {
    const read = tileReader(size, await rootAt(size, random.read), (_, { level, index, width }) =>
      makeTile(Number(level), index, width, random.read),
    )
    assert.deepEqual(await read(0, size - 1), random.read(0, size - 1))
    assert.deepEqual(await rootAt(size, read), await rootAt(size, random.read))
  }
})

function flip(bytes: Uint8Array, where: number, change: number): Uint8Array {
  const copy = Uint8Array.from(bytes)
  const at = where % copy.length
  copy[at] = (copy[at] ?? 0) ^ change
  return copy
}
