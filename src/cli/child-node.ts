import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { PytiError } from '../errors.ts'
import { NodeEvent } from './events.ts'
import { repositoryDir } from './paths.ts'

type Ready = Extract<NodeEvent, { event: 'ready' }>

/** A coordinator or volunteer in a process of its own, started by `pyti test` and `pyti demo`. */
export interface ChildNode {
  name: string
  process: ChildProcess
  ready: Promise<Ready>
  exited: Promise<void>
  /** Last lines of its log, for when something went wrong. */
  log(): string
  stop(): Promise<void>
}

const stopMs = 10_000

/**
 * Starts `pyti ARGS --events`. The child stops when its standard input closes, so even a killed parent leaves none behind.
 */
export function startChildNode(name: string, args: string[], onEvent: (event: NodeEvent) => void): ChildNode {
  const child = spawn(process.execPath, [join(repositoryDir, 'src/cli/main.ts'), ...args, '--events'], {
    stdio: ['pipe', 'pipe', 'pipe'],
    // Its own process group: Ctrl-C in the terminal reaches the parent only, which then stops its children in order.
    detached: true,
  })
  const lines: string[] = []
  createInterface({ input: child.stderr }).on('line', line => {
    lines.push(line)
    if (lines.length > 50) lines.shift()
  })
  const { promise: ready, resolve, reject } = Promise.withResolvers<Ready>()
  ready.catch(() => {}) // whoever awaits it hears of it
  createInterface({ input: child.stdout }).on('line', line => {
    const event = NodeEvent.safeParse(parseLine(line))
    if (!event.success) return
    if (event.data.event === 'ready') resolve(event.data)
    onEvent(event.data)
  })
  const exited = new Promise<void>(done => {
    child.once('close', code => {
      reject(
        new PytiError('node-failed', `${name} ended with exit code ${code}:\n${lines.slice(-8).join('\n')}`),
      )
      done()
    })
    child.once('error', cause => {
      reject(new PytiError('node-failed', `${name} could not be started: ${cause.message}`, { cause }))
      done()
    })
  })
  child.stdin.on('error', () => {})
  return {
    name,
    process: child,
    ready,
    exited,
    log: () => lines.join('\n'),
    async stop() {
      child.stdin.end()
      const timer = setTimeout(() => child.kill('SIGKILL'), stopMs)
      await exited
      clearTimeout(timer)
    },
  }
}

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}
