import { z } from 'zod'
import { jobClasses, openRules } from '../consensus/classes.ts'
import type { Rules } from '../consensus/decide.ts'
import { rules } from '../report/rules.ts'
import { digestOf } from '../wire/canonical.ts'
import { Sha256 } from '../wire/job.ts'

const policyUri = 'https://pyti.example/policy/v1'

const few = z.int().min(0).max(100)

/** By which rules a report was made: those of consensus in the open, all of them by digest. */
export const Policy = z.strictObject({
  uri: z.literal(policyUri),
  digest: z.strictObject({ sha256: Sha256 }),
  annotations: z.strictObject({
    jobClass: z.enum(jobClasses),
    quorum: few.min(1),
    odds: z.int().min(0),
    seats: few.min(1),
    maxSeats: few.min(1),
    panel: few,
    referees: few,
    refereePool: z.int().min(0).max(100_000),
    spotReferees: few,
  }),
})
export type Policy = z.infer<typeof Policy>

/** The policy of this version of the software, under the given rules of consensus. */
export function policyOf(consensus: Rules = openRules): Policy {
  const descriptor = {
    consensus: { version: 2, ...consensus },
    evaluation: 'pyti.evaluation/3',
    rawData: 'pyti.raw-data/3',
    rules: rules.map(({ id, version, level }) => ({ id, version, level })),
  }
  return { uri: policyUri, digest: { sha256: digestOf(descriptor) }, annotations: consensus }
}
