import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { isCode } from '../../src/errors.ts'
import { fetchImage, type ImageSource } from '../../src/sandbox/image/fetch.ts'
import { ImageStore } from '../../src/sandbox/image/store.ts'
import { sha256 } from '../../src/wire/canonical.ts'
import { type ImageManifest, imageId, imageParts } from '../../src/wire/image.ts'
import { smallManifest } from '../helpers/small-image.ts'
import { withDirectory } from '../helpers/temporary.ts'

const manifest = smallManifest()
const id = imageId(manifest)
const contents = new Map<string, string>(imageParts.map(part => [sha256(part), part]))

interface Lies {
  manifest?: () => Promise<ImageManifest>
  blob?: (content: string, count: number) => AsyncIterable<Uint8Array>
}

async function* chunks(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text)
}

function makeSource(lies: Lies = {}): ImageSource & { asked: string[] } {
  const asked: string[] = []
  return {
    asked,
    manifest: lies.manifest ?? (async () => manifest),
    fetchBlob: ({ sha256: digest }) => {
      const content = contents.get(digest) ?? ''
      asked.push(content)
      return lies.blob ? lies.blob(content, asked.length) : chunks(content.slice(0, 2), content.slice(2))
    },
  }
}

const never = new Promise<never>(() => {})
const liars: Record<string, Lies> = {
  'has another manifest': { manifest: async () => smallManifest('other') },
  'fails at the manifest': { manifest: () => Promise.reject(new Error('not here')) },
  'never says the manifest': { manifest: () => never },
  'sends other bytes': { blob: content => chunks('x'.repeat(content.length)) },
  'sends too few': { blob: content => chunks(content.slice(1)) },
  'sends nothing': { blob: () => chunks() },
  'sends without end': {
    blob: async function* () {
      for (;;) yield Buffer.alloc(1_000)
    },
  },
  'breaks off': {
    blob: async function* (content) {
      yield Buffer.from(content.slice(0, 1))
      throw new Error('connection lost')
    },
  },
  'falls silent': {
    blob: async function* (content) {
      yield Buffer.from(content.slice(0, 1))
      await never
    },
  },
}

const fetchWith = (
  sources: ImageSource[],
  check: (result: {
    store: ImageStore
    dir: string
    fetched: ReturnType<typeof fetchImage>
  }) => Promise<void>,
  signal?: AbortSignal,
) =>
  withDirectory(async dir => {
    const store = new ImageStore(dir)
    const fetched = fetchImage(id, sources, store, dir, { silenceMs: 50, ...(signal && { signal }) })
    await check({ store, dir, fetched })
    assert.deepEqual(
      (await readdir(dir)).filter(name => name.startsWith('fetch-')),
      [],
    )
  })

describe('fetching an image', () => {
  it('takes all from the first source and asks no other', async () => {
    const [first, second] = [makeSource(), makeSource()]
    await fetchWith([first, second], async ({ fetched }) => {
      assert.equal((await fetched).id, id)
    })
    assert.deepEqual(first.asked, [...imageParts])
    assert.deepEqual(second.asked, [])
  })

  for (const [name, lies] of Object.entries(liars)) {
    it(`goes to the next source when one ${name}`, () =>
      fetchWith([makeSource(lies), makeSource()], async ({ fetched }) => {
        assert.equal((await fetched).id, id)
      }))

    it(`fails when the only one ${name}`, () =>
      fetchWith([makeSource(lies)], async ({ store, fetched }) => {
        await assert.rejects(fetched, error => isCode(error, 'image-corrupt', 'image-unreachable'))
        await assert.rejects(store.open(id), error => isCode(error, 'image-missing'))
      }))
  }

  it('says which it was: damaged or not there', async () => {
    const damaged = makeSource(liars['sends other bytes'])
    const gone = makeSource(liars['breaks off'])
    await fetchWith([gone], async ({ fetched }) => {
      await assert.rejects(
        fetched,
        error => isCode(error, 'image-unreachable') && /connection lost/.test(error.message),
      )
    })
    await fetchWith([gone, damaged], async ({ fetched }) => {
      await assert.rejects(fetched, error => isCode(error, 'image-corrupt'))
    })
    await fetchWith([], async ({ fetched }) => {
      await assert.rejects(fetched, error => isCode(error, 'image-unreachable'))
    })
  })

  it('asks for each part again from the first source', async () => {
    const first = makeSource({
      blob: (content, count) => chunks(count === 2 ? 'x'.repeat(content.length) : content),
    })
    const second = makeSource()
    await fetchWith([first, second], async ({ fetched }) => {
      assert.equal((await fetched).id, id)
    })
    assert.deepEqual(first.asked, [...imageParts])
    assert.deepEqual(second.asked, [imageParts[1]])
  })

  it('does not fetch what is here', async () => {
    const source = makeSource()
    await fetchWith([source], async ({ store, dir, fetched }) => {
      await fetched
      await fetchImage(id, [source], store, dir)
    })
    assert.equal(source.asked.length, imageParts.length)
  })

  it('stops at the signal and asks nobody further', async () => {
    const stop = new AbortController()
    const second = makeSource()
    const first = makeSource({
      blob: async function* () {
        stop.abort(new Error('shutting down'))
        yield Buffer.from('x')
        throw new Error('aborted by the network')
      },
    })
    await fetchWith(
      [first, second],
      async ({ fetched }) => {
        await assert.rejects(fetched, /shutting down/)
      },
      stop.signal,
    )
    assert.deepEqual(second.asked, [])
  })

  it('refuses a manifest with a part no volunteer would want to store', async () => {
    const huge = structuredClone(manifest)
    huge.parts.base.size = 2 ** 40
    await withDirectory(async dir => {
      const source = makeSource({ manifest: async () => huge })
      const fetched = fetchImage(imageId(huge), [source], new ImageStore(dir), dir)
      await assert.rejects(fetched, error => isCode(error, 'image-corrupt'))
      assert.deepEqual(source.asked, [])
    })
  })
})
