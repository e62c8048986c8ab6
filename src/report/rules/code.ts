import type { TaskName } from '../../wire/job.ts'
import { changesOf, isMadeHere } from '../changes.ts'
import { byTask, eventsOf, isTests, type Seen, sightingsOf } from '../events.ts'
import { isOutward } from '../network.ts'
import { actorOf, isBuildersCode, isBuildTool, isFetcher, isOrdinary, runFileOf } from '../programs.ts'
import type { Rule, Sighting } from '../rule.ts'
import { runningTasks, type Scene, tellingTasks } from '../scene.ts'
import { isPersistence, startHooksOf } from './files.ts'

const isCode = (event: Seen) => event.kind === 'code' || event.kind === 'marshal'

/** Source that stands in a file of the distribution as it is was read, not decoded. */
export const decodedCode = (scene: Scene) =>
  eventsOf(scene, tellingTasks, 'code', 'marshal').filter(event => !scene.contents.has(event.what))

/** Starting a program that is not one which builds or answers everywhere. */
export const isTellingExec = (event: Seen) => event.kind === 'exec' && !isOrdinary(event)

/** Names that compilers at run time, libffi and graphics give their anonymous files. */
const usualMemory = /^(?:libffi|jit|orcjit|doublemapper|wayland|xshmfence|pulseaudio|shm|mesa)/i

/** Folders in which nothing is installed, so that what runs from there was put there. */
const dropped = /^(?:\{home\}|\{tmp\}|\/dev\/shm|\/run|\/var|\/proc\/[^/]+\/fd|\/dev\/fd)(?:\/|$)/
/** Where pip and build frontends keep programs while they work. */
const frontends = /^\{tmp\}\/(?:pip-|build-env-)/

const isDropped = (scene: Scene, phase: Seen['phase'], path: string) =>
  !frontends.test(path) &&
  (dropped.test(path) ||
    (!/^\{(?:build|build-venv|wheel)\}/.test(path) &&
      !scene.own.has(path) &&
      isMadeHere(scene, { path, phase })))

/** An act that makes downloaded bytes run. */
function isRun(scene: Scene, event: Seen): boolean {
  const { kind, what, phase } = event
  switch (kind) {
    case 'marker-run':
      return true
    case 'memory-file':
      return !usualMemory.test(what)
    case 'make-executable':
      return (
        !/^\{(?:build|build-venv|wheel|scripts|venv)\}\//.test(what) &&
        !frontends.test(what) &&
        !(phase === 'install' && what.startsWith('{site}/')) &&
        !scene.own.has(what) &&
        !isBuildTool(actorOf(event))
      )
    case 'exec':
      return isDropped(scene, phase, runFileOf(what)) && !isBuildTool(actorOf(event))
    case 'native':
      return isDropped(scene, phase, what)
    default:
      return false
  }
}

const isDownload = (event: Seen) =>
  (event.kind === 'connect' || event.kind === 'request') &&
  isOutward(event) &&
  !(event.phase === 'build' && isFetcher(actorOf(event)))

export const codeRules: readonly Rule[] = [
  {
    id: 'download-and-run',
    version: 1,
    level: 'suspicious',
    reason: 'The same task reached for the network and made a new file run.',
    test: scene =>
      byTask(eventsOf(scene, runningTasks)).flatMap(([, events]) => {
        const runs = events.filter(event => isRun(scene, event))
        const downloads = events.filter(isDownload)
        const chain = runs.length > 0 && downloads.length > 0 ? [...downloads, ...runs] : []
        // The marker comes from nowhere but the sinkhole.
        const marked = runs.filter(event => event.kind === 'marker-run')
        return sightingsOf(chain.length > 0 ? chain : marked)
      }),
  },
  {
    id: 'decoded-and-acts',
    version: 2,
    level: 'suspicious',
    reason:
      'Code that stands in no file was decoded and run, and the same task started a program, reached for the network or wrote a start file.',
    test: scene =>
      byTask([
        ...decodedCode(scene),
        ...eventsOf(scene, tellingTasks).filter(event => isOutward(event) || isTellingExec(event)),
      ]).flatMap(([phase, events]) => {
        const code = events.filter(isCode)
        // The same start is told a second time without its actor, as seen from within.
        const builders = new Set(events.filter(isBuildersCode).map(event => event.what))
        const acts: Sighting[] = [
          ...sightingsOf(events.filter(event => !isCode(event) && !builders.has(event.what))),
          ...changesOf(scene, [phase])
            .filter(change => isPersistence(scene, change))
            .map(({ kind, path }) => ({ phase, evidence: `${kind} ${path}` })),
        ]
        return code.length > 0 && acts.length > 0 ? [...sightingsOf(code), ...acts] : []
      }),
  },
  {
    id: 'hidden-start',
    version: 1,
    level: 'suspicious',
    reason:
      'A file that Python reads at every start ran code which started a program, reached for the network or decoded more code.',
    test: scene => {
      const hooks = startHooksOf(scene)
      if (hooks.length === 0) return []
      // `idle` imports the modules too, so it tells only of hooks that are nobody's.
      const phases: TaskName[] = hooks.every(path => scene.own.has(path)) ? ['start'] : ['start', 'idle']
      const acts = eventsOf(scene, phases).filter(
        event =>
          isOutward(event) || isTellingExec(event) || (isCode(event) && !scene.contents.has(event.what)),
      )
      return byTask(acts).flatMap(([phase, events]) => [
        ...hooks.map(path => ({ phase, evidence: `starts with ${path}` })),
        ...sightingsOf(events),
      ])
    },
  },
  {
    id: 'memory-file',
    version: 1,
    level: 'suspicious',
    reason: 'A file that is in memory only was made, and a program was started.',
    test: scene =>
      byTask(eventsOf(scene, runningTasks, 'memory-file', 'exec')).flatMap(([, events]) => {
        const files = events.filter(event => event.kind === 'memory-file' && !usualMemory.test(event.what))
        const starts = events.filter(isTellingExec)
        return files.length === 0
          ? []
          : sightingsOf([...files, ...starts], event => isTests(event) || starts.length === 0)
      }),
  },
  {
    id: 'decoded-code',
    version: 1,
    level: 'observed',
    reason: 'Code that stands in no file was decoded or put together, and run.',
    test: scene => sightingsOf(decodedCode(scene)),
  },
  {
    id: 'native-code',
    version: 1,
    level: 'observed',
    reason: 'A library outside the distribution was loaded past Python.',
    test: scene =>
      sightingsOf(
        eventsOf(scene, tellingTasks, 'native').filter(
          ({ what }) =>
            !scene.own.has(what) &&
            !what.startsWith('{site}/') &&
            !/^(?:cffi|None|program|(?:.*\/)?(?:libc|libm|libdl|libpthread|librt|libpython[\d.]*|ld-linux[\w-]*)\.so[\d.]*)$/.test(
              what,
            ),
        ),
      ),
  },
  {
    id: 'hook-set',
    version: 1,
    level: 'observed',
    reason:
      "A function of Python or of another package was replaced, or all of the interpreter's work is watched.",
    test: scene => sightingsOf(eventsOf(scene, tellingTasks, 'hook')),
  },
]
