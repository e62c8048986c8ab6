import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { chmod } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { QmpClient } from './qemu-qmp.ts'

/** A socket of the host that one QEMU connects to once. */
export interface OneCaller {
  path: string
  caller: Promise<Socket>
  close(): void
}

/** The folder must be private: whoever may enter it may connect. @throws the system's error */
export async function awaitCaller(path: string): Promise<OneCaller> {
  const { promise: caller, resolve } = Promise.withResolvers<Socket>()
  let connected: Socket | undefined
  const server = createServer(socket => {
    connected = socket
    socket.on('error', () => {}) // whoever reads it hears of it
    server.close()
    resolve(socket)
  })
  server.listen(path)
  await once(server, 'listening')
  await chmod(path, 0o666)
  const close = () => {
    connected?.destroy()
    server.close()
  }
  return { path, caller, close }
}

/**
 * Writes the state of a running VM into a new file.
 * @param where what QEMU calls the socket the state goes to
 * @throws PytiError `qmp-failed`; the system's error (`ENOSPC`, ...); the signal's reason
 */
export async function saveState(
  sockets: { monitor: OneCaller; state: OneCaller },
  where: string,
  file: string,
  signal: AbortSignal,
): Promise<{ sha256: string; size: number }> {
  const { monitor, state } = sockets
  const stop = () => {
    monitor.close()
    state.close()
  }
  signal.addEventListener('abort', stop, { once: true })
  const hash = createHash('sha256')
  let size = 0
  const meter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk)
      size += chunk.length
      done(null, chunk)
    },
  })
  const ask = async () => {
    const client = await QmpClient.open(await monitor.caller)
    await client.saveTo(`unix:${where}`, signal)
  }
  const receive = async () =>
    pipeline(await state.caller, meter, createWriteStream(file, { flags: 'wx', mode: 0o600 }), { signal })
  try {
    signal.throwIfAborted()
    await Promise.all([ask(), receive()])
    return { sha256: hash.digest('hex'), size }
  } catch (error) {
    signal.throwIfAborted()
    throw error
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
