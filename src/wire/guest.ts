import { z } from 'zod'
import { DistributionFilename, DistributionKind, Hex128, Sha256, TaskName } from './job.ts'
import { LogName } from './raw-data.ts'

/** Raw data API between volunteer and guest: `u32be length | u8 type | payload`, length = 1 + payload bytes. */
export const rawDataApiVersion = 1

export const frameTypes = {
  // guest -> host
  hello: 1,
  ack: 2,
  event: 3,
  item: 4,
  data: 5,
  done: 6,
  bye: 7,
  // host -> guest
  go: 16,
  ping: 17,
  warm: 18,
} as const

export const Hello = z.strictObject({
  version: z.literal(rawDataApiVersion),
  kernel: z.string().max(200),
  python: z.string().max(100),
})
export type Hello = z.infer<typeof Hello>

export const GuestEvent = z.strictObject({
  task: z.union([TaskName, z.literal('setup')]),
  state: z.enum(['start', 'progress', 'end']),
  message: z.string().max(500).optional(),
})
export type GuestEvent = z.infer<typeof GuestEvent>

/** Announces `size` bytes: of `data` frames that follow or, with `at`, on the output disk from that byte on. */
export const Item = z.strictObject({
  name: z.union([z.literal('guest.json'), LogName]),
  size: z.int().min(0),
  sha256: Sha256,
  at: z.int().min(0).optional(),
})
export type Item = z.infer<typeof Item>

export const Done = z.strictObject({ items: z.int().min(0), sha256: Sha256 })

/** Host frames without a value: `ping` is acknowledged at once, `warm` when the tools have been loaded. */
export const Nothing = z.strictObject({})

/** Sent once, after the job disk has been written. */
export const Go = z.strictObject({
  job: z.strictObject({ bytes: z.int().min(0), sha256: Sha256 }),
  /** 32 bytes in hex for the guest's random pool: a restored or idle VM has none of its own. */
  entropy: Sha256,
  clockMs: z.int().min(0),
})
export type Go = z.infer<typeof Go>

/** `plan.json`, first member of the job disk. File names are members `files/NAME`. */
export const GuestPlan = z.strictObject({
  schema: z.literal('pyti.plan/2'),
  subject: z.strictObject({
    project: z.string(),
    version: z.string(),
    filename: DistributionFilename,
    kind: DistributionKind,
  }),
  tasks: z.array(TaskName),
  packages: z.strictObject({
    build: z.array(DistributionFilename),
    run: z.array(DistributionFilename),
    test: z.array(DistributionFilename),
  }),
  /** Groups whose requirements could not all be resolved: a task that needs them says `dependencies-unavailable`. */
  incomplete: z.array(z.enum(['build', 'run', 'test'])),
  limits: z.strictObject({
    taskSeconds: z.int(),
    memoryMiB: z.int(),
    processes: z.int(),
    logBytes: z.int(),
    outputBytes: z.int(),
  }),
  hashSeed: z.int(),
  network: z.enum(['dead', 'sinkhole']),
  clockDays: z.array(z.int()),
  /** Planted secrets are derived from it: the job's nonce, so that all volunteers plant the same. */
  seed: Hex128,
})
export type GuestPlan = z.infer<typeof GuestPlan>
