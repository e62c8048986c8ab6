import { noise } from '@chainsafe/libp2p-noise'
import { identify } from '@libp2p/identify'
import { type KadDHT, kadDHT, passthroughMapper } from '@libp2p/kad-dht'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { createLibp2p, type Libp2p } from 'libp2p'
import type { Identity } from '../identity.ts'
import type { PeerId } from './network.ts'
import { dhtProtocol, protocolPrefix } from './protocols.ts'

const KiB = 1024
const MiB = 1024 * KiB

/** Every ceiling on what peers may hold open (libp2p-and-style.md A6). */
export interface NodeLimits {
  /** @default 2000; beyond it new ones are refused, nobody is thrown out */
  maxConnections: number
  /** Connections that have not finished their handshake. @default 128: silent sockets hold these slots */
  maxPendingConnections: number
  /** Per remote address. @default 50: many volunteers share one address behind NAT */
  connectionsPerSecond: number
  /** @default 2: limits per connection must not be multiplied by opening more of them */
  connectionsPerPeer: number
  /** In each direction. @default 64 */
  streamsPerConnection: number
  /** @default 5000 */
  handshakeMs: number
  /** How often a silent peer is asked whether it is there. @default 30000 */
  pingIntervalMs: number
  /** Long enough for a volunteer whose event loop is busy. @default 20000 */
  pingTimeoutMs: number
}

export const defaultNodeLimits: Readonly<NodeLimits> = {
  maxConnections: 2_000,
  maxPendingConnections: 128,
  connectionsPerSecond: 50,
  connectionsPerPeer: 2,
  streamsPerConnection: 64,
  handshakeMs: 5_000,
  pingIntervalMs: 30_000,
  pingTimeoutMs: 20_000,
}

export interface NodeOptions {
  identity: Identity
  /** Multiaddrs to listen on; a volunteer needs none. */
  listen: string[]
  /** Multiaddrs to tell others in place of the ones listened on, for a node behind a forwarded port. */
  announce?: string[]
  /** Coordinators and meeting points serve the DHT, volunteers only ask it. */
  role: 'coordinator' | 'volunteer'
  limits: NodeLimits
  /** Peers that may not connect. */
  isBanned?: (peer: PeerId) => boolean
}

export type Node = Libp2p<{ dht: KadDHT }>

export function createNode(options: NodeOptions): Promise<Node> {
  const { limits } = options
  return createLibp2p({
    // Started by the caller, once its handlers are in place.
    start: false,
    privateKey: options.identity.privateKey,
    addresses: { listen: options.listen, announce: options.announce ?? [] },
    nodeInfo: { name: 'pyti' },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [
      yamux({
        maxInboundStreams: limits.streamsPerConnection,
        maxOutboundStreams: limits.streamsPerConnection,
        streamOptions: {
          // Must stay below the read buffer, or pausing a stream kills it; 16 MiB would also block pings.
          maxStreamWindowSize: 1 * MiB,
          maxReadBufferLength: 4 * MiB,
          maxWriteBufferLength: 4 * MiB,
        },
      }),
    ],
    connectionManager: {
      maxConnections: limits.maxConnections,
      maxIncomingPendingConnections: limits.maxPendingConnections,
      inboundConnectionThreshold: limits.connectionsPerSecond,
      inboundUpgradeTimeout: limits.handshakeMs,
      maxParallelDials: 20,
      dialTimeout: 10_000,
      addressDialTimeout: 6_000,
      // `keepConnected` does this, without giving up after a few tries.
      reconnectRetries: 0,
    },
    connectionMonitor: {
      pingInterval: limits.pingIntervalMs,
      pingTimeout: { minTimeout: limits.pingTimeoutMs, maxTimeout: 2 * limits.pingTimeoutMs },
      protocolPrefix,
    },
    connectionGater: {
      denyInboundEncryptedConnection: peer => options.isBanned?.(peer.toString()) ?? false,
      denyDialMultiaddr: () => false,
    },
    services: {
      identify: identify({ protocolPrefix }),
      ping: ping({ protocolPrefix, maxInboundStreams: 4 }),
      dht: kadDHT({
        protocol: dhtProtocol,
        clientMode: options.role === 'volunteer',
        // The default mapper forgets private addresses: on one machine or in one house nobody would be found.
        peerInfoMapper: passthroughMapper,
        initialQuerySelfInterval: 50,
        maxInboundStreams: 8,
        // Peers are looked up by id, so no records of ours; strangers' records must not pile up for 48 hours.
        providers: { provideValidity: 3_600_000 },
      }),
    },
  })
}
