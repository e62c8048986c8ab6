import assert from 'node:assert/strict'
import { readdir, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { collectImages, unusedMs } from '../../src/sandbox/image/collect.ts'
import { ImageStore, writeAtomically } from '../../src/sandbox/image/store.ts'
import { sha256 } from '../../src/wire/canonical.ts'
import { makeImage } from '../helpers/small-image.ts'
import { withDirectory } from '../helpers/temporary.ts'

const day = 24 * 3_600_000
const nothing = { images: [], stages: [] }

/** Two images with bases of their own and a stage with busybox, made now. */
async function withImages(
  use: (context: {
    dir: string
    store: ImageStore
    old: string
    current: string
    has: (content: string) => Promise<boolean>
    built: () => Promise<string[]>
    /** What was collected when asked so many days from now. */
    collectIn: (
      days: number,
      keep?: { images: string[]; stages: string[] },
      unused?: number,
    ) => Promise<{ images: string[]; freedBytes: number }>
  }) => Promise<void>,
): Promise<void> {
  await withDirectory(async dir => {
    const store = new ImageStore(dir)
    const old = (await makeImage(store, dir, 'old base')).id
    const current = (await makeImage(store, dir, 'new base')).id
    await writeFile(join(dir, 'incoming'), 'busybox')
    const busybox = await store.adopt(join(dir, 'incoming'))
    const record = (name: string, value: unknown) =>
      writeAtomically(join(dir, 'built', `${name}.json`), JSON.stringify(value))
    await record('stage-aa', { packages: [], parts: { busybox }, modules: {} })
    await record('11', { image: old })
    await record('22', { image: current })
    const start = Date.now()
    await use({
      dir,
      store,
      old,
      current,
      has: async content => (await readdir(join(dir, 'files'))).includes(sha256(content)),
      built: async () => (await readdir(join(dir, 'built'))).sort(),
      collectIn: (days, keep = nothing, unused = unusedMs) =>
        collectImages({ dir, keep, unusedMs: unused, now: start + days * day }),
    })
  })
}

describe('collecting images', () => {
  it('leaves all alone for 30 days', () =>
    withImages(async ({ store, built, collectIn }) => {
      assert.deepEqual(await collectIn(29), { images: [], freedBytes: 0 })
      assert.equal((await store.list()).length, 2)
      assert.deepEqual(await built(), ['11.json', '22.json', 'stage-aa.json'])
    }))

  it('then removes what is not of this version: manifest, record and the files only it had', () =>
    withImages(async ({ store, old, current, has, built, collectIn }) => {
      const collected = await collectIn(31, { images: [current], stages: ['aa'] })
      assert.deepEqual(collected, { images: [old], freedBytes: 'old base'.length })
      assert.equal(await has('old base'), false)
      for (const content of ['new base', 'libc', 'busybox']) assert.ok(await has(content), content)
      assert.deepEqual(await built(), ['22.json', 'stage-aa.json'])
      assert.equal((await store.open(current)).id, current)
    }))

  it('keeps an image another process opened in the meantime', () =>
    withImages(async ({ dir, old, current, has, collectIn }) => {
      const used = new ImageStore(dir, () => Date.now() + 10 * day)
      await used.open(old)
      const { images } = await collectIn(31)
      assert.deepEqual(images, [current])
      assert.ok(await has('old base'))
      assert.ok(!(await has('new base')))
    }))

  it('removes all but this version at once when asked to', () =>
    withImages(async ({ old, current, has, collectIn }) => {
      assert.deepEqual((await collectIn(1, { images: [current], stages: [] }, 0)).images, [old])
      assert.ok(!(await has('busybox')))
      assert.ok(await has('new base'))
    }))

  it('spares files of the last hour: a build elsewhere has not named them yet', () =>
    withImages(async ({ store, has, collectIn, dir }) => {
      await writeFile(join(dir, 'incoming'), 'half built')
      await store.adopt(join(dir, 'incoming'))
      assert.equal((await collectIn(0.5 / 24)).freedBytes, 0)
      assert.ok(await has('half built'))
      assert.equal((await collectIn(1.5 / 24)).freedBytes, 'half built'.length)
    }))

  it('keeps the files of a manifest in a form it does not know: another version may run VMs from them', () =>
    withImages(async ({ dir, old, has, collectIn }) => {
      await rm(join(dir, `${old}.json`))
      const manifest = JSON.stringify({ schema: 'pyti.image/99', files: [sha256('old base')] })
      await writeFile(join(dir, `${sha256(manifest)}.json`), manifest)
      await collectIn(29)
      assert.ok(await has('old base'))
      assert.ok((await collectIn(31)).images.includes(sha256(manifest)))
      assert.ok(!(await has('old base')))
    }))

  it('removes damaged manifests of other versions, and copes with an empty folder', () =>
    withDirectory(async dir => {
      const collect = (now: number) => collectImages({ dir, keep: nothing, unusedMs, now })
      assert.deepEqual(await collect(Date.now()), { images: [], freedBytes: 0 })
      const path = join(dir, `${sha256('x')}.json`)
      await writeFile(path, 'not JSON')
      const long = new Date(Date.now() - 40 * day)
      await utimes(path, long, long)
      assert.deepEqual((await collect(Date.now())).images, [sha256('x')])
      await assert.rejects(stat(path), { code: 'ENOENT' })
    }))
})
