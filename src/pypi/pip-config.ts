import { messageOf, PytiError } from '../errors.ts'
import { type Pip, systemPip } from './pip.ts'
import { redactUrl } from './redact.ts'

export interface IndexConfig {
  /** Base URL of the Simple API, without a trailing slash; may hold credentials: never log it unredacted. */
  url: string
  /** What pip would also search. Not used: a second index with the same project names is how confusion attacks work. */
  extraUrls: string[]
  /** PEM bundle pip trusts. */
  caFile?: string
  source: 'option' | 'env' | 'pip config' | 'pip default'
}

/**
 * Which package index to use: the option, `PIP_INDEX_URL`, pip's configuration, pip's own default. The default is
 * asked of pip, so that this project points nowhere by itself.
 * @throws PytiError `no-index` | `bad-index-url`
 */
export async function findIndex(options: {
  override?: string
  env: Record<string, string | undefined>
  pip?: Pip
}): Promise<IndexConfig> {
  const { override, env } = options
  const pip = options.pip ?? systemPip(env)
  const caFromEnv = env.PIP_CERT || env.SSL_CERT_FILE
  if (override !== undefined) return config(override, 'option', [], caFromEnv)
  if (env.PIP_INDEX_URL) return config(env.PIP_INDEX_URL, 'env', words(env.PIP_EXTRA_INDEX_URL), caFromEnv)
  const settings = parseConfigList(await ask(pip.config))
  const caFile = caFromEnv || settings.get('cert')
  const extra = words(settings.get('extra-index-url'))
  const configured = settings.get('index-url')
  if (configured !== undefined) return config(configured, 'pip config', extra, caFile)
  const standard = parseDefault(await ask(pip.downloadHelp))
  if (standard === undefined) throw noIndex('pip does not say which index is its default')
  return config(standard, 'pip default', extra, caFile)
}

function config(
  url: string,
  source: IndexConfig['source'],
  extraUrls: string[],
  caFile: string | undefined,
): IndexConfig {
  const trimmed = url.trim().replace(/\/+$/, '')
  if (!URL.canParse(trimmed) || !/^https?:$/.test(new URL(trimmed).protocol))
    throw new PytiError(
      'bad-index-url',
      `the index URL of ${source} is not an http(s) URL: ${redactUrl(trimmed)}`,
      {
        hint: 'it looks like https://HOST/simple',
      },
    )
  return { url: trimmed, extraUrls, source, ...(caFile ? { caFile } : {}) }
}

/**
 * Reads `section.key='value'`. `:env:` wins over the sections of a command, these over `global`, as in pip.
 */
export function parseConfigList(text: string): Map<string, string> {
  const rank = (section: string) => ['global', 'download', ':env:'].indexOf(section)
  const found = new Map<string, { value: string; rank: number }>()
  for (const line of text.split('\n')) {
    const match = /^(global|download|:env:)\.([a-z-]+)=(['"])(.*)\3$/.exec(line.trim())
    if (!match) continue
    const [, section = '', key = '', , quoted = ''] = match
    const value = quoted.replaceAll('\\n', '\n').trim()
    const known = found.get(key)
    if (!known || known.rank < rank(section)) found.set(key, { value, rank: rank(section) })
  }
  return new Map([...found].map(([key, { value }]) => [key, value]))
}

/** The URL pip's help names as the default of `--index-url`. */
export function parseDefault(help: string): string | undefined {
  return /--index-url\b[^()]{0,400}\(default\s+(https?:\/\/[^\s)]+)\s*\)/.exec(help)?.[1]
}

async function ask(question: () => Promise<string>): Promise<string> {
  try {
    return await question()
  } catch (cause) {
    throw noIndex(`pip cannot be asked: ${messageOf(cause)}`, cause)
  }
}

function noIndex(message: string, cause?: unknown): PytiError {
  return new PytiError('no-index', message, {
    hint: 'install python3 with pip, or name the index with --index URL or PIP_INDEX_URL',
    cause,
  })
}

function words(text: string | undefined): string[] {
  return text?.split(/\s+/).filter(word => word !== '') ?? []
}
