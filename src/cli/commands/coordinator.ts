import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { Command, Option } from 'commander'
import { systemClock } from '../../clock.ts'
import { coordinatorConfig } from '../../coordinator/config.ts'
import { createCoordinator } from '../../coordinator/coordinator.ts'
import { createCosigner, parseWitness } from '../../coordinator/cosign.ts'
import { messageOf } from '../../errors.ts'
import { lackOfRoom, leastFreeBytes } from '../../host-disk.ts'
import { loadOrCreateIdentity } from '../../identity.ts'
import type { Logger } from '../../logger.ts'
import { createNetwork } from '../../net/libp2p.ts'
import { openSamples } from '../../pypi/fresh-sample.ts'
import { createIndexClient } from '../../pypi/index-client.ts'
import { findIndex } from '../../pypi/pip-config.ts'
import { redactUrl } from '../../pypi/redact.ts'
import { createSubjectFeed } from '../../pypi/subject-feed.ts'
import { createUploadFeed } from '../../pypi/uploads.ts'
import { compareVersionTexts } from '../../pypi/version.ts'
import { type Image, ImageStore } from '../../sandbox/image/store.ts'
import { openBlobStore } from '../../store/blobs.ts'
import { openLevelStore } from '../../store/level.ts'
import { openTileFiles } from '../../store/tile-files.ts'
import { BackendDemand, type Profile, taskNames } from '../../wire/job.ts'
import { beaconFrom } from '../beacon-program.ts'
import { ensureImage } from '../image.ts'
import { openKeptRoot } from '../kept-roots.ts'
import {
  clockDaysOption,
  eventPrinter,
  indexOption,
  loggerFor,
  type NodeFlags,
  networkOption,
  nodeOptions,
  positiveInteger,
  pythonsOption,
} from '../options.ts'
import { findPaths, repositoryDir } from '../paths.ts'
import { withImages } from '../serve-images.ts'
import { shutdownSignal, untilAborted } from '../shutdown.ts'
import { tidyDaily } from '../tidy.ts'

interface Flags extends NodeFlags {
  quorum: number
  founder: string[]
  referee: string[]
  witness: string[]
  witnessThreshold?: number
  beacon?: string
  root?: string
  follow?: boolean
  pollSeconds: number
  index?: string
  memory: number
  disk: number
  taskSeconds: number
  python?: string[]
  backend: BackendDemand
  network: Profile['network']
  clockDays: number[]
}

/** The most a profile may have. */
const wallSecondsMax = 14_400

export function coordinatorCommand(): Command {
  const command = new Command('coordinator')
    .summary('hand out jobs, cross-check raw data, sign reports')
    .description(
      'Keeps jobs in a database in its data folder, hands leases to volunteers, and signs a report once enough of them agree. Survives being killed at any moment: start it again on the same folder.',
    )
    .option('--quorum <n>', 'volunteers that must agree', positiveInteger, 3)
    .option(
      '--founder <peerid...>',
      'volunteers you vouch for: with any, seats are drawn and answers weighed by what volunteers have earned',
      [],
    )
    .option('--referee <peerid...>', 'volunteers run by the community, which look into dissents', [])
    .option(
      '--witness <vkey=where...>',
      'witnesses that sign every checkpoint: vkey, =, and their URL or peer id',
      [],
    )
    .option(
      '--witness-threshold <k>',
      'so many of the witnesses must have signed a checkpoint before it is published, more than half of them; all unless given',
      positiveInteger,
    )
    .option(
      '--beacon <command>',
      'a program that prints a value nobody can foresee, such as the last round of a public randomness beacon: mixed into every draw',
    )
    .option('--root <file>', 'root file (`pyti root`): which keys may sign; logged when it is new')
    .option('--follow', 'turn new files on the index into jobs')
    .option('--poll-seconds <n>', 'pause between two looks at the index', positiveInteger, 30)
    .addOption(indexOption())
    .option('--memory <MiB>', 'memory of a VM', positiveInteger, 1024)
    .option('--disk <MiB>', "a VM's private layer", positiveInteger, 1024)
    .option('--task-seconds <n>', 'ceiling on one task', positiveInteger, 1_200)
    .addOption(pythonsOption('interpreters jobs may ask for; the first is for those that ask for none'))
    .addOption(
      new Option('--backend <name>', 'what the VMs of jobs that come without a demand must run on')
        .choices(BackendDemand.options)
        .default('any'),
    )
    .addOption(networkOption('what package code finds: an answer to everything, or none').default('sinkhole'))
    .addOption(
      clockDaysOption('run imports and tests again so many days ahead, for jobs that ask for none').default(
        [],
        'never',
      ),
    )
  return nodeOptions(command, join(findPaths().data, 'coordinator'), '/ip4/0.0.0.0/tcp/4001')
    .addHelpText(
      'after',
      `
Examples:
  pyti coordinator
  pyti coordinator --data /srv/pyti --listen /ip4/0.0.0.0/tcp/4001 --follow
  pyti coordinator --python 3.13 --python 3.11

Volunteers need one of the printed addresses. The data folder holds identity.key, report.key and log.key (mode 0600): keep them.
Its folder log is the public log: any web server can show it, and \`pyti audit\` replays it.`,
    )
    .action((flags: Flags) => runCoordinator(flags))
}

async function runCoordinator(flags: Flags): Promise<void> {
  const log = loggerFor(flags)
  const print = eventPrinter(flags)
  const paths = findPaths()
  const signal = shutdownSignal({ withStdin: flags.events === true })
  const store = await openLevelStore(join(flags.data, 'db'))
  try {
    const identity = await loadOrCreateIdentity(join(flags.data, 'identity.key'))
    const reportSigner = await loadOrCreateIdentity(join(flags.data, 'report.key'))
    const logSigner = await loadOrCreateIdentity(join(flags.data, 'log.key'))
    const kept = join(paths.data, 'roots')
    const root = flags.root === undefined ? undefined : await openKeptRoot(flags.root, kept, Date.now())
    const logFiles = await openTileFiles(join(flags.data, 'log'))
    const blobs = await openBlobStore(join(flags.data, 'blobs'))
    const images: Image[] = []
    for (const python of flags.python ?? [undefined])
      images.push(await ensureImage(paths, { signal, ...(python !== undefined && { python }) }))
    const witnesses = flags.witness.map(parseWitness)
    const config = coordinatorConfig({
      quorum: flags.quorum,
      founders: flags.founder,
      referees: flags.referee,
      witnesses: witnesses.map(({ vkey }) => vkey),
      ...(flags.witnessThreshold !== undefined && { witnessThreshold: flags.witnessThreshold }),
      pollMs: flags.pollSeconds * 1_000,
      profiles: images.map(image => ({
        image: image.id,
        python: image.manifest.python,
        glibc: image.manifest.glibc,
        backend: flags.backend,
        vcpus: 1,
        memoryMiB: flags.memory,
        diskMiB: flags.disk,
        taskSeconds: flags.taskSeconds,
        wallSeconds: Math.min(wallSecondsMax, flags.taskSeconds * taskNames.length + 60),
        network: flags.network,
        clockDays: flags.clockDays,
      })),
    })
    const feed = flags.follow ? await openFeed(flags.index, log) : undefined
    const network = await createNetwork({
      identity,
      listen: flags.listen,
      bootstrap: flags.bootstrap,
      role: 'coordinator',
      log,
    })
    try {
      const failed = Promise.withResolvers<never>()
      failed.promise.catch(() => {})
      const coordinator = createCoordinator({
        network: withImages(network, images),
        store,
        blobs,
        reportSigner,
        logSigner,
        logFiles,
        ...(root && { root }),
        log,
        config,
        clock: systemClock,
        random: randomBytes,
        compareVersions: compareVersionTexts,
        ...(witnesses.length > 0 && {
          cosign: createCosigner({
            witnesses,
            threshold: flags.witnessThreshold,
            network,
            clock: systemClock,
          }),
        }),
        ...(feed && { feed }),
        ...(flags.founder.length > 0 && { makeSample: await openSamples(join(repositoryDir, 'samples')) }),
        ...(flags.beacon !== undefined && { publicBeacon: beaconFrom(flags.beacon) }),
        lackOfRoom: () => lackOfRoom([flags.data], leastFreeBytes),
        onFailure: error => failed.reject(error),
      })
      coordinator.onChange(({ job, phase, subject }) =>
        print({ event: 'job', job, phase, filename: subject.filename }),
      )
      await coordinator.start()
      for (const address of network.addresses()) log.info('listening', { address })
      log.info('reports are signed with', { reportKey: reportSigner.peerId })
      log.info('the log is signed with', { logKey: coordinator.logKey })
      if (flags.founder.length === 0)
        log.info(
          'no founders are named: whoever asks gets a seat, and reports go by the number of volunteers',
        )
      print({
        event: 'ready',
        peer: identity.peerId,
        addresses: network.addresses(),
        reportKey: reportSigner.peerId,
        logKey: coordinator.logKey,
      })
      const imageStore = new ImageStore(paths.images)
      const inUse = images.map(({ id }) => imageStore.manifestPath(id))
      const over = new AbortController()
      void tidyDaily(paths, { clock: systemClock, signal: over.signal, inUse })
      await Promise.race([untilAborted(signal), failed.promise]).finally(() => over.abort())
      log.info('stopping', { why: messageOf(signal.reason) })
      await coordinator.stop()
    } finally {
      await network.stop()
    }
  } finally {
    await store.close()
  }
}

async function openFeed(override: string | undefined, log: Logger) {
  const { url } = await findIndex({ env: process.env, ...(override !== undefined && { override }) })
  const index = createIndexClient({ url, clock: systemClock, log })
  log.info('following uploads', { index: redactUrl(url) })
  return createSubjectFeed(createUploadFeed({ index, log }), index, log)
}
