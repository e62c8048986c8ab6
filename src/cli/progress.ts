import type { NodeEvent } from './events.ts'
import { print } from './output.ts'

/** Where a long command says how far it is: standard error, one line per step, or a live table on a terminal. */
export interface Progress {
  line(text: string): void
  /** A line of the answer itself, on standard output; the table makes room for it. */
  print(text: string): void
  event(node: string, event: NodeEvent): void
  end(): void
}

const refreshMs = 200

/** Plain lines for logs and pipes, a table that is redrawn in place for people. */
export function createProgress(stream: NodeJS.WriteStream, options: { quiet: boolean }): Progress {
  if (options.quiet) return { line() {}, print, event() {}, end() {} }
  return stream.isTTY ? liveTable(stream) : plainLines(stream)
}

function describe(event: NodeEvent): string | undefined {
  if (event.event === 'stage')
    return `${event.filename}: ${event.stage}${event.detail ? ` ${event.detail}` : ''}`
  if (event.event === 'submitted')
    return `${event.filename}: raw data signed and handed in after ${event.seconds} s`
  if (event.event === 'released') return `${event.filename}: given back (${event.reason}: ${event.message})`
  if (event.event === 'paused') return `takes no leases until there is room: ${event.message}`
  return undefined
}

function plainLines(stream: NodeJS.WriteStream): Progress {
  const last = new Map<string, string>()
  return {
    line: text => void stream.write(`${text}\n`),
    print,
    event(node, event) {
      // One line per step: the finer steps of what runs would be thousands.
      const text = describe(
        event.event === 'stage' && event.stage !== 'waiting'
          ? { ...event, detail: event.detail?.split(' ')[0] }
          : event,
      )
      if (text === undefined || last.get(node) === text) return
      last.set(node, text)
      stream.write(`  ${node}  ${text}\n`)
    },
    end() {},
  }
}

function liveTable(stream: NodeJS.WriteStream): Progress {
  const rows = new Map<string, string>()
  let drawn = 0
  let timer: NodeJS.Timeout | undefined
  const erase = () => {
    if (drawn > 0) stream.write(`\x1b[${drawn}A\x1b[J`)
    drawn = 0
  }
  const draw = () => {
    timer = undefined
    erase()
    const width = stream.columns ?? 100
    for (const [node, text] of [...rows].sort()) stream.write(`${`  ${node}  ${text}`.slice(0, width - 1)}\n`)
    drawn = rows.size
  }
  return {
    line(text) {
      erase()
      stream.write(`${text}\n`)
      draw()
    },
    print(text) {
      erase()
      print(text)
      draw()
    },
    event(node, event) {
      const text = describe(event)
      if (text === undefined) return
      rows.set(node, text.replaceAll(/[^\x20-\x7e]/g, '?'))
      timer ??= setTimeout(draw, refreshMs)
    },
    end() {
      clearTimeout(timer)
      erase()
      rows.clear()
    },
  }
}
