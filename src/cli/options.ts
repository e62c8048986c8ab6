import { type Command, InvalidArgumentError, Option } from 'commander'
import { type Logger, type LogLevel, lineLogger } from '../logger.ts'
import { Backend, Profile, PythonVersion } from '../wire/job.ts'

export function positiveInteger(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('a whole number above 0')
  return value
}

export function wholeNumber(text: string): number {
  return text === '0' ? 0 : positiveInteger(text)
}

export const backendOption = () =>
  new Option('--backend <name>', 'VM backend instead of the first that boots here').choices(Backend.options)

export const backendsOption = () =>
  new Option('--backend <name...>', 'offer only these VM backends, not all that boot here').choices(
    Backend.options,
  )

function pythonVersion(text: string): string {
  if (!PythonVersion.safeParse(text).success) throw new InvalidArgumentError('a minor version, like 3.13')
  return text
}

export const pythonOption = () =>
  new Option('--python <version>', "the guest's interpreter, instead of the newest one there is").argParser(
    pythonVersion,
  )

/** May be given several times. */
export const pythonsOption = (description: string) =>
  new Option('--python <version...>', description).argParser((text, earlier: string[] | undefined) => [
    ...new Set([...(earlier ?? []), pythonVersion(text)]),
  ])

export const networkOption = (description: string) =>
  new Option('--network <name>', description).choices(Profile.shape.network.options)

/** `30,365,3650` */
export const clockDaysOption = (description: string) =>
  new Option('--clock-days <list>', description).argParser((text: string): number[] => {
    const days = Profile.shape.clockDays.safeParse(text.split(',').map(Number))
    if (!days.success) throw new InvalidArgumentError('up to four whole numbers of days, like 30,365,3650')
    return days.data
  })

export const indexOption = () =>
  new Option('--index <url>', 'base URL of a Simple API index instead of the one pip is configured with')

export const jsonOption = () => new Option('--json', 'machine-readable output')

/** Options of the long-running nodes. */
export function nodeOptions(command: Command, defaultDataDir: string, defaultListen: string): Command {
  return command
    .option('--data <dir>', 'folder with key files and database', defaultDataDir)
    .option('--listen <multiaddr...>', 'addresses to listen on', [defaultListen])
    .option('--bootstrap <multiaddr...>', 'other nodes to meet the network at, with their /p2p/ part', [])
    .addOption(
      new Option('--log-level <level>', 'least important level to log')
        .choices(['debug', 'info', 'warn', 'error'])
        .default('info'),
    )
    .addOption(new Option('--json', 'events on standard output and the log, both as JSON lines'))
    .addOption(new Option('--events', 'print events as JSON lines, end when standard input does').hideHelp())
}

export interface NodeFlags {
  data: string
  listen: string[]
  bootstrap: string[]
  logLevel: LogLevel
  json?: boolean
  events?: boolean
}

export function loggerFor(flags: Pick<NodeFlags, 'logLevel' | 'json'>): Logger {
  return lineLogger(line => process.stderr.write(`${line}\n`), {
    level: flags.logLevel,
    json: flags.json === true,
    now: Date.now,
  })
}

/** Prints events for whoever asked for them: a script by `--json`, the parent process by `--events`. */
export function eventPrinter(
  flags: Pick<NodeFlags, 'events' | 'json'>,
): (event: Record<string, unknown>) => void {
  return event => {
    if (flags.events || flags.json) process.stdout.write(`${JSON.stringify(event)}\n`)
  }
}
