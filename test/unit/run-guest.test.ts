import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { PytiError } from '../../src/errors.ts'
import { emptyPlan } from '../../src/sandbox/backends.ts'
import type { ReadyVm } from '../../src/sandbox/ready-vm.ts'
import { runJobIn } from '../../src/sandbox/run-guest.ts'
import { releaseReasonOf } from '../../src/volunteer/release-reason.ts'
import { withDirectory } from '../helpers/temporary.ts'

const ended: [string, () => Promise<Map<string, Buffer>>][] = [
  ['that ended well', async () => new Map()],
  [
    'that broke off',
    () => Promise.reject(new PytiError('guest-ended', 'the guest ended', { details: { stage: 'working' } })),
  ],
]

for (const [how, run] of ended)
  test(`a run ${how} says nothing when the host refused the VM memory`, () =>
    withDirectory(async dir => {
      const jobDisk = join(dir, 'job')
      await writeFile(jobDisk, '')
      let isEnded = false
      const ready = {
        vm: { wasDenied: () => true },
        session: { run },
        jobDisk,
        end: async () => {
          isEnded = true
        },
      } as unknown as ReadyVm
      const job = { plan: emptyPlan, files: [], wallSeconds: 1, clockMs: 0 }
      await assert.rejects(runJobIn(ready, 1, job), error => {
        assert.ok(error instanceof PytiError)
        assert.match(error.hint ?? '', /vm\.max_map_count/)
        assert.equal(releaseReasonOf(error), 'host-out-of-memory')
        return true
      })
      assert.ok(isEnded)
    }))
