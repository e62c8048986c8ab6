import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before } from 'node:test'
import { gunzipSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { inspectArchive } from '../../src/pypi/archive.ts'
import { FaultFound } from '../../src/pypi/archive-fault.ts'
import { makeDistributions, recordLine } from '../../src/pypi/make-distribution.ts'
import { collectRequirements } from '../../src/pypi/requirements.ts'
import { checkRecord } from '../../src/pypi/wheel-record.ts'
import { storedEntry, writeZip } from '../../src/pypi/zip-writer.ts'
import { limits } from '../../src/wire/limits.ts'
import { archiveFaults } from '../../src/wire/raw-data.ts'
import { badArchives, goodArchives } from '../helpers/bad-archives.ts'
import { fuzz, mutatedBytes, mutatedText } from '../helpers/fuzz.ts'

const bad = await badArchives()
const good = await goodArchives()
const sample = await makeDistributions(join(import.meta.dirname, '../../samples/flaky'))
const archives = [...good, ...bad, ...sample].filter(({ bytes }) => bytes.length > 0)
const wheels = archives.filter(({ kind }) => kind === 'wheel').map(({ bytes }) => bytes)
const sdists = archives.filter(({ kind }) => kind === 'sdist').map(({ bytes }) => bytes)
const tars = sdists.flatMap(bytes => {
  try {
    return [gunzipSync(bytes)]
  } catch {
    return []
  }
})
const small = { ...limits, unpackedBytes: 4 * 1024 * 1024, archiveMembers: 1_000, metadataBytes: 64 * 1024 }

let dir = ''
before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'pyti-fuzz-'))
})
after(() => rm(dir, { recursive: true, force: true }))

async function inspect(bytes: Uint8Array, kind: 'wheel' | 'sdist', filename: string): Promise<boolean> {
  const path = join(dir, 'archive')
  await writeFile(path, bytes)
  const look = await inspectArchive(path, kind, filename, { limits: small })
  assert.ok(look.members <= small.archiveMembers + 1)
  if (look.fault === undefined) {
    collectRequirements(look.texts, kind, 'bad')
    return true
  }
  assert.ok(archiveFaults.includes(look.fault), look.fault)
  assert.ok(look.detail !== undefined && look.detail.length <= 500)
  assert.equal(look.texts.size, 0)
  return false
}

fuzz('a mutated wheel has a fault or is one', mutatedBytes(wheels), 300, async bytes => {
  await inspect(bytes, 'wheel', 'bad-1.0-py3-none-any.whl')
})

fuzz('a mutated sdist in a zip file has a fault or is one', mutatedBytes(wheels), 100, async bytes => {
  await inspect(bytes, 'sdist', 'bad-1.0.zip')
})

fuzz('a mutated gzip stream has a fault or is an sdist', mutatedBytes(sdists), 150, async bytes => {
  await inspect(bytes, 'sdist', 'bad-1.0.tar.gz')
})

fuzz(
  'a mutated tar archive has a fault or is an sdist',
  fc.tuple(mutatedBytes(tars), fc.boolean()),
  300,
  async ([bytes, repair]) => {
    const tar = repair ? withChecksums(bytes) : bytes
    await inspect(gzipSync(tar, { level: 1 }), 'sdist', 'bad-1.0.tar.gz')
  },
)

// Stored, not deflated: a bit of padding in a deflated member may change and leave what it unpacks to as it is.
const wheelBytes = storedWheel()
fuzz(
  'no byte of a file in a wheel changes unseen',
  fc.tuple(fc.constantFrom('bad/__init__.py', 'bad-1.0.dist-info/METADATA'), fc.nat(), fc.nat(7)),
  60,
  async ([member, at, bit]) => {
    const changed = Uint8Array.from(wheelBytes)
    const start = dataOf(changed, member)
    const length = Buffer.from(changed.buffer).readUInt32LE(start.header + 18)
    const place = start.data + (at % length)
    changed[place] = (changed[place] ?? 0) ^ (1 << bit)
    assert.equal(await inspect(changed, 'wheel', 'bad-1.0-py3-none-any.whl'), false)
  },
)

const digest = 'A'.repeat(43)
fuzz(
  'a RECORD holds or names what does not',
  mutatedText(
    [`a.py,sha256=${digest},1\n"b,c.py",sha256=${digest},2\nx/RECORD,,\n`],
    ['"', '""', ',', 'sha256=', digest, '\r\n'],
  ),
  500,
  text => {
    try {
      checkRecord(
        text,
        new Map([
          ['a.py', digest],
          ['b,c.py', 'B'.repeat(43)],
        ]),
      )
    } catch (error) {
      assert.ok(error instanceof FaultFound && error.fault === 'bad-metadata', String(error))
    }
  },
)

function storedWheel(): Uint8Array<ArrayBuffer> {
  const files = [
    ['bad/__init__.py', '# A module.\n'],
    ['bad-1.0.dist-info/METADATA', 'Metadata-Version: 2.2\nName: bad\nVersion: 1.0\n'],
    ['bad-1.0.dist-info/WHEEL', 'Wheel-Version: 1.0\nTag: py3-none-any\n'],
  ].map(([path = '', text = '']) => ({ path, data: Buffer.from(text) }))
  const record = files.map(({ path, data }) => recordLine(path, data)).join('')
  return writeZip(
    [...files, { path: 'bad-1.0.dist-info/RECORD', data: Buffer.from(record) }].map(({ path, data }) =>
      storedEntry(path, data),
    ),
  )
}

/** Local header and data of a member, by its name in the first place it stands. */
function dataOf(zip: Uint8Array, member: string): { header: number; data: number } {
  const name = Buffer.from(zip.buffer).indexOf(member)
  return { header: name - 30, data: name + member.length }
}

/** A mutated tar archive with right checksums, so that the reader does not stop at the first of them. */
function withChecksums(tar: Uint8Array): Uint8Array {
  const bytes = Uint8Array.from(tar)
  for (let at = 0; at + 512 <= bytes.length; at += 512) {
    const header = bytes.subarray(at, at + 512)
    if (Buffer.from(header.subarray(257, 262)).toString('latin1') !== 'ustar') continue
    header.fill(32, 148, 156)
    const sum = header.reduce((total, byte) => total + byte, 0)
    header.set(Buffer.from(`${sum.toString(8).padStart(6, '0')}\0 `), 148)
  }
  return bytes
}
