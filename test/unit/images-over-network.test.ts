import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { imageFinder } from '../../src/cli/find-image.ts'
import { withImages } from '../../src/cli/serve-images.ts'
import { createMemoryHub } from '../../src/net/memory.ts'
import type { Network } from '../../src/net/network.ts'
import { type Image, ImageStore } from '../../src/sandbox/image/store.ts'
import { sha256 } from '../../src/wire/canonical.ts'
import { imageParts } from '../../src/wire/image.ts'
import { told } from '../helpers/expect.ts'
import { testIdentity } from '../helpers/raw-data.ts'
import { withDirectory } from '../helpers/temporary.ts'

const never = new AbortController().signal
const peers = { coordinator: testIdentity('coordinator').peerId, volunteer: testIdentity('a').peerId }

/** An image of small files; those named `own` are in no other image. */
async function makeImage(dir: string, python: string): Promise<Image> {
  const store = new ImageStore(dir)
  const adopt = async (name: string) => {
    const path = join(dir, 'new')
    await mkdir(dir, { recursive: true })
    await writeFile(path, ['base', 'initramfs'].includes(name) ? `${name} of ${python}` : name)
    return [name, await store.adopt(path)] as const
  }
  const parts: Record<string, { sha256: string; size: number }> = {}
  for (const name of imageParts) {
    const [key, part] = await adopt(name)
    parts[key] = part
  }
  const { base, initramfs, uml, libc, loader, shell, vmlinuz } = parts
  assert.ok(base && initramfs && uml && libc && loader && shell && vmlinuz)
  const id = await store.save({
    schema: 'pyti.image/2',
    name: `python-${python}`,
    python,
    glibc: '2.41',
    lock: null,
    jail: { libc: '/lib/libc.so.6', loader: '/lib64/ld.so' },
    parts: { base, initramfs, uml, libc, loader, shell, vmlinuz },
  })
  return store.open(id)
}

/** A coordinator that serves two images, and a volunteer's finder with a store of its own. */
function withImagesServed(
  use: (parts: {
    images: [Image, Image]
    network: Network
    find: ReturnType<typeof imageFinder>
    asked: string[]
    /** Fires as soon as the manifest has been asked for. */
    hooks: { onAsk(): void }
    dir: string
  }) => Promise<void>,
): Promise<void> {
  return withDirectory(async root => {
    const hub = createMemoryHub()
    const [one, two] = [
      await makeImage(join(root, 'coordinator'), '3.13'),
      await makeImage(join(root, 'coordinator'), '3.11'),
    ]
    const served = withImages(hub.join(peers.coordinator), [one, two])
    served.serveBlobs(async () => undefined)
    const network = hub.join(peers.volunteer)
    const asked: string[] = []
    const hooks = { onAsk() {} }
    const dir = join(root, 'volunteer')
    const find = imageFinder({
      store: new ImageStore(dir),
      dir,
      coordinator: peers.coordinator,
      network: {
        request: (peer, name, request, options) => {
          asked.push(name)
          const reply = network.request(peer, name, request, options)
          hooks.onAsk()
          return reply
        },
        fetchBlob: network.fetchBlob,
      },
    })
    await use({ images: [one, two], network, find, asked, hooks, dir })
  })
}

describe('guest images over the network', () => {
  it('jobs of two Pythons bring two images at the same time, each once', () =>
    withImagesServed(async ({ images, find, asked }) => {
      const wanted = [images[0], images[1], images[0], images[1]]
      const found = await Promise.all(wanted.map(({ id }) => find(id, never)))
      assert.deepEqual(
        found.map(({ id, manifest }) => [id, manifest.python]),
        wanted.map(({ id, manifest }) => [id, manifest.python]),
      )
      assert.deepEqual(asked, ['image', 'image'])
      assert.equal(await readFile(found[1]?.path('base') ?? '', 'utf8'), 'base of 3.11')
      await find(images[1].id, never)
      assert.equal(asked.length, 2)
    }))

  it('an image that is not served is not found, and leaves nothing behind', () =>
    withImagesServed(async ({ find, dir }) => {
      await assert.rejects(find(sha256('another'), never), told('image-unreachable', /is not served here/))
      assert.deepEqual(await readdir(dir).catch(() => []), [])
    }))

  it('when the job that brings an image ends, one that waits for it takes over', () =>
    withImagesServed(async ({ images, find, asked, hooks }) => {
      const first = new AbortController()
      hooks.onAsk = () => first.abort(new Error('lease ended'))
      const ended = find(images[0].id, first.signal)
      const waiting = find(images[0].id, never)
      await assert.rejects(ended, /lease ended/)
      assert.equal((await waiting).id, images[0].id)
      assert.equal(asked.length, 2)
    }))

  it('parts are served by digest, other blobs are not', () =>
    withImagesServed(async ({ images, network }) => {
      const read = async (blob: { sha256: string; size: number }) => {
        const chunks: Uint8Array[] = []
        for await (const chunk of network.fetchBlob(peers.coordinator, blob)) chunks.push(chunk)
        return Buffer.concat(chunks).toString()
      }
      for (const { manifest } of images)
        assert.equal(await read(manifest.parts.base), `base of ${manifest.python}`)
      await assert.rejects(read({ sha256: sha256('x'), size: 1 }), told('blob-missing'))
    }))
})
