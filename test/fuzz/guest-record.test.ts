import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { describe } from 'node:test'
import { promisify } from 'node:util'
import fc from 'fast-check'
import { z } from 'zod'
import { canonicalBytes } from '../../src/wire/canonical.ts'
import { GuestEvent, Item } from '../../src/wire/guest.ts'
import { limits } from '../../src/wire/limits.ts'
import { GuestRecord } from '../../src/wire/raw-data.ts'
import { fuzz } from '../helpers/fuzz.ts'

const driver = new URL('../../guest/tests/hostile_record.py', import.meta.url).pathname
const HandedOut = z.strictObject({
  record: z.base64(),
  events: z.array(z.unknown()),
  logs: z.record(z.string(), z.int()),
})

/** A record that does not parse counts as forged and its package as accused: no package may bring that about. */
describe('what the agent hands out of hostile packages', () => {
  fuzz('is what the host reads', fc.integer({ min: 0, max: 2 ** 31 }), 4, async seed => {
    const { stdout } = await promisify(execFile)('python3', [driver, String(seed)], {
      maxBuffer: 2 * limits.guestOutputBytes,
    })
    const handed = HandedOut.parse(JSON.parse(stdout))
    const text = new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(handed.record, 'base64'))
    const record = GuestRecord.parse(JSON.parse(text))
    assert.deepEqual(record, JSON.parse(text))
    assert.ok(canonicalBytes(record).length < limits.rawDataBytes)
    for (const event of handed.events) GuestEvent.parse(event)
    for (const [name, size] of Object.entries(handed.logs)) {
      Item.parse({ name, size, sha256: '0'.repeat(64) })
      assert.ok(size <= limits.logBytes)
    }
  })
})
