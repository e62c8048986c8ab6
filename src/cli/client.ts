import { randomBytes } from 'node:crypto'
import { PytiError } from '../errors.ts'
import { identityFromSeed } from '../identity.ts'
import { silentLogger } from '../logger.ts'
import { parseTarget } from '../net/addresses.ts'
import { fileBlob } from '../net/file-blob.ts'
import { createNetwork } from '../net/libp2p.ts'
import type { BlobRef } from '../net/network.ts'
import type { CommandReply, CommandRequest, JobStatus } from '../wire/commands.ts'
import type { BackendDemand, Profile, TaskName } from '../wire/job.ts'
import { limits } from '../wire/limits.ts'
import type { Target } from './targets.ts'

export interface SubmitOptions {
  tasks: TaskName[]
  taskSeconds?: number
  /** Minor version of the guest's interpreter; the coordinator's first when left out. */
  python?: string
  backend?: BackendDemand
  network?: Profile['network']
  /** Days ahead for the task `clocks`. */
  clockDays?: number[]
  /** RFC 3339. */
  indexCutoff?: string
}

/** A short-lived peer that asks a coordinator for jobs and reports. */
export interface Client {
  submit(target: Target, options: SubmitOptions): Promise<string>
  status(job: string): Promise<JobStatus>
  findReports(query: CommandRequest<'report'>): Promise<CommandReply<'report'>['reports']>
  fetch(blob: BlobRef): Promise<Buffer>
  close(): Promise<void>
}

/** @throws PytiError `bad-address` | `unreachable` | `wrong-peer` */
export async function connectClient(coordinator: string, signal: AbortSignal): Promise<Client> {
  const target = parseTarget(coordinator)
  const identity = await identityFromSeed(randomBytes(32))
  const network = await createNetwork({
    identity,
    listen: [],
    bootstrap: [],
    role: 'volunteer',
    log: silentLogger,
  })
  const offered = new Map<string, Target & { path: string }>()
  network.serveBlobs(async (sha256, peer) => {
    const file = offered.get(sha256)
    if (!file || peer !== target.peer) return undefined
    return fileBlob(file.path, file.subject.size)
  })
  const { peer } = target
  try {
    await network.connect(target, signal)
  } catch (error) {
    await network.stop()
    throw error
  }
  return {
    async submit({ subject, origin, path }, options) {
      if (path !== undefined) offered.set(subject.sha256, { subject, origin, path })
      const { job } = await network.request(peer, 'submit', { subject, origin, ...options }, { signal })
      return job
    },
    status: job => network.request(peer, 'status', { job }, { signal }),
    findReports: async query => (await network.request(peer, 'report', query, { signal })).reports,
    async fetch(blob) {
      if (blob.size > limits.bundleBytes)
        throw new PytiError('too-large', `a blob of ${blob.size} bytes is not read into memory`)
      const chunks: Uint8Array[] = []
      for await (const chunk of network.fetchBlob(peer, blob, { signal })) chunks.push(chunk)
      return Buffer.concat(chunks)
    },
    close: () => network.stop(),
  }
}
