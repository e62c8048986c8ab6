import type { RawData } from '../wire/raw-data.ts'
import { changesOf } from './changes.ts'
import { eventsOf, sayEvent } from './events.ts'
import { runningTasks, sceneOf } from './scene.ts'

/** One kind of thing that only one of two releases did. */
export interface Behaviour {
  readonly phase: string
  readonly evidence: string
}

export interface NewBehaviour {
  /** What the current release does and the previous one did not. */
  readonly added: Behaviour[]
  /** The other way round. */
  readonly gone: Behaviour[]
  /** Requirements at run time that are new, by normalised name. */
  readonly requirements: string[]
}

/**
 * What a release does that the previous one did not: programs, hosts, secrets, changed files, start hooks. Versions,
 * lines and digests of code may differ from release to release and do not count.
 */
export function newBehaviour(previous: RawData, current: RawData): NewBehaviour {
  const before = behavioursOf(previous)
  const after = behavioursOf(current)
  const required = new Set(requirementsOf(previous))
  return {
    added: without(after, before),
    gone: without(before, after),
    requirements: requirementsOf(current).filter(name => !required.has(name)),
  }
}

/** By what is compared, in the order of tasks. */
function behavioursOf(rawData: RawData): Map<string, Behaviour> {
  const scene = sceneOf(rawData)
  const found = new Map<string, Behaviour>()
  const add = (key: readonly string[], phase: string, evidence: string) => {
    const settled = JSON.stringify(key.map(text => withoutVersion(text, rawData.subject.version)))
    if (!found.has(settled)) found.set(settled, { phase, evidence })
  }
  for (const event of eventsOf(scene)) {
    const { phase, kind, what, at = '' } = event
    // A digest differs with every change of the source; where it comes from says more.
    const subject = kind === 'code' || kind === 'marshal' ? at.replace(/:\d+$/, '') : what
    add([phase, kind, subject], phase, sayEvent(event))
  }
  for (const { phase, kind, path } of changesOf(scene, runningTasks))
    add([phase, kind, path], phase, `${kind} ${path}`)
  for (const { rule, file } of rawData.tasks.static?.stable.findings ?? [])
    add(['static', rule], 'static', `${rule} in ${file}`)
  for (const path of scene.own)
    if (/^\{site\}\/(?:[^/]+\.(?:pth|start|so)|(?:site|user)customize\.py)$/.test(path))
      add(['install', path], 'install', `installs ${path}`)
  return found
}

/** `{site}/sample-1.0.dist-info` of two releases is one place. A short version is part of many a word and address. */
function withoutVersion(text: string, version: string): string {
  const literal = version.replace(/[^\w]/g, '\\$&')
  return text.replace(
    new RegExp(`-${literal}(?=\\.(?:dist-info|data|egg|tar|zip|whl)|[-/]|$)`, 'g'),
    '-{version}',
  )
}

function without(some: ReadonlyMap<string, Behaviour>, others: ReadonlyMap<string, Behaviour>): Behaviour[] {
  return [...some].filter(([key]) => !others.has(key)).map(([, behaviour]) => behaviour)
}

function requirementsOf({ intake }: RawData): string[] {
  return [...new Set(intake.stable.packages.run.map(({ name }) => name))].sort()
}
