import { byTask, eventsOf, isTests, type Seen, sightingsOf } from '../events.ts'
import { isOutward } from '../network.ts'
import { actorOf, isDebugger, isHelper, isOpenShell, raisesRights } from '../programs.ts'
import type { Rule } from '../rule.ts'
import { runningTasks, tellingTasks } from '../scene.ts'
import { isTellingExec } from './code.ts'

/** Calls with harmless users: named pipes, key stores, asking for the time, measuring oneself. */
const mildRights =
  /^(?:mknod|mknodat|keyctl|add_key|request_key|syslog|adjtimex|clock_adjtime|perf_event_open|quotactl|userfaultfd|socket AF_(?:ALG|VSOCK|BLUETOOTH|CAN|TIPC|QIPCRTR)\b)/

const isBusy = ({ what }: Seen) => / \[busy\]$/.test(what)

export const processRules: readonly Rule[] = [
  {
    id: 'process-memory',
    version: 1,
    level: 'suspicious',
    reason: "Another process's memory was read, written or traced.",
    test: scene =>
      sightingsOf(
        eventsOf(scene, runningTasks, 'process-memory'),
        event => event.what === 'kcmp' || (isTests(event) && isDebugger(actorOf(event))),
      ),
  },
  {
    id: 'privilege',
    version: 1,
    level: 'suspicious',
    reason:
      'Rights were asked for that a package does not need: another user, the kernel, raw networking, a namespace.',
    test: scene =>
      sightingsOf(
        eventsOf(scene, runningTasks, 'privilege', 'exec').filter(
          event => event.kind === 'privilege' || raisesRights(event.what),
        ),
        event => isTests(event) || mildRights.test(event.what),
      ),
  },
  {
    id: 'left-behind',
    version: 1,
    level: 'suspicious',
    reason: 'A process that outlives its task reached for the network or went on working.',
    test: scene =>
      byTask(eventsOf(scene, runningTasks)).flatMap(([phase, events]) => {
        const left = events.filter(({ kind, what }) => kind === 'left-running' && !isHelper(what))
        const outward = events.filter(isOutward)
        const busy = phase === 'idle' ? left.filter(isBusy) : []
        if (left.length > 0 && outward.length > 0) return sightingsOf([...left, ...outward])
        return sightingsOf(busy)
      }),
  },
  {
    id: 'left-running',
    version: 1,
    level: 'observed',
    reason: 'A process was still there when its task had ended.',
    test: scene =>
      sightingsOf(
        eventsOf(scene, runningTasks, 'left-running').filter(
          event => event.phase !== 'unittest' && !isHelper(event.what),
        ),
      ),
  },
  {
    id: 'program-started',
    version: 1,
    level: 'observed',
    reason: 'A program was started that neither builds nor only asks about the machine.',
    test: scene => sightingsOf(eventsOf(scene, tellingTasks).filter(isTellingExec)),
  },
  {
    id: 'remote-shell',
    version: 1,
    level: 'suspicious',
    reason:
      'A shell was started that takes its commands from elsewhere, and the same task reached for the network.',
    test: scene =>
      byTask(eventsOf(scene, runningTasks)).flatMap(([, events]) => {
        const opened = events.filter(({ kind, what }) => kind === 'exec' && isOpenShell(what))
        const outward = events.filter(isOutward)
        return opened.length > 0 && outward.length > 0 ? sightingsOf([...opened, ...outward]) : []
      }),
  },
]
