import { join } from 'node:path'
import { makeAll } from '../../src/pypi/make-distribution.ts'
import { describeSamples } from '../helpers/truth.ts'

// Two volunteers: what matters here is that each attack ends, is named, and that two machines say the same of it.
describeSamples(
  'hostile samples end within their limits and are never a pass',
  await makeAll(join(import.meta.dirname, '../../samples/hostile')),
  { volunteers: 2, taskSeconds: 12 },
)
