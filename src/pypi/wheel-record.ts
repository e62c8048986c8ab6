import { FaultFound } from './archive-fault.ts'
import { show } from './archive-members.ts'

/**
 * Compares a wheel's RECORD with what its members really hold (binary distribution format). Only a wrong digest is a
 * fault: an installer would put bytes in place that the wheel's builder never saw.
 * @param digests SHA-256 of each member in unpadded base64url, by path
 * @throws FaultFound `bad-metadata`
 */
export function checkRecord(record: string, digests: ReadonlyMap<string, string>): void {
  for (const line of record.split(/\r?\n/)) {
    const found = /^(.*),sha256=([A-Za-z0-9_-]{43}),[^,]*$/.exec(line)
    if (!found) continue
    const [, field = '', listed = ''] = found
    const path = field.startsWith('"') ? field.slice(1, -1).replaceAll('""', '"') : field
    const actual = digests.get(path)
    if (actual !== undefined && actual !== listed)
      throw new FaultFound('bad-metadata', `${show(path)} is not what RECORD lists`)
  }
}
