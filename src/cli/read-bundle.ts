import { readFile, stat } from 'node:fs/promises'
import { PytiError } from '../errors.ts'
import { limits } from '../wire/limits.ts'

/**
 * Bytes of a report bundle, unchecked but for their number.
 * @throws PytiError `file-not-found` | `usage`
 */
export async function readBundle(path: string): Promise<Buffer> {
  const info = await stat(path).catch(() => undefined)
  if (!info?.isFile()) throw new PytiError('file-not-found', `there is no report ${path}`)
  if (info.size > limits.bundleBytes)
    throw new PytiError('usage', `${path} is larger than a report bundle can be`)
  return readFile(path)
}
