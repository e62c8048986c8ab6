import { systemClock } from '../clock.ts'
import type { Logger } from '../logger.ts'
import { createDownloadCache } from '../pypi/download.ts'
import { createIndexClient } from '../pypi/index-client.ts'
import { findIndex } from '../pypi/pip-config.ts'
import { ensureUv } from '../pypi/uv.ts'
import type { Paths } from './paths.ts'

/** Path of the pinned uv; fetched through the index pip is configured with when it is not there yet. */
export async function findUv(paths: Paths, log: Logger, signal?: AbortSignal): Promise<string> {
  const index = await findIndex({ env: process.env })
  const common = { clock: systemClock, log }
  return ensureUv({
    toolsDir: paths.tools,
    index: createIndexClient({ ...common, url: index.url }),
    cache: createDownloadCache({ ...common, indexUrl: index.url, dir: paths.downloads }),
    ...common,
    ...(signal && { signal }),
  })
}
