import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { makeDistributions, type SampleDistribution } from '../../src/pypi/make-distribution.ts'
import { TaskName } from '../../src/wire/job.ts'
import { eventKinds } from '../../src/wire/raw-data.ts'

const mimicsDir = join(import.meta.dirname, '../../samples/mimics')
const backend = '_backend'

/** Kinds of events in raw data, and `change` for an entry of a task's `changes`. */
const Kind = z.enum(['change', ...eventKinds])

const Rule = z.enum([
  'secret-and-network',
  'download-and-run',
  'decoded-and-acts',
  'persistence',
  'hidden-start',
  'left-behind',
  'process-memory',
  'privilege',
  'memory-file',
  'foreign-file-changed',
  'time-gate',
  'tamper',
  'machine-check',
  'bait-left',
])

const Pattern = z.string().refine(text => {
  try {
    return new RegExp(text, 's').source !== ''
  } catch {
    return false
  }
}, 'regular expression')

const Evidence = z.strictObject({
  task: TaskName,
  kind: Kind,
  /** What the event's `what` (the change's `path`) must match. */
  what: Pattern,
  at: Pattern.optional(),
  /** Days the guest's clock is ahead when it is seen; without it, seen with the clock as it is. */
  clock: z.int().positive().optional(),
})
export type Evidence = z.infer<typeof Evidence>

const Behaviour = z.strictObject({
  does: z.string().min(1),
  /** Where it acts. */
  acts: z.array(TaskName).min(1),
  evidence: z.array(Evidence).default([]),
  /** Its folder has a neighbour of the same project and version: the release's other kind, which does nothing. */
  companion: z.enum(['sdist', 'wheel']).optional(),
})

const Pair = z.strictObject({
  imitates: z.string().min(1),
  network: z.enum(['sinkhole', 'any']),
  clocks: z.array(z.int().positive()).default([]),
  /** Other samples it depends on. */
  projects: z.array(z.string()).default([]),
  /** The verdict is the least; each of the rules must be among the findings. */
  mimic: Behaviour.extend({
    verdict: z.enum(['suspicious', 'confirmed']),
    rules: z.array(Rule),
    evidence: z.array(Evidence).min(1),
  }),
  /** The verdict is the most. */
  twin: Behaviour.extend({ verdict: z.enum(['clean', 'observed']) }),
})

export type Mimic = z.infer<typeof Pair> & { name: string; dir: string }
export type Role = 'mimic' | 'twin'

/** All pairs below `samples/mimics`, by name. @throws ZodError when the truth about one is not in the form above */
export function loadMimics(): Mimic[] {
  return readdirSync(mimicsDir)
    .filter(name => name !== backend)
    .sort()
    .map(name => {
      const dir = join(mimicsDir, name)
      return { name, dir, ...Pair.parse(JSON.parse(readFileSync(join(dir, 'pair.json'), 'utf8'))) }
    })
}

/** The distributions one side of a pair is judged by, and the harmless rest of its release. */
export async function distributionsOf(
  pair: Mimic,
  role: Role,
): Promise<{ judged: SampleDistribution[]; companions: SampleDistribution[] }> {
  const { companion } = pair[role]
  return {
    judged: await makeDistributions(join(pair.dir, role)),
    companions: companion ? await makeDistributions(join(pair.dir, `${role}-${companion}`)) : [],
  }
}

const levels = ['clean', 'observed', 'suspicious', 'confirmed']

/** Whether a report's verdict is right: at least the mimic's, at most the twin's. Others, as `unresolved`, never are. */
export function isRight(pair: Mimic, role: Role, verdict: string): boolean {
  const [found, wanted] = [levels.indexOf(verdict), levels.indexOf(pair[role].verdict)]
  return found >= 0 && (role === 'mimic' ? found >= wanted : found <= wanted)
}

/** An event or a change as it was seen; `clock` in days ahead. */
export interface Seen {
  task: string
  kind: string
  what: string
  at?: string | undefined
  clock?: number | undefined
}

/** The evidence of the truth that nothing seen matches. */
export function missingEvidence(wanted: readonly Evidence[], seen: readonly Seen[]): Evidence[] {
  return wanted.filter(({ task, kind, what, at, clock }) =>
    seen.every(
      one =>
        one.task !== task ||
        one.kind !== kind ||
        (one.clock ?? 0) !== (clock ?? 0) ||
        !new RegExp(what, 's').test(one.what) ||
        (at !== undefined && !new RegExp(at, 's').test(one.at ?? '')),
    ),
  )
}
