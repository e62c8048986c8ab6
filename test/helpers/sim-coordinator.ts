import type { Random } from '../../bench/sabotage/random.ts'
import { type CoordinatorOptions, coordinatorConfig } from '../../src/coordinator/config.ts'
import { type Coordinator, createCoordinator } from '../../src/coordinator/coordinator.ts'
import type { SampleMaker } from '../../src/coordinator/samples.ts'
import { messageOf } from '../../src/errors.ts'
import type { Logger } from '../../src/logger.ts'
import { openTileFiles } from '../../src/store/tile-files.ts'
import type { TestIdentity } from './raw-data.ts'
import type { SimNetwork } from './sim-network.ts'
import { type SimProcess, type SimQueue, startProcess } from './sim-queue.ts'
import type { SimStorage } from './sim-storage.ts'
import type { SimWitnesses } from './sim-witnesses.ts'

/** The real coordinator, as often as its process is started. */
export interface SimCoordinator {
  /** The one that runs now and has started. */
  running(): Coordinator | undefined
  /** Since when nothing has kept it from its work; undefined while something does. */
  healthySince(): number | undefined
  /** The clock jumped. */
  disturbed(): void
  start(): void
  crash(kind: 'process' | 'power'): void
  /** As an operator stops it; resolves never when it is killed meanwhile. */
  stop(): Promise<void>
}

export interface SimCoordinatorOptions {
  queue: SimQueue
  random: Random
  network: SimNetwork
  storage: SimStorage
  config: CoordinatorOptions
  reportSigner: TestIdentity
  logSigner: TestIdentity
  logKey: string
  witnesses: Pick<SimWitnesses, 'cosigner'>
  /** Makes samples in one life of the coordinator; undefined where there are none. */
  samples(process: SimProcess): SampleMaker | undefined
  note(what: string): void
  fault(what: string): void
  /** It says that it cannot go on. */
  onFailure(): void
}

interface Life {
  process: SimProcess
  coordinator: Coordinator
  started: boolean
}

export function createSimCoordinator(options: SimCoordinatorOptions): SimCoordinator {
  const { queue, random, network, storage, note, fault } = options
  const config = coordinatorConfig(options.config)
  let life: Life | undefined
  let process: SimProcess | undefined
  let healthySince: number | undefined
  let storeFailed = false

  const log: Logger = {
    debug: () => {},
    info: (message, context) => note(`coordinator: ${message} ${JSON.stringify(context ?? {})}`),
    warn: (message, context) => note(`coordinator warns: ${message} ${JSON.stringify(context ?? {})}`),
    error(message, context) {
      const text = `${message} ${JSON.stringify(context ?? {})}`
      note(`coordinator fails: ${text}`)
      const stopping = text.includes('stopping') || text.includes('cosigned')
      if (!storeFailed && !stopping) fault(`the coordinator says: ${text}`)
    },
  }

  const run = async (self: SimProcess) => {
    const view = storage.open(self)
    const files = await openTileFiles('/log', view.disk)
    const cosign = options.witnesses.cosigner(self)
    const makeSample = options.samples(self)
    const coordinator = createCoordinator({
      network: network.attach(self, log),
      store: view.store,
      blobs: view.blobs,
      clock: self.clock,
      random: bytes => Uint8Array.from({ length: bytes }, () => random.below(256)),
      reportSigner: options.reportSigner,
      logSigner: options.logSigner,
      logFiles: files,
      ...(cosign && { cosign }),
      ...(makeSample && { makeSample }),
      log,
      config,
      onFailure(error) {
        note(`coordinator gives up: ${messageOf(error)}`)
        if (!storeFailed && !/disk is full|store/.test(messageOf(error)))
          fault(`the coordinator gave up: ${messageOf(error)}`)
        storeFailed = true
        if (self.alive) options.onFailure()
      },
    })
    life = { process: self, coordinator, started: false }
    await coordinator.start()
    if (coordinator.logKey !== options.logKey) fault('the log has another key')
    life.started = true
    healthySince = queue.now()
    note('coordinator is up')
  }

  const end = () => {
    process?.kill()
    process = undefined
    life = undefined
    healthySince = undefined
    network.detach()
  }

  return {
    running: () => (life?.started ? life.coordinator : undefined),
    healthySince: () => healthySince,
    disturbed: () => {
      if (healthySince !== undefined) healthySince = queue.now()
    },
    start() {
      if (process) return
      storeFailed = false
      const self = startProcess(queue, 'coordinator')
      process = self
      run(self).catch(error => {
        if (!storeFailed) fault(`the coordinator does not start: ${messageOf(error)}`)
      })
    },
    crash(kind) {
      if (!process) return
      note(`coordinator crashes (${kind})`)
      end()
      storage.crash(kind)
    },
    async stop() {
      const now = life
      if (!now?.started) return
      healthySince = undefined
      note('coordinator stops')
      await now.coordinator.stop()
      if (!now.process.alive) return
      note('coordinator has stopped')
      end()
      storage.crash('process')
    },
  }
}
