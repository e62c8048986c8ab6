import type { NodeEvent } from '../src/cli/events.ts'

/** Milliseconds since the start of the program. */
export interface Segment {
  stage: string
  from: number
  to: number
}

export interface Lane {
  name: string
  segments: Segment[]
}

export interface Seen {
  at: number
  node: string
  event: NodeEvent
}

export const stages = {
  program: 'loading the program',
  serving: 'serving the sample',
  image: 'checking the image',
  backend: 'finding the backend',
  uv: 'finding uv',
  target: 'finding the file',
  nodes: 'starting nodes',
  submitting: 'submitting the job',
  volunteers: 'waiting for volunteers',
  report: 'making and checking the report',
  stopping: 'stopping nodes',
  lease: 'waiting for a lease',
  cpu: 'waiting for a CPU',
  after: 'between tasks, handing over',
} as const

/** What the command itself did, one step after the other. */
export class CommandLane {
  readonly #segments: Segment[] = []
  #stage: string
  #since: number

  constructor(stage: string) {
    this.#stage = stage
    this.#since = 0
  }

  next(stage: string, at = performance.now()): void {
    this.#segments.push({ stage: this.#stage, from: this.#since, to: at })
    this.#stage = stage
    this.#since = at
  }

  end(at = performance.now()): Lane {
    this.next('', at)
    return { name: 'pyti test', segments: this.#segments }
  }
}

/**
 * The lane of one volunteer. Stages come from its events; what an event does not say is not made up: the time from a
 * task's end to the next event is one stage.
 * @param born when its process was started
 */
export function volunteerLane(name: string, born: number, seen: readonly Seen[]): Lane {
  const segments: Segment[] = []
  let stage: string | undefined = stages.nodes
  let since = born
  const change = (next: string | undefined, at: number) => {
    if (next === stage) return
    if (stage !== undefined && at > since) segments.push({ stage, from: since, to: at })
    stage = next
    since = at
  }
  for (const { at, node, event } of seen) {
    if (node !== name) continue
    if (event.event === 'ready') change(stages.lease, at)
    else if (event.event === 'stage') change(stageOf(event.stage, event.detail), at)
    else if (event.event === 'submitted' || event.event === 'released') change(undefined, at)
  }
  return { name, segments: joined(segments) }
}

/** The coordinator's part: its start, and the job's phases as it tells them. */
export function coordinatorLane(born: number, seen: readonly Seen[]): Lane {
  const segments: Segment[] = []
  let [stage, since] = [stages.nodes as string, born]
  for (const { at, node, event } of seen) {
    if (node !== 'coordinator') continue
    const next = event.event === 'ready' ? '' : event.event === 'job' ? phaseOf(event.phase) : undefined
    if (next === undefined || next === stage) continue
    if (stage !== '') segments.push({ stage, from: since, to: at })
    stage = next
    since = at
  }
  return { name: 'coordinator', segments }
}

/**
 * What the end had to wait for, without gap: the command until the nodes are up, then the volunteer that handed in last,
 * then the command again.
 */
export function criticalPath(
  command: Lane,
  volunteers: readonly Lane[],
): { through: string; segments: Segment[] } {
  const endOf = (lane: Lane) => lane.segments.at(-1)?.to ?? 0
  const last = [...volunteers].sort((a, b) => endOf(b) - endOf(a))[0]
  if (!last) return { through: '', segments: command.segments }
  const begin = command.segments.find(segment => segment.stage === stages.submitting)?.from ?? 0
  const end = endOf(last)
  return {
    through: last.name,
    segments: [
      ...clip(command.segments, 0, begin),
      ...clip(last.segments, begin, end),
      ...clip(command.segments, end, Number.POSITIVE_INFINITY),
    ],
  }
}

function clip(segments: readonly Segment[], from: number, to: number): Segment[] {
  return segments
    .map(segment => ({ ...segment, from: Math.max(segment.from, from), to: Math.min(segment.to, to) }))
    .filter(segment => segment.to > segment.from)
}

function stageOf(stage: string, detail = ''): string {
  if (stage === 'waiting') return stages.cpu
  if (stage !== 'running') return stage
  const [task = '', word = ''] = detail.split(' ')
  return ['passed', 'failed', 'not-run', 'unsupported'].includes(word) ? stages.after : task
}

function phaseOf(phase: unknown): string {
  if (phase === 'agreed') return stages.report
  return phase === 'queued' || phase === 'leased' ? stages.volunteers : ''
}

/** Neighbours of one stage as one. */
function joined(segments: readonly Segment[]): Segment[] {
  const all: Segment[] = []
  for (const segment of segments) {
    const last = all.at(-1)
    if (last?.stage === segment.stage && last.to === segment.from) last.to = segment.to
    else all.push({ ...segment })
  }
  return all
}
