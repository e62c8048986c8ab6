import { join } from 'node:path'
import { Command, InvalidArgumentError, Option } from 'commander'
import type { Vkey } from '../../attest/log/note.ts'
import { systemClock } from '../../clock.ts'
import { messageOf, PytiError } from '../../errors.ts'
import { type Identity, loadOrCreateIdentity } from '../../identity.ts'
import type { Logger } from '../../logger.ts'
import { parseTarget } from '../../net/addresses.ts'
import { keepConnected } from '../../net/discovery.ts'
import { createNetwork } from '../../net/libp2p.ts'
import { answerCheckpoints } from '../../witness/command.ts'
import { serveWitness } from '../../witness/http.ts'
import type { Witness } from '../../witness/witness.ts'
import { openNodeWitness, vkeysOption, witnessName } from '../node-witness.ts'
import { eventPrinter, loggerFor, type NodeFlags, nodeOptions } from '../options.ts'
import { findPaths } from '../paths.ts'
import { shutdownSignal, untilAborted } from '../shutdown.ts'

interface Flags extends NodeFlags {
  log: Vkey[]
  http?: { host: string; port: number }
  coordinator?: string
  name?: string
}

const defaultHttp = { host: '127.0.0.1', port: 8642 }

export function witnessCommand(): Command {
  const command = new Command('witness')
    .summary('cosign the log of a coordinator, so that it cannot show two histories')
    .description(
      'Signs each checkpoint of a log that continues all it has seen of that log, and nothing else (C2SP tlog-witness). Worth something when whoever runs it is not who runs the log.',
    )
    .addOption(vkeysOption('--log <vkey...>', 'keys of the logs to witness', 1).makeOptionMandatory())
    .addOption(
      new Option(
        '--http <host:port>',
        'where to serve the witness API; 127.0.0.1:8642 unless there is a coordinator to connect to',
      ).argParser(parseHostPort),
    )
    .option('--coordinator <multiaddr>', 'answer a coordinator over a connection to it, with its /p2p/PEERID')
    .option('--name <name>', 'name of its key, as others see it; it can never change', witnessName)
  return nodeOptions(command, join(findPaths().data, 'witness'), '/ip4/0.0.0.0/tcp/0')
    .addHelpText(
      'after',
      `
Examples:
  pyti witness --log pyti.example/log+fe0bdd39+AddamAGC... --http 0.0.0.0:8642
  pyti witness --log pyti.example/log+fe0bdd39+AddamAGC... --coordinator /ip4/192.0.2.7/tcp/4001/p2p/12D3KooW...

The coordinator needs the printed key: --witness VKEY=http://HOST:PORT or --witness VKEY=PEERID. The data folder holds
witness.key and all that was ever signed: keep it, and never start two witnesses from copies of it.`,
    )
    .action((flags: Flags) => runWitness(flags))
}

/** `127.0.0.1:8642`, `[::1]:8642` */
function parseHostPort(text: string): { host: string; port: number } {
  const [, host = '', port] = /^(.+):(\d{1,5})$/.exec(text) ?? []
  if (host === '' || Number(port) > 65_535) throw new InvalidArgumentError('write it like 127.0.0.1:8642')
  return { host: host.replace(/^\[(.*)\]$/, '$1'), port: Number(port) }
}

async function runWitness(flags: Flags): Promise<void> {
  const log = loggerFor(flags)
  const print = eventPrinter(flags)
  const signal = shutdownSignal({ withStdin: flags.events === true })
  const logs = new Map(flags.log.map(vkey => [vkey.name, vkey]))
  if (logs.size < flags.log.length)
    throw new PytiError('usage', 'two of the logs have one name', { hint: 'give the newer key only' })
  const node = await openNodeWitness({
    dataDir: flags.data,
    ...(flags.name !== undefined && { name: flags.name }),
    logOf: origin => logs.get(origin),
    onCosigned: told => {
      log.info('cosigned', told)
      print({ event: 'cosigned', ...told })
    },
  })
  const { witness } = node
  const closers = [() => node.close()]
  try {
    const { http = flags.coordinator === undefined ? defaultHttp : undefined } = flags
    const served = http && (await serveWitness(witness, { ...http, log }))
    if (served) closers.unshift(() => served.close())
    const connected =
      flags.coordinator === undefined
        ? undefined
        : await connect(flags.coordinator, { flags, witness, log, signal })
    if (connected) closers.unshift(() => connected.close())
    const { peer, addresses } = connected ?? { peer: node.identity.peerId, addresses: [] }
    log.info('the key of this witness is', { key: witness.key })
    if (served) log.info('listening', { url: served.url })
    print({
      event: 'ready',
      peer,
      addresses,
      witnessKey: witness.key,
      ...(served && { url: served.url }),
    })
    if (!flags.events && !flags.json) process.stdout.write(`${witness.key}\n`)
    await untilAborted(signal)
    log.info('stopping', { why: messageOf(signal.reason) })
  } finally {
    for (const close of closers) await close()
  }
}

async function connect(
  address: string,
  { flags, witness, log, signal }: { flags: Flags; witness: Witness; log: Logger; signal: AbortSignal },
) {
  const target = parseTarget(address)
  const identity: Identity = await loadOrCreateIdentity(join(flags.data, 'identity.key'))
  const network = await createNetwork({
    identity,
    listen: flags.listen,
    bootstrap: flags.bootstrap,
    role: 'volunteer',
    log,
    prepare: starting => answerCheckpoints(starting, witness),
  })
  const link = keepConnected(network, target, {
    clock: systemClock,
    random: Math.random,
    signal,
    onState: state => {
      if (state.state === 'retrying')
        log.warn('coordinator not reached', { reason: state.reason, retryInMs: state.waitMs })
      else log.info(`coordinator ${state.state}`, { peer: target.peer })
    },
  })
  return {
    peer: identity.peerId,
    addresses: network.addresses(),
    async close() {
      await link
      await network.stop()
    },
  }
}
