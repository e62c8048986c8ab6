import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { findPaths } from '../../src/cli/paths.ts'
import { messageOf } from '../../src/errors.ts'
import { noteUse } from '../../src/unused.ts'
import { runHost } from './host-program.ts'

const version = '1.4.0'
const pinned = `securesystemslib==${version} --hash=sha256:a0743a3d978cf26e98a70a57e3fbd5a18e0a74c20cabe615f6a55b02ef0272b3\n`

/**
 * A folder for `PYTHONPATH` with securesystemslib, which this machine's pip fetches once: pinned by digest, and without its
 * dependencies, as its own Ed25519 does.
 */
export async function securesystemslib(python: string): Promise<{ folder: string; reason: string | false }> {
  const folder = join(findPaths().tools, `securesystemslib-${version}`)
  if (existsSync(folder)) {
    await noteUse(folder, Date.now())
    return { folder, reason: false }
  }
  await mkdir(findPaths().tools, { recursive: true })
  const part = await mkdtemp(`${folder}-part-`)
  try {
    await writeFile(join(part, 'requirements.txt'), pinned)
    const target = join(part, 'site')
    const options = ['--quiet', '--no-deps', '--only-binary', ':all:', '--require-hashes', '--target', target]
    const ended = await runHost(python, ['-m', 'pip', 'install', ...options, '-r', 'requirements.txt'], {
      cwd: part,
      timeoutMs: 120_000,
    })
    if (ended.exitCode !== 0) throw new Error(ended.stderr)
    await rename(target, folder)
    return { folder, reason: false }
  } catch (error) {
    return { folder, reason: `no securesystemslib: ${messageOf(error)}` }
  } finally {
    await rm(part, { recursive: true, force: true })
  }
}
