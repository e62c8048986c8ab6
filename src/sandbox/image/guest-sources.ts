import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sha256 } from '../../wire/canonical.ts'

/** Files of `guest/` that go into the initramfs, sorted by path. */
export interface GuestSources {
  init: Uint8Array
  agent: { name: string; data: Uint8Array }[]
}

export async function readGuestSources(guestDir: string): Promise<GuestSources> {
  const names = (await readdir(join(guestDir, 'agent')))
    .filter(name => /^[a-z][a-z0-9_]*\.py$/.test(name))
    .sort()
  return {
    init: await readFile(join(guestDir, 'init')),
    agent: await Promise.all(
      names.map(async name => ({ name, data: await readFile(join(guestDir, 'agent', name)) })),
    ),
  }
}

/** Every file by digest, as JSON. */
export const describeSources = (sources: GuestSources) => ({
  init: sha256(sources.init),
  agent: sources.agent.map(file => [file.name, sha256(file.data)]),
})
