import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { pack } from 'tar-stream'
import { inspectArchive } from '../../src/pypi/archive.ts'
import { deflatedEntry, storedEntry, writeZip } from '../../src/pypi/zip-writer.ts'
import { limits } from '../../src/wire/limits.ts'
import { lyingZipBomb, tarBomb, zipBomb } from '../helpers/archive-bombs.ts'
import { badArchives, goodArchives, wheelOf } from '../helpers/bad-archives.ts'
import { withDirectory } from '../helpers/temporary.ts'

type Header = Parameters<ReturnType<typeof pack>['entry']>[0]

async function sdistOf(members: [string | Header, string?][]): Promise<Buffer> {
  const tar = pack()
  for (const [header, text] of members) {
    const full = typeof header === 'string' ? { name: header } : header
    text === undefined ? tar.entry(full) : tar.entry(full, text)
  }
  tar.finalize()
  return gzipSync(await buffer(tar))
}

async function look(bytes: Uint8Array, filename: string, options: Parameters<typeof inspectArchive>[3] = {}) {
  return withDirectory(async dir => {
    const path = join(dir, 'file')
    await writeFile(path, bytes)
    return inspectArchive(path, filename.endsWith('.whl') ? 'wheel' : 'sdist', filename, options)
  })
}

const info = 'Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n'

test('good archives have no fault and give their texts', async () => {
  const [wheel, sdist] = await goodArchives()
  assert.ok(wheel && sdist)
  const inWheel = await look(wheel.bytes, wheel.filename)
  assert.equal(inWheel.fault, undefined)
  assert.match(inWheel.texts.get('bad-1.0.dist-info/METADATA') ?? '', /Name: bad/)
  const inSdist = await look(sdist.bytes, sdist.filename)
  assert.equal(inSdist.fault, undefined)
  assert.equal(inSdist.members, 2)
  assert.match(inSdist.texts.get('PKG-INFO') ?? '', /Name: bad/)
})

for (const bad of await badArchives())
  test(`${bad.name}: ${bad.fault}`, async () => {
    const { fault, detail, texts } = await look(bad.bytes, bad.filename)
    assert.equal(fault, bad.fault, detail)
    assert.equal(texts.size, 0)
  })

for (const make of [zipBomb, lyingZipBomb, tarBomb]) {
  const bomb = make()
  test(`${bomb.name}: ${bomb.fault}`, async () => {
    assert.equal((await look(bomb.bytes, bomb.filename)).fault, bomb.fault)
  })
}

test('what an archive unpacks to is counted, declared or not', async () => {
  const small = { ...limits, unpackedBytes: 1_000 }
  const sdist = await sdistOf([
    ['demo-1.0/PKG-INFO', info],
    ['demo-1.0/large', 'x'.repeat(2_000)],
  ])
  assert.equal((await look(sdist, 'demo-1.0.tar.gz', { limits: small })).fault, 'unpacks-too-large')
  const wheel = wheelOf([deflatedEntry('bad/large', Buffer.alloc(2_000))])
  const seen = await look(wheel, 'bad-1.0-py3-none-any.whl', { limits: small })
  assert.equal(seen.fault, 'unpacks-too-large')
})

test('members are counted', async () => {
  const sdist = await sdistOf(Array.from({ length: 11 }, (_, at) => [`demo-1.0/${at}`, '']))
  const { fault } = await look(sdist, 'demo-1.0.tar.gz', { limits: { ...limits, archiveMembers: 10 } })
  assert.equal(fault, 'too-many-members')
})

test('a metadata file is bounded', async () => {
  const sdist = await sdistOf([['demo-1.0/pyproject.toml', '#'.repeat(200)]])
  const { fault } = await look(sdist, 'demo-1.0.tar.gz', { limits: { ...limits, metadataBytes: 100 } })
  assert.equal(fault, 'bad-metadata')
})

test('links inside the tree are fine; through a link or up and round is not', async () => {
  const link = (name: string, linkname: string): [Header] => [
    { name: `demo-1.0/${name}`, type: 'symlink', linkname },
  ]
  const own: [string, string] = ['demo-1.0/PKG-INFO', info]
  const faultOf = async (...members: [string | Header, string?][]) =>
    (await look(await sdistOf([own, ...members]), 'demo-1.0.tar.gz')).fault
  assert.equal(await faultOf(link('a', 'PKG-INFO'), link('docs/b', '../PKG-INFO')), undefined)
  assert.equal(await faultOf(link('a', 'docs'), ['demo-1.0/a/file', 'x']), 'link-escape')
  assert.equal(await faultOf(['demo-1.0/a/file', 'x'], link('a', 'docs')), 'link-escape')
  assert.equal(await faultOf(link('a', '.'), link('b', 'a/..')), 'link-escape')
  assert.equal(await faultOf(link('a.', '.'), link('b', 'a./..')), 'link-escape')
  assert.equal(await faultOf(link('docs/a', '../src/../PKG-INFO')), 'link-escape')
  assert.equal(await faultOf(link('docs/deep/a', '.././../PKG-INFO')), undefined)
  assert.equal(await faultOf(link('a', 'x\\..\\..')), 'link-escape')
  assert.equal(await faultOf([{ name: 'demo-1.0/a', type: 'link', linkname: 'other/file' }]), 'link-escape')
})

test('an sdist has one top folder and something to build from', async () => {
  const fault = async (...members: [string, string][]) =>
    (await look(await sdistOf(members), 'demo-1.0.tar.gz')).fault
  assert.equal(await fault(['demo-1.0/setup.py', '']), undefined)
  assert.equal(await fault(['demo-1.0/pyproject.toml', '']), undefined)
  assert.equal(await fault(['demo-1.0/PKG-INFO', info], ['other/file', '']), 'no-metadata')
  assert.equal(await fault(['PKG-INFO', info]), 'no-metadata')
  assert.equal(await fault(['demo-1.0/README', '']), 'no-metadata')
  assert.equal(await fault(['demo-1.0/PKG-INFO', 'Name: demo\n']), 'bad-metadata')
})

test('an sdist may be a zip file; its texts are found below the top folder', async () => {
  const paths = [
    'PKG-INFO',
    'pyproject.toml',
    'tox.ini',
    'requirements-test.txt',
    'requirements/tests.in',
    'tests/requirements.txt',
    'demo.egg-info/requires.txt',
    'src/demo.egg-info/requires.txt',
  ]
  const skipped = ['docs/deep/requirements.txt', 'src/demo/PKG-INFO', 'README.txt']
  const entries = [...paths, ...skipped].map(path => storedEntry(`demo-1.0/${path}`, Buffer.from(info)))
  const { fault, texts } = await look(writeZip(entries), 'demo-1.0.zip')
  assert.equal(fault, undefined)
  assert.deepEqual([...texts.keys()].sort(), paths.sort())
})

test('damage inside a zip member is seen', async () => {
  const entry = deflatedEntry('bad/data', Buffer.from('some text '.repeat(50)))
  const wrongSum = wheelOf([{ ...entry, crc32: 1 }])
  assert.equal((await look(wrongSum, 'bad-1.0-py3-none-any.whl')).fault, 'not-an-archive')
  const broken = wheelOf([{ ...entry, body: Buffer.from(entry.body).fill(0xff) }])
  assert.equal((await look(broken, 'bad-1.0-py3-none-any.whl')).fault, 'not-an-archive')
})

test('a file that cannot be read is an error, not a fault of the archive', async () => {
  for (const name of ['demo-1.0.tar.gz', 'demo-1.0.zip'])
    await assert.rejects(inspectArchive('/nonexistent/file', 'sdist', name), { code: 'ENOENT' })
})

test('the signal stops a look', async () => {
  const [wheel, sdist] = await goodArchives()
  for (const file of [wheel, sdist]) {
    assert.ok(file)
    await assert.rejects(
      look(file.bytes, file.filename, { signal: AbortSignal.abort(new Error('stop')) }),
      /stop/,
    )
  }
})
