import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { DistributionResult } from '../../src/cli/run-distributions.ts'
import { systemClock } from '../../src/clock.ts'
import { type EmbeddedIndex, startEmbeddedIndex } from '../../src/pypi/embedded-index.ts'
import type { SampleDistribution } from '../../src/pypi/make-distribution.ts'
import type { TaskName } from '../../src/wire/job.ts'
import { contradictions } from '../../src/wire/truth.ts'
import { alive, runAll, strayFolders, targetsOn, vms } from './local-network.ts'

/** Runs samples through real processes and VMs and holds each accepted report against the sample's truth. */
export function describeSamples(
  title: string,
  samples: SampleDistribution[],
  options: { volunteers: number; taskSeconds?: number },
): void {
  describe(title, () => {
    let index: EmbeddedIndex
    let results: Map<string, DistributionResult>

    before(async () => {
      index = await startEmbeddedIndex({ distributions: samples, clock: systemClock })
      const projects = [...new Set(samples.map(sample => sample.project))]
      results = await runAll(await targetsOn(index.url, projects), { index: index.url, ...options })
    })
    after(() => index?.close())

    for (const sample of samples)
      it(sample.filename, () => holdAgainstTruth(sample, results.get(sample.filename)))

    it('leaves no VM and no folder behind', async () => {
      assert.deepEqual(alive(vms), [])
      assert.deepEqual(await strayFolders(), [])
    })
  })
}

function holdAgainstTruth(
  { truth, filename }: SampleDistribution,
  result: DistributionResult | undefined,
): void {
  assert.ok(result, `${filename} has a result`)
  assert.equal(result.summary.reason, undefined)
  assert.ok(result.accepted?.verification.ok, 'its report verifies')
  assert.deepEqual(contradictions(truth, result.summary), [])
  const tasks: Partial<Record<TaskName, { status: string; reason?: string | undefined }>> =
    result.summary.tasks
  for (const [task, { signal }] of Object.entries(truth.tasks)) {
    const shown = `${task}: ${JSON.stringify(tasks[task as TaskName])}`
    if (signal) assert.ok(shown.includes(signal), `${signal} is named in ${shown}`)
  }
  const { unittest } = result.summary.tasks
  if (truth.tests) {
    const { passed, failed, errors, skipped, flaky, needsNetwork } = unittest ?? {}
    assert.deepEqual({ passed, failed, errors, skipped, flaky, needsNetwork }, truth.tests)
  }
}
