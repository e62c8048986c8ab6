import { sign, statementType } from '../../src/attest/dsse.ts'
import { type RawDataStatement, rawDataStatement } from '../../src/attest/raw-statement.ts'
import type { MemoryHub } from '../../src/net/memory.ts'
import type { Network } from '../../src/net/network.ts'
import { canonicalBytes, sha256 } from '../../src/wire/canonical.ts'
import { type CommandRequest, commandApiVersion, type ReleaseReason } from '../../src/wire/commands.ts'
import type { Envelope } from '../../src/wire/envelope.ts'
import { type Job, jobId, type Lease } from '../../src/wire/job.ts'
import type { RawData } from '../../src/wire/raw-data.ts'
import { type TestIdentity, testIdentity, testRawData, withTask } from './raw-data.ts'

/** A volunteer without a guest: it speaks the real command API with a real key, and says whatever the test wants. */
export interface TestVolunteer {
  identity: TestIdentity
  peerId: string
  network: Network
  hello(change?: Partial<CommandRequest<'hello'>>): ReturnType<Network['request']>
  lease(want?: number): Promise<Lease[]>
  release(lease: string, reason: ReleaseReason, message?: string): Promise<unknown>
  /** Keeps the blobs of the raw data ready and signs a statement about it. */
  attest(rawData: RawData, change?: (statement: RawDataStatement) => RawDataStatement): Promise<Envelope>
  handIn(lease: string, envelope: Envelope): Promise<string>
  offer(bytes: Uint8Array): string
  forget(sha256: string): void
  close(): Promise<void>
}

export function createTestVolunteer(hub: MemoryHub, coordinator: string, name: string): TestVolunteer {
  const identity = testIdentity(name)
  const network = hub.join(identity.peerId)
  const blobs = new Map<string, Uint8Array>()
  network.serveBlobs(async digest => {
    const bytes = blobs.get(digest)
    return (
      bytes && { size: bytes.length, read: async (offset, length) => bytes.slice(offset, offset + length) }
    )
  })
  const offer = (bytes: Uint8Array) => {
    const digest = sha256(bytes)
    blobs.set(digest, bytes)
    return digest
  }
  return {
    identity,
    peerId: identity.peerId,
    network,
    offer,
    hello: change =>
      network.request(coordinator, 'hello', {
        version: commandApiVersion,
        slots: 4,
        backends: ['uml'],
        cpu: 'x86-64-v3',
        leases: [],
        ...change,
      }),
    lease: async (want = 1) => (await network.request(coordinator, 'lease', { want })).leases,
    release: (lease, reason, message = '') =>
      network.request(coordinator, 'release', { lease, reason, message }),
    async attest(rawData, change = statement => statement) {
      offer(canonicalBytes(rawData))
      const statement = rawDataStatement({
        volunteer: identity.peerId,
        rawData,
        round: 0,
        startedOn: '2026-11-20T12:00:00Z',
        finishedOn: '2026-11-20T12:01:00Z',
        salt: sha256(name + rawData.job).slice(0, 32),
      })
      return sign(statementType, canonicalBytes(change(statement)), identity)
    },
    handIn: async (lease, envelope) =>
      (await network.request(coordinator, 'raw-data', { lease, envelope })).attestation,
    forget: digest => void blobs.delete(digest),
    close: () => network.stop(),
  }
}

/** What an honest volunteer finds; the log differs from volunteer to volunteer. */
export function honestRawData(volunteer: TestVolunteer, job: Job): RawData {
  const log = new TextEncoder().encode(`build log of ${volunteer.peerId} for ${jobId(job)}`)
  const attachment = { name: 'logs/build.txt', sha256: volunteer.offer(log), size: log.length }
  return { ...testRawData({ job }), attachments: [attachment] }
}

/** What a lying volunteer says: nobody else could find the same. */
export function lyingRawData(volunteer: TestVolunteer, job: Job): RawData {
  return withTask(honestRawData(volunteer, job), 'install', {
    files: [{ path: '{site}/x', sha256: sha256(volunteer.peerId) }],
  })
}

/** What all of a ring say. */
export function ringRawData(volunteer: TestVolunteer, job: Job): RawData {
  return withTask(honestRawData(volunteer, job), 'install', {
    files: [{ path: '{site}/x', sha256: sha256(`ring ${jobId(job)}`) }],
  })
}

/** Leases, works and hands in, once. @returns attestations */
export async function workOnce(
  volunteer: TestVolunteer,
  find: (volunteer: TestVolunteer, job: Job) => RawData = honestRawData,
): Promise<string[]> {
  const ids: string[] = []
  for (const { id, job } of await volunteer.lease())
    ids.push(await volunteer.handIn(id, await volunteer.attest(find(volunteer, job))))
  return ids
}
