import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const repositoryDir = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

/** Where things are kept. `PYTI_HOME` moves both. */
export interface Paths {
  /** Guest images, downloads, tools: can be made again at any time. */
  cache: string
  images: string
  downloads: string
  tools: string
  uvCache: string
  probes: string
  /** Saved VMs that others are restored from. */
  templates: string
  /** Folders of running VMs. Other users must be able to reach it: root's VMs run under a user id of their own. */
  run: string
  /** Keys and databases of nodes: not to be lost. */
  data: string
}

export function findPaths(env = process.env): Paths {
  const root = process.getuid?.() === 0
  const home = env.PYTI_HOME
  const cache = home
    ? join(home, 'cache')
    : root
      ? '/var/cache/pyti'
      : join(env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'pyti')
  const data = home
    ? join(home, 'data')
    : root
      ? '/var/lib/pyti'
      : join(env.XDG_DATA_HOME ?? join(homedir(), '.local/share'), 'pyti')
  return {
    cache,
    data,
    images: join(cache, 'images'),
    downloads: join(cache, 'downloads'),
    tools: join(cache, 'tools'),
    uvCache: join(cache, 'uv'),
    probes: join(cache, 'probes'),
    templates: join(cache, 'templates'),
    run: join(cache, 'run'),
  }
}
