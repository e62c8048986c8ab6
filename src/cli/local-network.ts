import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { makeOwnedFolder } from '../owned-folder.ts'
import type { Backend } from '../wire/job.ts'
import { type ChildNode, startChildNode } from './child-node.ts'
import type { NodeEvent } from './events.ts'
import type { Paths } from './paths.ts'
import { untilAborted } from './shutdown.ts'

/** A whole network on loopback: one coordinator and some volunteers, each an operating-system process. */
export interface LocalNetwork {
  coordinator: { peer: string; address: string; reportKey: string; logKey: string }
  nodes(): readonly ChildNode[]
  volunteers(): readonly ChildNode[]
  /** One more volunteer, as a dissent calls for. */
  addVolunteer(): Promise<void>
  stop(): Promise<void>
}

export async function startLocalNetwork(options: {
  paths: Paths
  volunteers: number
  backend: Backend
  /** Of the guests. */
  python: string
  /** `--index` of the volunteers, when it is not the one pip uses. */
  index?: string
  /** Ends the waiting for nodes that are not ready yet. */
  signal: AbortSignal
  onEvent: (node: string, event: NodeEvent) => void
}): Promise<LocalNetwork> {
  const { paths, signal, onEvent } = options
  const inTime = <T>(ready: Promise<T>): Promise<T> =>
    Promise.race([ready, untilAborted(signal).then(() => Promise.reject(signal.reason))])
  await mkdir(paths.cache, { recursive: true, mode: 0o755 })
  const dir = await makeOwnedFolder(paths.cache, 'network')
  const nodes: ChildNode[] = []
  const start = (name: string, args: string[]) => {
    const node = startChildNode(
      name,
      [...args, '--data', join(dir, name), '--listen', '/ip4/127.0.0.1/tcp/0'],
      event => onEvent(name, event),
    )
    nodes.push(node)
    return node
  }
  const stop = async () => {
    // Volunteers first: their leases are given back to a coordinator that still listens.
    const [coordinator, ...volunteers] = nodes
    await Promise.all(volunteers.map(node => node.stop()))
    await coordinator?.stop()
    await rm(dir, { recursive: true, force: true })
  }
  try {
    const quorum = Math.min(3, options.volunteers)
    const {
      peer,
      addresses,
      reportKey = '',
      logKey = '',
    } = await inTime(
      start('coordinator', ['coordinator', '--quorum', String(quorum), '--python', options.python]).ready,
    )
    const address = addresses[0] ?? ''
    let count = 0
    const addVolunteer = async () => {
      count++
      const node = start(`volunteer-${count}`, [
        'volunteer',
        '--coordinator',
        address,
        '--backend',
        options.backend,
        '--python',
        options.python,
        ...(options.index === undefined ? [] : ['--index', options.index]),
      ])
      await inTime(node.ready)
    }
    await Promise.all(Array.from({ length: options.volunteers }, addVolunteer))
    return {
      coordinator: { peer, address, reportKey, logKey },
      nodes: () => nodes,
      volunteers: () => nodes.slice(1),
      addVolunteer,
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}
