import { z } from 'zod'
import { limits } from './limits.ts'

/** DSSE envelope with exactly one signature (attestation.md 2.2). A file of its own: verifiers need no command API. */
export const Envelope = z.strictObject({
  payloadType: z.string().max(200),
  payload: z.string().max(limits.envelopeBytes),
  signatures: z.array(z.strictObject({ keyid: z.string().max(200), sig: z.string().max(200) })).max(1),
})
export type Envelope = z.infer<typeof Envelope>
