import { parentPort, Worker, workerData } from 'node:worker_threads'
import { PytiError } from '../../src/errors.ts'

interface Call {
  module: string
  name: string
  args: unknown[]
}

/** Far more than the work of one pass takes, far less than what a hostile input once took. */
const deadlineMs = 30_000

/**
 * Calls an exported function in a thread of its own and ends it when it is not done in time: code that hangs cannot be
 * stopped otherwise.
 * @returns what it returned, or the code of the PytiError it threw
 */
export function callInWorker(module: string, name: string, ...args: unknown[]): Promise<unknown> {
  const worker = new Worker(new URL(import.meta.url), { workerData: { module, name, args } satisfies Call })
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new Error(`${name} was not done after ${deadlineMs} ms`))
      void worker.terminate()
    }, deadlineMs)
    worker.once('message', resolve)
    worker.once('error', reject)
    worker.once('exit', () => {
      clearTimeout(timer)
      reject(new Error(`${name} gave no answer`))
    })
  })
}

async function answer({ module, name, args }: Call): Promise<unknown> {
  const exported: Record<string, unknown> = await import(module)
  const called = exported[name]
  if (typeof called !== 'function') throw new Error(`${module} exports no function ${name}`)
  try {
    return await Reflect.apply(called, undefined, args)
  } catch (error) {
    if (error instanceof PytiError) return error.code
    throw error
  }
}

const call: Call | null = workerData
if (parentPort && call) parentPort.postMessage(await answer(call))
