import { randomBytes } from 'node:crypto'
import { dirname, join } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { systemClock } from '../../clock.ts'
import { PytiError } from '../../errors.ts'
import { loadOrCreateIdentity } from '../../identity.ts'
import type { Logger } from '../../logger.ts'
import { parseTarget } from '../../net/addresses.ts'
import { keepConnected } from '../../net/discovery.ts'
import { createNetwork } from '../../net/libp2p.ts'
import type { Network } from '../../net/network.ts'
import { findPython } from '../../pypi/pip.ts'
import { findIndex } from '../../pypi/pip-config.ts'
import { redactUrl } from '../../pypi/redact.ts'
import { allowedCpus } from '../../sandbox/allowed-cpus.ts'
import { drivers as allDrivers, probeBackendCached } from '../../sandbox/backends.ts'
import { ImageStore } from '../../sandbox/image/store.ts'
import { createLogWatch, type LogWatch } from '../../volunteer/log-watch.ts'
import { Volunteer } from '../../volunteer/volunteer.ts'
import { type Backend, OperatorName } from '../../wire/job.ts'
import { answerCheckpoints } from '../../witness/command.ts'
import { jobTools, readCpuLevel } from '../compose-volunteer.ts'
import { findUv } from '../host-tools.ts'
import { ensureImage } from '../image.ts'
import { openLogFolder } from '../log-folder.ts'
import { openNodeWitness, vkeyOption } from '../node-witness.ts'
import { offeredDrivers } from '../offered-drivers.ts'
import {
  backendsOption,
  eventPrinter,
  indexOption,
  loggerFor,
  type NodeFlags,
  nodeOptions,
  positiveInteger,
  pythonsOption,
  wholeNumber,
} from '../options.ts'
import { findPaths } from '../paths.ts'
import { shutdownSignal, untilAborted } from '../shutdown.ts'
import { tidyDaily } from '../tidy.ts'

interface Flags extends NodeFlags {
  coordinator: string
  slots: number
  warm?: number
  cpus?: number[]
  backend?: Backend[]
  python?: string[]
  index?: string
  operator?: string
  logKey?: string
  witness?: boolean
}

export function volunteerCommand(): Command {
  const command = new Command('volunteer')
    .summary('donate spare compute to a coordinator')
    .description(
      'Takes leases from a coordinator, runs each distribution in a fresh VM without a network, signs what it saw and hands it in. Nothing of a distribution ever runs outside a VM. Ctrl-C gives leases back and leaves nothing behind.',
    )
    .requiredOption(
      '--coordinator <multiaddr>',
      'the coordinator, with its /p2p/PEERID: no other peer is ever obeyed',
    )
    .option('--slots <n>', 'VMs at the same time', positiveInteger, 1)
    .option('--warm <n>', 'VMs kept ready for the next job; as many as slots by default', wholeNumber)
    .option('--cpus <list>', 'host CPUs the VMs are pinned to, e.g. 0,2', parseCpus)
    .addOption(backendsOption())
    .addOption(
      pythonsOption(
        'guest images to have ready; others are fetched from the coordinator when a job needs them',
      ),
    )
    .addOption(indexOption())
    .option('--operator <name>', 'your name for all your machines: together they are one voice', operatorName)
    .addOption(
      vkeyOption('--log-key <vkey>', "key of the coordinator's log, instead of the one it had at first", 1),
    )
    .option('--witness', 'cosign the log of the coordinator too, with a key of its own')
  return nodeOptions(command, join(findPaths().data, 'volunteer'), '/ip4/0.0.0.0/tcp/0')
    .addHelpText(
      'after',
      `
Examples:
  pyti volunteer --coordinator /ip4/192.0.2.7/tcp/4001/p2p/12D3KooW...
  pyti volunteer --coordinator /dns4/pyti.example/tcp/4001/p2p/12D3KooW... --slots 2 --cpus 2,3
  pyti volunteer --coordinator /ip4/192.0.2.7/tcp/4001/p2p/12D3KooW... --backend uml --backend tcg`,
    )
    .action((flags: Flags) => runVolunteer(flags))
}

function parseCpus(text: string): number[] {
  const cpus = text.split(',').map(Number)
  const allowed = allowedCpus()
  if (cpus.some(cpu => !allowed.includes(cpu)))
    throw new InvalidArgumentError(`some of ${allowed.join(',')}, separated by commas`)
  return cpus
}

function operatorName(text: string): string {
  if (!OperatorName.safeParse(text).success)
    throw new InvalidArgumentError('up to 100 printable ASCII characters without spaces')
  return text
}

async function runVolunteer(flags: Flags): Promise<void> {
  const log = loggerFor(flags)
  const print = eventPrinter(flags)
  const paths = findPaths()
  const signal = shutdownSignal({ withStdin: flags.events === true })
  const target = parseTarget(flags.coordinator)
  const identity = await loadOrCreateIdentity(join(flags.data, 'identity.key'))
  const index = await findIndex({
    env: process.env,
    ...(flags.index !== undefined && { override: flags.index }),
  })
  const uv = await findUv(paths, log, signal)
  const [firstPython, ...otherPythons] = flags.python ?? []
  const image = await ensureImage(paths, {
    signal,
    ...(firstPython !== undefined && { python: firstPython }),
  })
  for (const python of otherPythons) await ensureImage(paths, { signal, python })
  const drivers = await offeredDrivers(allDrivers, {
    probe: driver => probeBackendCached(driver, { image, runDir: paths.run, cacheDir: paths.probes, signal }),
    only: flags.backend,
    onFailure: ({ backend, detail }) => log.info('backend not offered', { backend, reason: detail }),
  })
  const backends = drivers.map(driver => driver.backend)
  log.info('ready to work', {
    backends: backends.join(' '),
    image: image.id.slice(0, 12),
    index: redactUrl(index.url),
    slots: flags.slots,
  })

  const closers: (() => Promise<void>)[] = []
  try {
    const seen = await openLogFolder(join(flags.data, 'log'))
    closers.unshift(() => seen.close())
    const network = await createNetwork({
      identity,
      listen: flags.listen,
      bootstrap: flags.bootstrap,
      role: 'volunteer',
      log,
    })
    closers.unshift(() => network.stop())
    const watch = createLogWatch({
      network,
      coordinator: target.peer,
      memory: seen.memory,
      evidence: seen.evidence,
      clock: systemClock,
      log,
      ...(flags.logKey !== undefined && { logKey: flags.logKey }),
      onFault: told => print({ event: 'fault', ...told }),
    })
    // Closed after the network, which may still be asking it.
    if (flags.witness) closers.push(await witnessBeside(watch, flags.data, { network, log, print }))
    const tools = jobTools({
      paths,
      data: flags.data,
      index,
      uv,
      drivers,
      network,
      log,
      images: new ImageStore(paths.images),
      python: await findPython(process.env),
      coordinator: target.peer,
      cpus: flags.cpus ?? allowedCpus(),
      warm: flags.warm ?? flags.slots,
      onVm: event => print({ event: 'vm', ...event }),
    })
    const volunteer = new Volunteer(
      {
        network,
        coordinator: target.peer,
        signer: identity,
        clock: systemClock,
        random: randomBytes,
        log,
        onEvent: print,
        tools,
        watch,
      },
      {
        slots: flags.slots,
        backends,
        cpu: await readCpuLevel(),
        ...(flags.operator !== undefined && { operator: flags.operator }),
      },
    )
    volunteer.start()
    print({ event: 'ready', peer: identity.peerId, addresses: network.addresses() })
    const link = keepConnected(network, target, {
      clock: systemClock,
      random: Math.random,
      signal,
      onState: state => {
        if (state.state === 'connected') log.info('connected to the coordinator', { peer: target.peer })
        else if (state.state === 'lost') log.warn('lost the coordinator')
        else {
          log.warn('coordinator not reached', { reason: state.reason, retryInMs: state.waitMs })
          print({ event: 'retrying', reason: state.reason })
        }
      },
    })
    const tidying = tidyDaily(paths, { clock: systemClock, signal, inUse: [dirname(uv)] })
    await untilAborted(signal)
    log.info('stopping: leases are given back, VMs end', {
      why: signal.reason instanceof PytiError ? signal.reason.message : '',
    })
    await volunteer.stop()
    await tools.close()
    await link
    await tidying
  } finally {
    for (const close of closers) await close()
  }
}

/** A witness that answers over the volunteer's connection, for the log that the volunteer watches. @returns what closes it */
async function witnessBeside(
  watch: LogWatch,
  dataDir: string,
  { network, log, print }: { network: Network; log: Logger; print: ReturnType<typeof eventPrinter> },
): Promise<() => Promise<void>> {
  const { witness, close } = await openNodeWitness({
    dataDir,
    logOf: origin => {
      const key = watch.fault() ? undefined : watch.logKey()
      return key?.name === origin ? key : undefined
    },
    onCosigned: told => log.info('cosigned', told),
  })
  answerCheckpoints(network, witness)
  log.info('the coordinator may ask this witness', { key: witness.key, peer: network.self })
  print({ event: 'witness', key: witness.key, peer: network.self })
  return close
}
