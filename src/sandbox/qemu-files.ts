import { access, realpath, stat } from 'node:fs/promises'
import { runCommand } from '../exec.ts'

const folder = '/usr/bin'
const libraryFolder = '/usr/lib/x86_64-linux-gnu/qemu'

/** Data QEMU reads at start: firmware, option ROMs, its loadable accelerators. Absent ones are left out. */
const dataFolders = ['/usr/share/qemu', '/usr/share/seabios', '/usr/lib/ipxe/qemu', libraryFolder]

export function qemuPath(binary: string): string {
  return `${folder}/${binary}`
}

/** What a saved state fits: another build of QEMU reads it wrongly or not at all. */
export interface QemuBuild {
  version: string
  size: number
  mtimeMs: number
}

const builds = new Map<string, QemuBuild>()

/** @throws PytiError `program-missing` | `command-failed` */
export async function qemuBuild(binary: string): Promise<QemuBuild> {
  const path = qemuPath(binary)
  const { size, mtimeMs } = await stat(path)
  const known = builds.get(path)
  if (known?.size === size && known.mtimeMs === mtimeMs) return known
  const stdout = await runCommand([path, '--version'], { timeoutMs: 30_000 })
  const build = { version: stdout.split('\n')[0]?.slice(0, 200) ?? '', size, mtimeMs }
  builds.set(path, build)
  return build
}

const binds = new Map<string, Promise<[string, string][]>>()

/** The binary, the libraries it is linked with and its data, each at its own path (QEMU finds its modules relative to itself). */
export function qemuFiles(binary: string): Promise<[string, string][]> {
  const known = binds.get(binary)
  if (known) return known
  const found = findFiles(binary)
  binds.set(binary, found)
  found.catch(() => binds.delete(binary))
  return found
}

async function findFiles(binary: string): Promise<[string, string][]> {
  const path = qemuPath(binary)
  const module = `${libraryFolder}/accel-tcg-${binary.replace('qemu-system-', '')}.so`
  const libraries = new Set<string>()
  for (const object of (await exists(module)) ? [path, module] : [path]) {
    const stdout = await runCommand(['ldd', object], { timeoutMs: 30_000 })
    for (const match of stdout.matchAll(/(?:=> |^\s*)(\/\S+) \(0x/gm)) if (match[1]) libraries.add(match[1])
  }
  const files: [string, string][] = [[path, path]]
  for (const library of libraries)
    if (!library.startsWith(`${libraryFolder}/`)) files.push([await realpath(library), library])
  for (const data of dataFolders) if (await exists(data)) files.push([data, data])
  return files
}

export async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
