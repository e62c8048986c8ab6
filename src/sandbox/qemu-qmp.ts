import type { Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { setTimeout as wait } from 'node:timers/promises'
import { z } from 'zod'
import { PytiError } from '../errors.ts'

const Reply = z.union([
  z.object({ return: z.unknown() }),
  z.object({ error: z.object({ desc: z.string() }) }),
])
const MigrationStatus = z.object({ status: z.string().optional(), 'error-desc': z.string().optional() })

const pollMs = 50
const unlimited = 2 ** 40

/** The machine protocol of QEMU (QMP): one JSON value a line, one command at a time, events in between. */
export class QmpClient {
  readonly #socket: Socket
  readonly #lines: AsyncIterator<string>

  private constructor(socket: Socket) {
    this.#socket = socket
    const lines = createInterface({ input: socket, crlfDelay: Number.POSITIVE_INFINITY })
    lines.on('error', () => {}) // the iterator tells it
    // A socket this side destroys has no end for the iterator to see.
    socket.once('close', () => lines.close())
    this.#lines = lines[Symbol.asyncIterator]()
  }

  /** Takes QEMU's greeting. @throws PytiError `qmp-failed` */
  static async open(socket: Socket): Promise<QmpClient> {
    const client = new QmpClient(socket)
    await client.#next()
    await client.execute('qmp_capabilities')
    return client
  }

  /** @throws PytiError `qmp-failed` when QEMU refuses the command or ends */
  async execute(command: string, values: Record<string, unknown> = {}): Promise<unknown> {
    this.#socket.write(`${JSON.stringify({ execute: command, arguments: values })}\n`)
    for (;;) {
      const reply = Reply.safeParse(await this.#next())
      if (!reply.success) continue // an event
      if ('error' in reply.data)
        throw new PytiError('qmp-failed', `QEMU refused ${command}: ${reply.data.error.desc.slice(0, 300)}`)
      return reply.data.return
    }
  }

  /**
   * Sends the running VM's whole state to a socket. It is not stopped before: the state says "running", so a clone goes
   * on by itself.
   * @throws PytiError `qmp-failed`, or the signal's reason
   */
  async saveTo(uri: string, signal: AbortSignal): Promise<void> {
    await this.execute('migrate-set-parameters', { 'max-bandwidth': unlimited, 'downtime-limit': 60_000 })
    await this.execute('migrate', { uri })
    for (;;) {
      const { status, 'error-desc': reason } = MigrationStatus.parse(await this.execute('query-migrate'))
      if (status === 'completed') return
      if (status === 'failed' || status === 'cancelled')
        throw new PytiError('qmp-failed', `QEMU could not save the VM: ${reason ?? status}`)
      await wait(pollMs, undefined, { signal })
    }
  }

  async #next(): Promise<unknown> {
    const line = await this.#lines.next().catch(cause => {
      throw new PytiError('qmp-failed', 'the connection to QEMU broke', { cause })
    })
    if (line.done) throw new PytiError('qmp-failed', 'QEMU closed its monitor')
    try {
      return JSON.parse(line.value)
    } catch (cause) {
      throw new PytiError('qmp-failed', "QEMU's monitor said something that is not JSON", { cause })
    }
  }
}
