import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { makeAll, type SampleDistribution } from '../src/pypi/make-distribution.ts'

/** Every distribution of the pairs in `samples/mimics`. */
export async function makeAllMimics(samplesDir: string): Promise<SampleDistribution[]> {
  const dir = join(samplesDir, 'mimics')
  const pairs = (await readdir(dir)).filter(name => !name.startsWith('_')).sort()
  return (await Promise.all(pairs.map(name => makeAll(join(dir, name))))).flat()
}
