import { type CoordinatorOptions, coordinatorConfig } from '../../src/coordinator/config.ts'
import {
  type Coordinator,
  type CoordinatorDeps,
  createCoordinator,
} from '../../src/coordinator/coordinator.ts'
import type { JobRequest, Random } from '../../src/coordinator/new-job.ts'
import { silentLogger } from '../../src/logger.ts'
import { createMemoryHub, type MemoryHub } from '../../src/net/memory.ts'
import type { Network } from '../../src/net/network.ts'
import { createMemoryStore } from '../../src/store/memory.ts'
import { createMemoryBlobs } from '../../src/store/memory-blobs.ts'
import type { BlobStore, Store } from '../../src/store/store.ts'
import { openTileFiles } from '../../src/store/tile-files.ts'
import { sha256 } from '../../src/wire/canonical.ts'
import { taskNames } from '../../src/wire/job.ts'
import { createMemoryDisk } from './crashing-disk.ts'
import { createManualClock, type ManualClock } from './manual-clock.ts'
import { testIdentity, testJob, testSubject } from './raw-data.ts'
import { createTestVolunteer, type TestVolunteer } from './test-volunteer.ts'

export const coordinatorPeer = testIdentity('coordinator').peerId
export const reportSigner = testIdentity('report key')
const { hashSeed: _, ...profile } = testJob().profile

/** Bytes that repeat from run to run and never within one. */
export function seededRandom(seed: string): Random {
  let count = 0
  return bytes => {
    count += 1
    return Buffer.from(sha256(`${seed} ${count}`), 'hex').subarray(0, bytes)
  }
}

export function fileRequest(name: string, change: Partial<JobRequest> = {}): JobRequest {
  const filename = `${name}-1.0.tar.gz`
  return {
    subject: testSubject({ project: name, filename, sha256: sha256(filename) }),
    origin: 'index',
    tasks: [...taskNames],
    ...change,
  }
}

/** A whole network in memory: one coordinator that can be restarted, and volunteers. */
export interface House {
  hub: MemoryHub
  clock: ManualClock
  store: Store
  blobs: BlobStore
  /** The one that runs now. */
  coordinator: Coordinator
  failures: unknown[]
  volunteer(name: string): TestVolunteer
  /** Stops the coordinator and starts another one on the same (or the given) store. */
  restart(store?: Store): Promise<void>
  close(): Promise<void>
}

export async function openHouse(
  options: {
    store?: Store
    blobs?: BlobStore
    config?: Partial<CoordinatorOptions>
    deps?: Partial<CoordinatorDeps>
  } = {},
): Promise<House> {
  const hub = createMemoryHub()
  const clock = createManualClock()
  const blobs = options.blobs ?? createMemoryBlobs()
  const random = seededRandom('house')
  const disk = createMemoryDisk()
  const failures: unknown[] = []
  const volunteers: TestVolunteer[] = []
  let network: Network
  const open = async (store: Store): Promise<Coordinator> => {
    network = hub.join(coordinatorPeer)
    const coordinator = createCoordinator({
      network,
      store,
      blobs,
      clock,
      random,
      reportSigner,
      logSigner: testIdentity('log'),
      logFiles: await openTileFiles('/log', disk),
      log: silentLogger,
      config: coordinatorConfig({ profiles: [profile], ...options.config }),
      onFailure: error => failures.push(error),
      ...options.deps,
    })
    await coordinator.start()
    return coordinator
  }
  const store = options.store ?? createMemoryStore()
  const house: House = {
    hub,
    clock,
    store,
    blobs,
    failures,
    coordinator: await open(store),
    volunteer(name) {
      const volunteer = createTestVolunteer(hub, coordinatorPeer, name)
      volunteers.push(volunteer)
      return volunteer
    },
    async restart(next = house.store) {
      await house.coordinator.stop()
      await network.stop()
      house.store = next
      house.coordinator = await open(next)
    },
    async close() {
      await house.coordinator.stop()
      await network.stop()
      for (const volunteer of volunteers) await volunteer.close()
    },
  }
  return house
}

export async function withHouse(
  options: Parameters<typeof openHouse>[0],
  use: (house: House) => Promise<void>,
): Promise<void> {
  const house = await openHouse(options)
  try {
    await use(house)
  } finally {
    await house.close()
  }
}
