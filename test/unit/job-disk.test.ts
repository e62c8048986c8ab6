import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { extract } from 'tar-stream'
import { createDisk } from '../../src/sandbox/disks.ts'
import { encodeCpio } from '../../src/sandbox/image/cpio.ts'
import { jobDiskHeaderBytes, writeJob } from '../../src/sandbox/job-disk.ts'
import type { GuestPlan } from '../../src/wire/guest.ts'

const plan: GuestPlan = {
  schema: 'pyti.plan/2',
  subject: { project: 'p', version: '1', filename: 'p-1.tar.gz', kind: 'sdist' },
  tasks: [],
  packages: { build: [], run: [], test: [] },
  incomplete: [],
  limits: { taskSeconds: 1, memoryMiB: 1, processes: 1, logBytes: 1, outputBytes: 1 },
  hashSeed: 0,
  network: 'dead',
  clockDays: [],
  seed: '0'.repeat(32),
}

describe('job disk', () => {
  let dir: string
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'pyti-disk-'))
  })
  after(() => rm(dir, { recursive: true, force: true }))

  it('holds the plan and the files behind a header, with the digest it reports', async () => {
    const file = join(dir, 'p-1.tar.gz')
    await writeFile(file, Buffer.alloc(100_001, 7))
    const path = join(dir, 'job')
    await createDisk(path, 1_048_576)
    const disk = await writeJob(path, plan, [{ filename: 'p-1.tar.gz', path: file, size: 100_001 }])
    const bytes = await readFile(path)
    assert.equal(bytes.length, 1_048_576)
    assert.equal(bytes.toString('latin1', 0, 8), 'PYTIJOB1')
    assert.equal(bytes.readBigUInt64BE(8), BigInt(disk.bytes))
    const tar = bytes.subarray(jobDiskHeaderBytes, jobDiskHeaderBytes + disk.bytes)
    assert.equal(createHash('sha256').update(tar).digest('hex'), disk.sha256)
    const members = new Map<string, Buffer>()
    const reader = extract()
    reader.end(tar)
    for await (const entry of reader) {
      const parts: Buffer[] = []
      for await (const part of entry) parts.push(part as Buffer)
      members.set(entry.header.name, Buffer.concat(parts))
    }
    assert.deepEqual(JSON.parse(members.get('plan.json')?.toString() ?? ''), plan)
    assert.equal(members.get('files/p-1.tar.gz')?.length, 100_001)
  })

  it('a file that is not as long as announced is an error, not a short disk', async () => {
    const file = join(dir, 'short')
    await writeFile(file, 'abc')
    await createDisk(join(dir, 'job-2'), 1_048_576)
    await assert.rejects(
      writeJob(join(dir, 'job-2'), plan, [{ filename: 'p-1.tar.gz', path: file, size: 10 }]),
    )
  })

  it('a job that does not fit the disk is refused before anything is written', async () => {
    const path = join(dir, 'job-3')
    await createDisk(path, 4096)
    await assert.rejects(
      writeJob(path, plan, [{ filename: 'p-1.tar.gz', path: '/nowhere', size: 5 * 2 ** 30 }]),
      { code: 'job-too-large' },
    )
  })
})

describe('initramfs archive', () => {
  it('is what cpio calls newc: header, name, data, padded to four', () => {
    const bytes = Buffer.from(
      encodeCpio([
        { path: 'bin', mode: 0o755 },
        { path: 'bin/a', mode: 0o644, data: Buffer.from('hello') },
        { path: 'bin/b', mode: 0o777, link: true, data: Buffer.from('a') },
      ]),
    )
    assert.equal(bytes.length % 4, 0)
    assert.equal(bytes.toString('latin1', 0, 6), '070701')
    const modes = [...bytes.toString('latin1').matchAll(/070701[0-9A-F]{8}([0-9A-F]{8})/g)].map(match =>
      Number.parseInt(match[1] ?? '', 16).toString(8),
    )
    assert.deepEqual(modes, ['40755', '100644', '120777', '0'])
    assert.ok(bytes.toString('latin1').endsWith('TRAILER!!!\0\0\0\0'))
  })
  it('gives equal bytes for equal entries', () => {
    const entries = [{ path: 'x', mode: 0o600, data: Buffer.from('y') }]
    assert.deepEqual(encodeCpio(entries), encodeCpio(entries))
  })
})
