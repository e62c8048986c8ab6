import { CommandError } from '../net/command-error.ts'
import { fileBlob } from '../net/file-blob.ts'
import type { Network } from '../net/network.ts'
import type { Image } from '../sandbox/image/store.ts'
import { imageParts } from '../wire/image.ts'

/** Offers a coordinator's guest images beside its other blobs, to volunteers that have them not. */
export function withImages(network: Network, images: readonly Image[]): Network {
  network.serve('image', async ({ id }) => {
    const image = images.find(candidate => candidate.id === id)
    if (!image) throw new CommandError('NOT_FOUND', `guest image ${id.slice(0, 12)} is not served here`)
    return image.manifest
  })
  const parts = new Map(
    images.flatMap(image =>
      imageParts.map(name => {
        const { sha256, size } = image.manifest.parts[name]
        return [sha256, { path: image.path(name), size }] as const
      }),
    ),
  )
  const readPart = (sha256: string) => {
    const part = parts.get(sha256)
    return part && fileBlob(part.path, part.size)
  }
  return {
    ...network,
    serveBlobs: held =>
      network.serveBlobs(async (sha256, peer) => (await held(sha256, peer)) ?? readPart(sha256)),
  }
}
