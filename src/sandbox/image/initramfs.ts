import { readFile } from 'node:fs/promises'
import { type CpioEntry, encodeCpio } from './cpio.ts'
import type { GuestSources } from './guest-sources.ts'
import { shrinkModule } from './shrink-module.ts'
import type { Part } from './stages.ts'
import type { ImageStore } from './store.ts'

const folders = [
  'agent',
  'agent/rules',
  'base',
  'bin',
  'dev',
  'modules',
  'modules/qemu',
  'modules/uml',
  'proc',
  'root',
  'rw',
  'sbin',
  'sys',
]
const applets = ['sh', 'mount', 'insmod', 'mkdir', 'cp', 'sleep', 'poweroff', 'switch_root']

/** The first root of every guest, for both kernels: busybox, kernel modules in load order, `init` and the agent. */
export async function makeInitramfs(
  sources: GuestSources,
  store: ImageStore,
  busybox: Part,
  modules: Record<string, { name: string; part: Part }[]>,
): Promise<Uint8Array> {
  const stored = (part: Part) => readFile(store.partPath(part.sha256))
  const text = (value: string) => new TextEncoder().encode(value)
  const entries: CpioEntry[] = folders.map(path => ({ path, mode: 0o755 }))
  entries.push({ path: 'init', mode: 0o755, data: sources.init })
  entries.push({ path: 'bin/busybox', mode: 0o755, data: await stored(busybox) })
  for (const applet of applets)
    entries.push({ path: `bin/${applet}`, mode: 0o777, link: true, data: text('busybox') })
  for (const kind of Object.keys(modules).sort()) {
    const list = modules[kind] ?? []
    for (const { name, part } of list)
      entries.push({
        path: `modules/${kind}/${name}`,
        mode: 0o644,
        data: shrinkModule(await stored(part)),
      })
    const order = list.map(({ name }) => `${name}\n`).join('')
    entries.push({ path: `modules/${kind}/order`, mode: 0o644, data: text(order) })
  }
  for (const file of sources.agent) entries.push({ path: `agent/${file.name}`, mode: 0o600, data: file.data })
  return encodeCpio(entries)
}
