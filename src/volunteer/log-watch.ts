import type { Entry } from '../attest/log/entry.ts'
import { parseVkey, type Vkey } from '../attest/log/note.ts'
import type { Clock } from '../clock.ts'
import { isCode, messageOf, PytiError } from '../errors.ts'
import type { Logger } from '../logger.ts'
import { CommandError } from '../net/command-error.ts'
import type { Network, PeerId } from '../net/network.ts'
import { type LogFault, writeFault } from './log-faults.ts'
import { createLogHeads, type LogHeads } from './log-heads.ts'
import { type Evidence, type Memory, openLogMemory } from './log-memory.ts'
import { createReceipts, type Receipts } from './receipts.ts'

/** Keeps a coordinator's log honest towards one volunteer: attestation.md section 4, pitfall 8. */
export interface LogWatch {
  /** Answers `log-head` with the newest checkpoint kept, and notes which peers are there. @returns what ends that */
  start(): () => void
  /**
   * After every hello, with the key it named: pins the key, and demands that the log continues all it has shown.
   * @throws PytiError `log-forked` | `log-rolled-back` | `log-key-changed`, all for good; `bad-checkpoint` | `bad-proof`;
   * what the network throws
   */
  contact(logKey: string, signal: AbortSignal): Promise<void>
  /** From time to time: the log again, what other peers were shown, and what was promised. Throws as `contact`. */
  check(signal: AbortSignal): Promise<void>
  /** Raw data was handed in, and this came as receipt for its leaf. */
  handedIn(entry: Entry, receipt: string): Promise<void>
  /** Why no lease may be taken from this coordinator any more. */
  fault(): PytiError | undefined
  /** The pinned key, once there is one. */
  logKey(): Vkey | undefined
}

export interface LogWatchOptions {
  network: Network
  coordinator: PeerId
  memory: Memory
  evidence: Evidence
  clock: Clock
  log: Logger
  /** vkey that the log must have, in place of the one it had at the first contact. */
  logKey?: string
  onFault?: (told: { code: string; message: string; file?: string }) => void
}

/** Of those connected, whom to ask for their heads at one check. */
const peersAtOnce = 4

export function createLogWatch(options: LogWatchOptions): LogWatch {
  const { network, coordinator, evidence, clock, log } = options
  const memory = openLogMemory(options.memory, coordinator)
  const peers = new Set<PeerId>()
  let opened: { key: Vkey; text: string; heads: LogHeads; receipts: Receipts } | undefined
  let fault: PytiError | undefined
  let turn: Promise<unknown> = Promise.resolve()

  /** Heads are compared with the one kept: one at a time. */
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const done = turn.then(work)
    turn = done.catch(() => undefined)
    return done
  }

  const stop = (code: string, message: string, hint: string, file?: string): PytiError => {
    if (fault === undefined) {
      fault = new PytiError(code, message, { hint })
      log.error(message, { hint })
      options.onFault?.({ code, message, ...(file !== undefined && { file }) })
    }
    return fault
  }

  const accuse = async (key: string, found: LogFault): Promise<PytiError> => {
    const { file, proven } = await writeFault(evidence, key, found)
    const code = found.kind === 'fork' ? 'log-forked' : 'log-rolled-back'
    const message = `no more leases are taken from ${coordinator}: ${found.message}; what it showed is in ${file}`
    const worth = proven
      ? '`pyti verify` on that file shows it to anybody'
      : 'that file proves it only to who can compare'
    const hint = `${worth}: send it to other volunteers and to whoever runs the coordinator; to work for it all the same, move the folder of that file away`
    await memory.keepFault({ key, code, message, hint })
    return stop(code, message, hint, file)
  }

  const pin = async (text: string): Promise<void> => {
    const known = await memory.key()
    const wanted = options.logKey ?? known ?? text
    if (text !== wanted)
      throw stop(
        'log-key-changed',
        `no more leases are taken from ${coordinator}: it names ${text} as the key of its log, not ${wanted}`,
        `ask whoever runs the coordinator, by another way than this connection; if the change is meant, start with --log-key ${text}`,
      )
    const key = parseVkey(text)
    if (text !== known) await memory.pin(text, known !== undefined && parseVkey(known).name === key.name)
    const earlier = await memory.fault()
    if (earlier?.key === text) throw stop(earlier.code, earlier.message, earlier.hint)
    if (opened?.text !== text) opened = await open(key, text)
  }

  const open = async (key: Vkey, text: string) => {
    const heads = createLogHeads({
      key,
      kept: await memory.head(),
      ask: (size, signal) => network.request(coordinator, 'log-head', { size }, { signal }),
      keep: note => memory.keepHead(note),
      accuse: found => accuse(text, found),
    })
    const receipts = createReceipts({
      key,
      logKey: text,
      memory,
      evidence,
      log,
      now: clock.now,
      ask: (attestation, signal) => network.request(coordinator, 'log-proof', { attestation }, { signal }),
      compare: heads.compare,
      checkpoint: () => heads.kept()?.note,
      onBroken: told => options.onFault?.(told),
    })
    return { key, text, heads, receipts }
  }

  /** Peers of other coordinators and those that say nothing are passed over. */
  const comparePeers = async (heads: LogHeads, signal: AbortSignal) => {
    const asked = [...peers].slice(0, peersAtOnce)
    const shown = await Promise.all(
      asked.map(async peer => {
        // To the end of the row: everybody has a turn.
        if (peers.delete(peer)) peers.add(peer)
        const size = heads.kept()?.size ?? 0
        return network.request(peer, 'log-head', { size }, { signal }).catch(() => undefined)
      }),
    )
    for (const reply of shown)
      if (reply !== undefined)
        await heads.compare(reply.checkpoint, signal).catch(error => {
          if (!isCode(error, 'bad-checkpoint')) throw error
        })
  }

  const watching = (): NonNullable<typeof opened> => {
    if (fault) throw fault
    if (opened) return opened
    throw new PytiError('log-unknown', 'the coordinator has not named the key of its log yet')
  }

  return {
    start() {
      network.serve('log-head', async () => {
        const kept = opened?.heads.kept()
        if (kept === undefined) throw new CommandError('NOT_FOUND', 'no checkpoint was kept here yet')
        return { checkpoint: kept.note, proof: [] }
      })
      return network.onPeer((peer, state) => {
        if (state === 'disconnected') peers.delete(peer)
        else if (peer !== coordinator) peers.add(peer)
      })
    },
    contact: (logKey, signal) =>
      inTurn(async () => {
        if (fault) throw fault
        await pin(logKey)
        await watching().heads.advance(signal)
      }),
    check: signal =>
      inTurn(async () => {
        const { heads, receipts } = watching()
        await heads.advance(signal)
        await comparePeers(heads, signal)
        await receipts.settle(signal)
      }),
    handedIn: (entry, receipt) =>
      inTurn(() => (opened ? opened.receipts.take(entry, receipt) : Promise.resolve())).catch(error =>
        log.error('the receipt could not be kept', { attestation: entry.id, error: messageOf(error) }),
      ),
    fault: () => fault,
    logKey: () => opened?.key,
  }
}
