import { noSignal, startNode } from '../helpers/libp2p-nodes.ts'
import { runNetworkContract } from '../helpers/network-contract.ts'

runNetworkContract('libp2p', async () => {
  const [server, client] = await Promise.all([startNode(1), startNode(2, { role: 'volunteer', listen: [] })])
  const reconnect = async () => {
    const seen = Promise.withResolvers<void>()
    const stop = server.onPeer((peer, state) => {
      if (peer === client.self && state === 'connected') seen.resolve()
    })
    await client.connect({ peer: server.self, addresses: server.addresses() }, noSignal)
    await seen.promise
    stop()
  }
  await reconnect()
  return {
    server,
    client,
    reconnect,
    cut: async () => {
      const lost = Promise.withResolvers<void>()
      client.onPeer((peer, state) => {
        if (peer === server.self && state === 'disconnected') lost.resolve()
      })
      await server.disconnect(client.self)
      await lost.promise
    },
    close: async () => {
      await client.stop()
      await server.stop()
    },
  }
})
