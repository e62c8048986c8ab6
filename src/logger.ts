export type LogLevel = 'debug' | 'info' | 'warn' | 'error'
export type LogContext = Record<string, unknown>

/** Constant message, data in the context, so that logs can be searched and counted. */
export interface Logger {
  debug(message: string, context?: LogContext): void
  info(message: string, context?: LogContext): void
  warn(message: string, context?: LogContext): void
  error(message: string, context?: LogContext): void
}

export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} }

const order: LogLevel[] = ['debug', 'info', 'warn', 'error']

/** @param write receives one finished line without its newline. */
export function lineLogger(
  write: (line: string) => void,
  options: { level: LogLevel; json: boolean; now: () => number },
): Logger {
  const emit = (level: LogLevel) => (message: string, context?: LogContext) => {
    if (order.indexOf(level) < order.indexOf(options.level)) return
    const time = new Date(options.now()).toISOString()
    if (options.json) return write(JSON.stringify({ time, level, message, ...context }))
    const tail = Object.entries(context ?? {}).map(
      ([key, value]) => ` ${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
    )
    write(`${time} ${level.padEnd(5)} ${message}${tail.join('')}`)
  }
  return { debug: emit('debug'), info: emit('info'), warn: emit('warn'), error: emit('error') }
}
