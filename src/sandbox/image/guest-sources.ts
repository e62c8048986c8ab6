import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sha256 } from '../../wire/canonical.ts'

interface SourceFile {
  /** Path below the agent's folder. */
  name: string
  data: Uint8Array
}

/** Files of `guest/` that go into the initramfs, sorted by path: `rules/` of the agent are those of its static checks. */
export interface GuestSources {
  init: Uint8Array
  agent: SourceFile[]
}

export async function readGuestSources(guestDir: string): Promise<GuestSources> {
  const agent = await readFiles(join(guestDir, 'agent'), '', /^[a-z][a-z0-9_]*\.py$/)
  const rules = await readFiles(
    join(guestDir, 'rules'),
    'rules/',
    /^(?:VERSION|[a-z][a-z0-9-]*\.(?:yar|txt))$/,
  )
  return { init: await readFile(join(guestDir, 'init')), agent: [...agent, ...rules] }
}

async function readFiles(folder: string, prefix: string, wanted: RegExp): Promise<SourceFile[]> {
  const names = (await readdir(folder)).filter(name => wanted.test(name)).sort()
  return Promise.all(
    names.map(async name => ({ name: `${prefix}${name}`, data: await readFile(join(folder, name)) })),
  )
}

/** Every file by digest, as JSON. */
export const describeSources = (sources: GuestSources) => ({
  init: sha256(sources.init),
  agent: sources.agent.map(file => [file.name, sha256(file.data)]),
})
