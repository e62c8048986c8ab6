import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { strayFolders } from './local-network.ts'
import { type MimicResult, runMimics } from './mimic-run.ts'
import type { Mimic } from './mimics.ts'

/** Of the mimics, at their verdict or above. */
const wantedRecall = 0.95

/** Runs pairs and holds each side against its truth, with its evidence; then recall, and twins above `observed`. */
export function describeMimics(title: string, pairs: readonly Mimic[], atLeast: number): void {
  describe(title, () => {
    let results: MimicResult[] = []
    const stop = new AbortController()

    before(async () => {
      assert.ok(pairs.length >= atLeast, `${pairs.length} pairs`)
      results = await runMimics(pairs, { signal: stop.signal })
    })
    after(() => stop.abort())

    for (const { name } of pairs)
      for (const role of ['mimic', 'twin'] as const)
        it(`${role} ${name}`, () => {
          const own = results.filter(result => result.pair.name === name && result.role === role)
          assert.ok(own.length > 0, 'it was run')
          for (const result of own) assert.deepEqual(result.wrong, [], describeResult(result))
        })

    it('recall, and no twin above observed', context => {
      const mimics = results.filter(({ role }) => role === 'mimic')
      const caught = mimics.filter(({ evaluation }) => isLoud(evaluation.verdict))
      const loud = results.filter(({ role, evaluation }) => role === 'twin' && isLoud(evaluation.verdict))
      context.diagnostic(
        `${caught.length} of ${mimics.length} mimics suspicious or confirmed, ${loud.length} of ${results.length - mimics.length} twins`,
      )
      assert.deepEqual(
        loud.map(({ filename }) => filename),
        [],
      )
      assert.ok(caught.length >= wantedRecall * mimics.length && mimics.length > 0)
    })

    it('leaves no folder behind', async () => assert.deepEqual(await strayFolders(), []))
  })
}

const isLoud = (verdict: string): boolean => verdict === 'suspicious' || verdict === 'confirmed'

/** What was found, for the reader of a failed test. */
function describeResult({ filename, evaluation, wrong }: MimicResult): string {
  const findings = evaluation.findings.map(({ id, phase, evidence }) => `  ${id} in ${phase}: ${evidence}`)
  return [`${filename}: ${evaluation.verdict}`, ...wrong.map(text => `- ${text}`), ...findings].join('\n')
}
