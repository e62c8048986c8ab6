import type { LogContext, Logger, LogLevel } from '../../src/logger.ts'

export interface TestLogger extends Logger {
  readonly lines: { level: LogLevel; message: string; context: LogContext | undefined }[]
}

/** A logger that keeps what it is told. */
export function testLogger(): TestLogger {
  const lines: TestLogger['lines'] = []
  const keep = (level: LogLevel) => (message: string, context?: LogContext) => {
    lines.push({ level, message, context })
  }
  return { lines, debug: keep('debug'), info: keep('info'), warn: keep('warn'), error: keep('error') }
}
