import assert from 'node:assert/strict'
import { it } from 'node:test'
import { cutoffFor } from '../../src/cli/index-cutoff.ts'

const now = Date.parse('2026-11-20T12:00:00Z')
const settled = Date.parse('2025-06-01T00:00:00Z')

it('a release is judged by the index of its own time, a day later', () => {
  assert.equal(cutoffFor('upload', '2026-02-01T10:00:00.123Z', settled, now), '2026-02-02T10:00:00Z')
})
it('but never by one that the guest Python was not settled on', () => {
  assert.equal(cutoffFor('upload', '2015-02-01T10:00:00Z', settled, now), '2025-06-01T00:00:00Z')
})
it('a fresh upload, an unknown upload time and "now" mean the coordinator decides', () => {
  assert.equal(cutoffFor('upload', '2026-11-20T11:00:00Z', settled, now), undefined)
  assert.equal(cutoffFor('upload', undefined, settled, now), undefined)
  assert.equal(cutoffFor('upload', 'yesterday', settled, now), undefined)
  assert.equal(cutoffFor('now', '2015-02-01T10:00:00Z', settled, now), undefined)
})
it('a given moment is taken, unless it lies in the future', () => {
  assert.equal(cutoffFor(Date.parse('2026-01-31T00:00:00Z'), undefined, settled, now), '2026-01-31T00:00:00Z')
  assert.equal(cutoffFor(now + 1_000, undefined, settled, now), undefined)
})
