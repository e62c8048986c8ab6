import type { JobTools } from '../../src/volunteer/run-job.ts'
import type { Backend, Job } from '../../src/wire/job.ts'
import { testRawData } from './raw-data.ts'

/** A machine without VMs: what the guest hands over is made up, all else is real. */
export function fakeTools(change: Partial<JobTools> = {}): JobTools {
  return {
    lackOfRoom: async () => undefined,
    slowness: () => 1,
    async prepare(job) {
      const { intake } = testRawData({ job })
      return {
        intake: intake.stable,
        files: [],
        index: 'http://index.test/simple',
        notes: [],
        resolveMilliseconds: 1,
        downloadMilliseconds: 1,
      }
    },
    async runVm(job, _plan, _files, { onEvent }) {
      onEvent({ task: 'setup', state: 'end' })
      return vmOutput(job)
    },
    ...change,
  }
}

export function vmOutput(job: Job, record?: string, backend: Backend = 'uml') {
  const { tasks, guest } = testRawData({ job })
  const text =
    record ??
    JSON.stringify({
      schema: 'pyti.guest/3',
      python: guest.stable.python,
      observers: guest.stable.observers,
      tasks,
    })
  return {
    backend,
    kernel: '6.12',
    bootMilliseconds: 5,
    totalMilliseconds: 9,
    items: new Map([
      ['guest.json', Buffer.from(text)],
      ['logs/build.txt', Buffer.from('built')],
    ]),
  }
}
