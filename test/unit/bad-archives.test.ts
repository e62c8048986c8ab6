import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { inspectArchive } from '../../src/pypi/archive.ts'
import type { ArchiveLimits } from '../../src/pypi/archive-members.ts'
import { limits } from '../../src/wire/limits.ts'
import { crowd, lyingZipBomb, tarBomb, zipBomb } from '../helpers/archive-bombs.ts'
import { type BadArchive, badArchives, goodArchives } from '../helpers/bad-archives.ts'
import { withDirectory } from '../helpers/temporary.ts'

const MiB = 1024 * 1024

async function inspect(dir: string, archive: Omit<BadArchive, 'fault'>, ceilings?: ArchiveLimits) {
  const path = join(dir, archive.filename)
  await writeFile(path, archive.bytes)
  return inspectArchive(path, archive.kind, archive.filename, ceilings ? { limits: ceilings } : {})
}

suite('bad archives', () => {
  test('are refused in the right word, good ones are not', () =>
    withDirectory(async dir => {
      for (const archive of [...(await goodArchives()), ...(await badArchives())]) {
        const { fault } = await inspect(dir, archive)
        assert.equal(fault, 'fault' in archive ? archive.fault : undefined, archive.name)
      }
    }))

  test('that are too large are refused at their limit, and no more is read', () =>
    withDirectory(async dir => {
      const small = { ...limits, unpackedBytes: 32 * MiB, archiveMembers: 1_000 }
      for (const archive of [zipBomb(1), lyingZipBomb(1), tarBomb(1 / 16), crowd(1_001)])
        assert.equal((await inspect(dir, archive, small)).fault, archive.fault, archive.name)
    }))

  test('a tar bomb is a whole gzip file: length and checksum agree', () => {
    const { bytes } = tarBomb(1 / 64)
    assert.equal(gunzipSync(bytes).length, 16 * MiB + 512 + 1024)
    assert.ok(bytes.length < 20_000)
  })
})
