import { isCode } from '../errors.ts'
import type { Network, PeerId } from '../net/network.ts'
import { fetchImage } from '../sandbox/image/fetch.ts'
import type { Image, ImageStore } from '../sandbox/image/store.ts'

export type FindImage = (id: string, signal: AbortSignal) => Promise<Image>

/**
 * Guest images for jobs: here already, or brought from the coordinator, each once however many jobs ask at a time. The
 * signal is that of one job; when the job that brings an image ends early, another one that waits for it takes over.
 */
export function imageFinder(options: {
  store: ImageStore
  /** The images folder. */
  dir: string
  network: Pick<Network, 'request' | 'fetchBlob'>
  coordinator: PeerId
}): FindImage {
  const { store, dir, network, coordinator } = options
  const fetching = new Map<string, Promise<Image>>()

  const bring = (id: string, signal: AbortSignal): Promise<Image> => {
    const source = {
      manifest: (wanted: string) => network.request(coordinator, 'image', { id: wanted }, { signal }),
      fetchBlob: (blob: { sha256: string; size: number }) => network.fetchBlob(coordinator, blob, { signal }),
    }
    const fetched = fetchImage(id, [source], store, dir, { signal }).finally(() => fetching.delete(id))
    fetching.set(id, fetched)
    return fetched
  }

  const find = async (id: string, signal: AbortSignal): Promise<Image> => {
    try {
      return await store.open(id)
    } catch (error) {
      if (!isCode(error, 'image-missing') && !isCode(error, 'image-corrupt')) throw error
    }
    const running = fetching.get(id)
    if (!running) return bring(id, signal)
    const brought = await running.catch(() => undefined)
    signal.throwIfAborted()
    return brought ?? find(id, signal)
  }
  return find
}
