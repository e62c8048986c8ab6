import { type CommandName, commandApiVersion, commands } from '../wire/commands.ts'
import type { Rate } from './quota.ts'

export interface ProtocolRow {
  /** Sent in the clear text of multistream, so a node of another version answers "unsupported". */
  id: string
  /** How long the caller waits for the reply. */
  timeoutMs: number
  /** Streams one caller has open at once; a server takes twice that, as the end of one and the start of the next overlap. */
  streams: number
  /** What one peer may ask for, whatever the number of its connections. */
  quota: Rate
}

const commandLimits: Record<CommandName, { streams: number; quota: Rate }> = {
  // Once per connection; a flapping link says hello every few seconds at worst.
  hello: { streams: 1, quota: { burst: 20, perSecond: 0.5 } },
  // One per free slot and advert; up to 64 leases come with each.
  lease: { streams: 2, quota: { burst: 60, perSecond: 4 } },
  // A volunteer that shuts down gives back up to 1,024 leases at once.
  release: { streams: 8, quota: { burst: 1_024, perSecond: 4 } },
  // The expensive one: signature, blobs, log. 64 slots that end jobs of 30 seconds make 2 per second.
  'raw-data': { streams: 4, quota: { burst: 64, perSecond: 2 } },
  // A look at the log at every contact, and after each hand-over.
  'log-head': { streams: 2, quota: { burst: 60, perSecond: 2 } },
  // One per attestation handed in, some time later.
  'log-proof': { streams: 4, quota: { burst: 200, perSecond: 4 } },
  // Asked by a log of its witnesses, once per checkpoint and twice after a restart.
  'add-checkpoint': { streams: 2, quota: { burst: 60, perSecond: 4 } },
  // Once per start and once per new image.
  image: { streams: 1, quota: { burst: 20, perSecond: 0.5 } },
  // A release has a few dozen distributions; the coordinator stores a blob for each.
  submit: { streams: 2, quota: { burst: 100, perSecond: 1 } },
  // Watching a few dozen jobs, once a second each.
  status: { streams: 8, quota: { burst: 100, perSecond: 20 } },
  // A search through an index, up to 100 reports.
  report: { streams: 4, quota: { burst: 60, perSecond: 5 } },
}

/** `/pyti/COMMAND/1`: one stream per request, one frame of JSON each way. */
export const commandProtocols = Object.fromEntries(
  Object.entries(commands).map(([name, { timeoutMs }]) => [
    name,
    { id: `/pyti/${name}/${commandApiVersion}`, timeoutMs, ...commandLimits[name as CommandName] },
  ]),
) as Record<CommandName, ProtocolRow>

/** One stream per blob, ranges in the order asked for. `timeoutMs` is for one range. */
export const blobProtocol: ProtocolRow = {
  id: '/pyti/blob/1',
  timeoutMs: 30_000,
  streams: 4,
  // In ranges of 256 KiB: 256 MiB at once, then 128 MiB per second. Above that the server answers later, not never.
  quota: { burst: 1_024, perSecond: 512 },
}

/** One stream the server writes to for as long as the connection lasts. */
export const advertProtocol: ProtocolRow = {
  id: '/pyti/advert/1',
  timeoutMs: 10_000,
  streams: 1,
  quota: { burst: 20, perSecond: 0.5 },
}

/** libp2p's own protocols get this prefix too: the network is private, a stray node of another one finds nobody to talk to. */
export const protocolPrefix = 'pyti'
export const dhtProtocol = '/pyti/kad/1.0.0'
