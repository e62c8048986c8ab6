import { messageOf } from '../errors.ts'
import type { Background } from './background.ts'
import { type PublishOptions, publishReport } from './publish.ts'
import { createSerial } from './serial.ts'

const retryMs = 2_000
const retryMaxMs = 10 * 60_000

export interface PublisherOptions extends PublishOptions {
  background: Background
  stopping: AbortSignal
}

/**
 * Makes reports one at a time, as each holds raw data of several volunteers in memory. A failed one may be asked for
 * again at any pace: it is tried after a pause that grows.
 * @returns asks for the report of a job
 */
export function createPublisher(options: PublisherOptions): (job: string) => void {
  const { clock, log, background, stopping } = options
  const serial = createSerial()
  const busy = new Set<string>()
  const failed = new Map<string, { times: number; after: number }>()

  const attempt = async (job: string) => {
    if (stopping.aborted) return
    try {
      await publishReport(job, options)
      failed.delete(job)
    } catch (error) {
      const times = (failed.get(job)?.times ?? 0) + 1
      const after = clock.now() + Math.min(retryMaxMs, retryMs * 2 ** Math.min(times, 20))
      failed.set(job, { times, after })
      log.error('report could not be made', { job, times, error: messageOf(error) })
    }
  }

  return job => {
    if (busy.has(job) || (failed.get(job)?.after ?? 0) > clock.now()) return
    busy.add(job)
    background.start('publishing', () =>
      serial.run('report', () => attempt(job)).finally(() => busy.delete(job)),
    )
  }
}
