import { z } from 'zod'
import { PeerIdText } from '../wire/job.ts'

/** What a node run with `--events` prints on standard output, a JSON object per line, for the process that started it. */
export const NodeEvent = z.discriminatedUnion('event', [
  z.looseObject({
    event: z.literal('ready'),
    peer: PeerIdText,
    addresses: z.array(z.string()),
    reportKey: PeerIdText.optional(),
    logKey: z.string().optional(),
  }),
  z.looseObject({
    event: z.literal('fault'),
    code: z.string(),
    message: z.string(),
    file: z.string().optional(),
  }),
  z.looseObject({ event: z.literal('witness'), key: z.string() }),
  z.looseObject({ event: z.literal('cosigned'), origin: z.string(), size: z.number() }),
  z.looseObject({
    event: z.literal('stage'),
    filename: z.string(),
    stage: z.string(),
    detail: z.string().optional(),
  }),
  z.looseObject({ event: z.literal('submitted'), filename: z.string(), seconds: z.number() }),
  z.looseObject({
    event: z.literal('released'),
    filename: z.string(),
    reason: z.string(),
    message: z.string(),
  }),
  z.looseObject({ event: z.literal('paused'), code: z.string(), message: z.string() }),
  z.looseObject({ event: z.literal('vm'), state: z.string(), pid: z.number() }),
  z.looseObject({ event: z.enum(['leased', 'connected', 'disconnected', 'retrying', 'resumed', 'job']) }),
])
export type NodeEvent = z.infer<typeof NodeEvent>
