import { z } from 'zod'
import { defaultRules, type Rules } from '../consensus/decide.ts'
import { rules } from '../report/rules.ts'
import { digestOf } from '../wire/canonical.ts'
import { Sha256 } from '../wire/job.ts'

const policyUri = 'https://pyti.example/policy/v1'

/** By which rules a report was made: those of consensus in the open, all of them by digest. */
export const Policy = z.strictObject({
  uri: z.literal(policyUri),
  digest: z.strictObject({ sha256: Sha256 }),
  annotations: z.strictObject({ quorum: z.int().min(1).max(100), maxSeats: z.int().min(1).max(100) }),
})
export type Policy = z.infer<typeof Policy>

/** The policy of this version of the software, under the given rules of consensus. */
export function policyOf({ quorum, maxSeats }: Rules = defaultRules): Policy {
  const descriptor = {
    consensus: { version: 1, quorum, maxSeats },
    evaluation: 'pyti.evaluation/2',
    rawData: 'pyti.raw-data/2',
    rules: rules.map(({ id, version, level }) => ({ id, version, level })),
  }
  return { uri: policyUri, digest: { sha256: digestOf(descriptor) }, annotations: { quorum, maxSeats } }
}
