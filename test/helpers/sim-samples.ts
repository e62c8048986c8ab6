import type { SampleMaker } from '../../src/coordinator/samples.ts'
import { evaluate } from '../../src/report/evaluate.ts'
import { sha256 } from '../../src/wire/canonical.ts'
import type { Job } from '../../src/wire/job.ts'
import { contradictions, type Truth } from '../../src/wire/truth.ts'
import { type Lie, told } from './sim-answers.ts'

const build = { status: 'passed' } as const
/** What samples may be like: they do the same in every run. */
const kinds = {
  plain: { verdict: 'clean', tasks: { build, unittest: { status: 'passed' } } },
  broken: { tasks: { build, unittest: { status: 'failed', reason: 'tests-failed' } } },
  harmful: { verdict: 'confirmed', tasks: { build } },
} as const satisfies Record<string, Truth>
const names = ['plain', 'broken', 'harmful'] as const

/** Files in place of bundled samples, each under a name of its own that says what it is like. */
export function createSimSamples(pause: () => Promise<void>): SampleMaker {
  return async (_, random) => {
    const nature = names[(random(1)[0] ?? 0) % names.length] ?? 'plain'
    const project = `${nature}-${Buffer.from(random(8)).toString('hex')}`
    await pause()
    const filename = `${project}-1.0.tar.gz`
    const bytes = Buffer.from(`the file ${filename}`)
    return {
      project,
      version: '1.0',
      filename,
      kind: 'sdist',
      sha256: sha256(bytes),
      bytes,
      truth: kinds[nature],
    }
  }
}

/** Whether the truth of a sample shows that it was lied about, or that tests were made to look flaky. */
export function isShown(truth: Truth, job: Job, lie: Lie | undefined, flaky: readonly string[]): boolean {
  return contradictions(truth, evaluate({ rawData: [told(job, lie)], flaky })).length > 0
}
