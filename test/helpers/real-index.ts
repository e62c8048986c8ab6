import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { env } from 'node:process'
import { systemClock } from '../../src/clock.ts'
import { messageOf } from '../../src/errors.ts'
import { silentLogger } from '../../src/logger.ts'
import type { UvSettings } from '../../src/pypi/compile.ts'
import { createDownloadCache, type DownloadCache } from '../../src/pypi/download.ts'
import { createIndexClient, type IndexClient } from '../../src/pypi/index-client.ts'
import { findPython } from '../../src/pypi/pip.ts'
import { findIndex } from '../../src/pypi/pip-config.ts'
import { ensureUv } from '../../src/pypi/uv.ts'

export interface RealIndex {
  index: IndexClient
  cache: DownloadCache
  uv: UvSettings
  dir: string
  remove(): Promise<void>
}

/** The index of this machine's pip and a uv from it, or why there is none. */
export async function openRealIndex(): Promise<RealIndex | { reason: string }> {
  const dir = await mkdtemp(join(tmpdir(), 'pyti-test-'))
  const remove = () => rm(dir, { recursive: true, force: true })
  try {
    const found = await findIndex({ env })
    const common = { clock: systemClock, log: silentLogger }
    const index = createIndexClient({ ...common, url: found.url })
    const cache = createDownloadCache({ ...common, dir: join(dir, 'cache'), indexUrl: found.url })
    const path = await ensureUv({
      toolsDir: join(dir, 'tools'),
      index,
      cache,
      clock: systemClock,
      log: silentLogger,
    })
    const uv: UvSettings = {
      path,
      python: await findPython(env),
      cacheDir: join(dir, 'uv-cache'),
      indexUrl: found.url,
      env,
      ...(found.caFile === undefined ? {} : { caFile: found.caFile }),
    }
    return { index, cache, uv, dir, remove }
  } catch (error) {
    await remove()
    return { reason: `no package index: ${messageOf(error)}` }
  }
}
