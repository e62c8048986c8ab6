import { join } from 'node:path'
import { makeAll } from '../../src/pypi/make-distribution.ts'
import { describeSamples } from '../helpers/truth.ts'

describeSamples(
  'bundled samples, each report against its truth',
  await makeAll(join(import.meta.dirname, '../../samples')),
  // Two: what matters is each truth, and that two machines say the same of it.
  { volunteers: 2 },
)
