import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { Readable, Writable } from 'node:stream'

/** One page of a headless Chromium, driven by the DevTools protocol over a pipe. */
export interface BrowserPage {
  /** Value of an expression in the page, promises awaited. Throws what it throws. */
  evaluate(expression: string): Promise<unknown>
  /** Chooses files for an `<input type=file>`. */
  choose(selector: string, ...paths: string[]): Promise<void>
}

export interface Browser {
  open(url: string): Promise<BrowserPage>
  close(): Promise<void>
}

/** Path of the browser, if the machine has one. */
export function findBrowser(path = process.env.PATH ?? ''): string | undefined {
  return path
    .split(delimiter)
    .flatMap(folder => ['chromium', 'chromium-browser', 'google-chrome'].map(name => join(folder, name)))
    .find(existsSync)
}

interface Answer {
  id?: number
  method?: string
  sessionId?: string
  result?: Record<string, unknown>
  error?: { message: string }
}

/** @param folder a new one, for the profile */
export async function openBrowser(program: string, folder: string): Promise<Browser> {
  const flags = [
    '--headless=new',
    '--no-sandbox',
    '--remote-debugging-pipe',
    '--disable-gpu',
    '--disable-dev-shm-usage',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--no-first-run',
    '--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1',
    `--user-data-dir=${folder}`,
  ]
  const child = spawn(program, flags, { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] })
  const [, , , input, output] = child.stdio
  assert(input instanceof Writable && output instanceof Readable)
  const ended = new Promise<void>(resolve => child.once('close', () => resolve()))
  const waiting = new Map<number, { resolve(answer: Answer): void; reject(error: Error): void }>()
  const listeners = new Set<(event: Answer) => void>()
  let last = 0
  let rest = ''
  output.setEncoding('utf8').on('data', (text: string) => {
    const messages = (rest + text).split('\0')
    rest = messages.pop() ?? ''
    for (const message of messages) {
      const answer: Answer = JSON.parse(message)
      if (answer.id === undefined) for (const listen of listeners) listen(answer)
      else waiting.get(answer.id)?.resolve(answer)
    }
  })
  void ended.then(() => {
    for (const { reject } of waiting.values()) reject(new Error('the browser ended'))
  })
  const send = async (method: string, params: object, sessionId?: string) => {
    const id = ++last
    const answered = new Promise<Answer>((resolve, reject) => waiting.set(id, { resolve, reject }))
    input.write(`${JSON.stringify({ id, method, params, sessionId })}\0`)
    const { result, error } = await answered.finally(() => waiting.delete(id))
    if (error) throw new Error(`${method}: ${error.message}`)
    return result ?? {}
  }
  return {
    async open(url) {
      const { targetId } = await send('Target.createTarget', { url: 'about:blank' })
      const { sessionId } = await send('Target.attachToTarget', { targetId, flatten: true })
      const session = String(sessionId)
      const call = (method: string, params: object = {}) => send(method, params, session)
      await call('Page.enable')
      const loaded = new Promise<void>(resolve => {
        const listen = (event: Answer) => {
          if (event.sessionId !== session || event.method !== 'Page.loadEventFired') return
          listeners.delete(listen)
          resolve()
        }
        listeners.add(listen)
      })
      await call('Page.navigate', { url })
      await loaded
      return {
        async evaluate(expression) {
          const { result, exceptionDetails } = await call('Runtime.evaluate', {
            expression,
            awaitPromise: true,
            returnByValue: true,
          })
          if (exceptionDetails) throw new Error(JSON.stringify(exceptionDetails))
          return result instanceof Object && 'value' in result ? result.value : undefined
        },
        async choose(selector, ...files) {
          const expression = `document.querySelector(${JSON.stringify(selector)})`
          const { result } = await call('Runtime.evaluate', { expression })
          const objectId = result instanceof Object && 'objectId' in result ? result.objectId : undefined
          await call('DOM.setFileInputFiles', { files, objectId })
        },
      }
    },
    async close() {
      await send('Browser.close', {}).catch(() => child.kill('SIGKILL'))
      await ended
    },
  }
}
