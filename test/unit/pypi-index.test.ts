import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemClock } from '../../src/clock.ts'
import { lineLogger, silentLogger } from '../../src/logger.ts'
import { type EmbeddedIndex, startEmbeddedIndex } from '../../src/pypi/embedded-index.ts'
import { parseAnchors } from '../../src/pypi/html-anchors.ts'
import type { Fetch } from '../../src/pypi/http.ts'
import { createIndexClient } from '../../src/pypi/index-client.ts'
import { parseHtmlPage, parseJsonPage } from '../../src/pypi/index-page.ts'
import { findIndex, parseConfigList, parseDefault } from '../../src/pypi/pip-config.ts'
import { redactText, redactUrl, splitCredentials } from '../../src/pypi/redact.ts'
import { sha256 } from '../../src/wire/canonical.ts'

/** Waiting costs nothing here. */
const hasty = { now: systemClock.now, sleep: async () => {} }
const pageUrl = 'https://index.test/simple/demo/'
const digest = 'a'.repeat(64)

const noPip = {
  config: async () => {
    throw new Error('no pip')
  },
  downloadHelp: async () => {
    throw new Error('no pip')
  },
}

test('the index: option, environment, pip settings, pip default', async () => {
  const help =
    'Package Index Options:\n  -i, --index-url <url>  Base URL (default\n    https://default.test/simple). This'
  const pip = (config: string) => ({ config: async () => config, downloadHelp: async () => help })
  const env = { PIP_INDEX_URL: 'https://env.test/simple/' }
  assert.deepEqual(await findIndex({ override: 'http://127.0.0.1:1/simple/', env, pip: noPip }), {
    url: 'http://127.0.0.1:1/simple',
    source: 'option',
    extraUrls: [],
  })
  assert.deepEqual(await findIndex({ env: { ...env, PIP_EXTRA_INDEX_URL: 'https://b.test' }, pip: noPip }), {
    url: 'https://env.test/simple',
    source: 'env',
    extraUrls: ['https://b.test'],
  })
  const configured = "global.index-url='https://conf.test/simple'\nglobal.cert='/etc/ca.pem'\n"
  assert.deepEqual(await findIndex({ env: {}, pip: pip(configured) }), {
    url: 'https://conf.test/simple',
    source: 'pip config',
    extraUrls: [],
    caFile: '/etc/ca.pem',
  })
  assert.equal((await findIndex({ env: {}, pip: pip('') })).url, 'https://default.test/simple')
})

test('no pip, a pip that says nothing, and a URL that is none', async () => {
  await assert.rejects(findIndex({ env: {}, pip: noPip }), { code: 'no-index', hint: /--index URL/ })
  const silent = { config: async () => '', downloadHelp: async () => 'help' }
  await assert.rejects(findIndex({ env: {}, pip: silent }), { code: 'no-index' })
  await assert.rejects(findIndex({ env: { PATH: '/nonexistent' } }), { code: 'no-index' })
  for (const override of ['', 'simple', 'file:///simple', 'ftp://index.test'])
    await assert.rejects(findIndex({ override, env: {}, pip: noPip }), { code: 'bad-index-url' })
})

test('pip settings: the narrower section wins, other lines are not read', () => {
  const settings = parseConfigList(
    [
      ":env:.index-url='https://env.test'",
      "global.index-url='https://global.test'",
      "download.index-url='https://download.test'",
      "install.cert='/no'",
      'nonsense',
      'global.timeout="60"',
    ].join('\n'),
  )
  assert.equal(settings.get('index-url'), 'https://env.test')
  assert.equal(settings.get('timeout'), '60')
  assert.equal(settings.has('cert'), false)
  assert.equal(parseDefault('--index-url <url> no default here'), undefined)
})

test('credentials are cut out of whatever is shown', () => {
  assert.equal(redactUrl('https://me:secret@index.test/simple/?token=x#y'), 'https://***@index.test/simple/')
  assert.equal(redactUrl('::'), '(not a URL)')
  assert.equal(redactText('at https://me:p@index.test/ and x'), 'at https://***@index.test/ and x')
  assert.deepEqual(splitCredentials('https://m%40e:p@index.test/simple'), {
    url: 'https://index.test/simple',
    authorization: `Basic ${Buffer.from('m@e:p').toString('base64')}`,
  })
})

test('a JSON page: relative URLs, odd files left out', () => {
  const page = parseJsonPage(
    JSON.stringify({
      meta: { 'api-version': '1.4' },
      name: 'demo',
      files: [
        {
          filename: 'demo-1.0.tar.gz',
          url: '../../files/demo-1.0.tar.gz',
          hashes: { sha256: digest },
          size: 5,
          'upload-time': '2026-01-02T03:04:05.678Z',
          'requires-python': '>=3.9',
          yanked: 'broken',
          'core-metadata': { sha256: digest },
        },
        { filename: 'demo-1.1.tar.gz', url: 'demo-1.1.tar.gz', hashes: {} },
        { filename: 'demo-1.0.exe', url: 'x', hashes: {} },
        { filename: 'other-1.0.tar.gz', url: 'x', hashes: {} },
        { filename: 'demo-1.2.tar.gz', url: 'x', hashes: { sha256: 'short' } },
        { filename: '../demo-1.3.tar.gz', url: 'x', hashes: {} },
        'text',
      ],
    }),
    'demo',
    pageUrl,
  )
  assert.deepEqual(page.files, [
    {
      filename: 'demo-1.0.tar.gz',
      url: 'https://index.test/files/demo-1.0.tar.gz',
      sha256: digest,
      size: 5,
      uploadTime: '2026-01-02T03:04:05.678Z',
      requiresPython: '>=3.9',
      yanked: true,
      coreMetadata: true,
    },
    { filename: 'demo-1.1.tar.gz', url: `${pageUrl}demo-1.1.tar.gz`, yanked: false, coreMetadata: false },
  ])
})

test('JSON that is no page of version 1 is refused', () => {
  for (const text of ['', '[]', '{}', '{"meta":{"api-version":"2.0"},"files":[]}', '<html>'])
    assert.throws(() => parseJsonPage(text, 'demo', pageUrl), { code: 'bad-index-page' }, text)
})

test('an HTML page: attributes, entities, base, comments', () => {
  const html = `<!DOCTYPE html><html><head><meta name="pypi:repository-version" content="1.1">
    <base href="https://files.test/root/"></head><body><h1>Links</h1>
    <!-- <a href="demo-0.9.tar.gz">hidden</a> -->
    <a class=x href='demo-1.0.tar.gz#sha256=${digest}' data-requires-python="&gt;=3.9, &#60;4" data-size="12"
       data-upload-time="2026-01-02T03:04:05Z">demo-1.0.tar.gz</a><br/>
    <A HREF="/abs/demo-1.1-py3-none-any.whl" data-yanked data-core-metadata="sha256=${digest}">demo</A>
    <a href="demo-1.2%2Blocal-py3-none-any.whl">x</a><a>nothing</a><abbr href="demo-3.0.tar.gz">
    <a href="javascript:demo-2.0.tar.gz">x</a><a href="demo-1.0.tar.gz.asc">x</a></body></html>`
  assert.deepEqual(parseHtmlPage(html, 'demo', pageUrl).files, [
    {
      filename: 'demo-1.0.tar.gz',
      url: 'https://files.test/root/demo-1.0.tar.gz',
      sha256: digest,
      size: 12,
      uploadTime: '2026-01-02T03:04:05Z',
      requiresPython: '>=3.9, <4',
      yanked: false,
      coreMetadata: false,
    },
    {
      filename: 'demo-1.1-py3-none-any.whl',
      url: 'https://files.test/abs/demo-1.1-py3-none-any.whl',
      yanked: true,
      coreMetadata: true,
    },
    {
      filename: 'demo-1.2+local-py3-none-any.whl',
      url: 'https://files.test/root/demo-1.2%2Blocal-py3-none-any.whl',
      yanked: false,
      coreMetadata: false,
    },
  ])
  const newer = '<meta name="pypi:repository-version" content="2.0">'
  assert.throws(() => parseHtmlPage(newer, 'demo', pageUrl), { code: 'bad-index-page' })
})

test('broken HTML ends, and takes no time', () => {
  for (const html of [
    '<a href="x',
    '<',
    '<!--',
    '<a '.repeat(50_000),
    `<a ${'x '.repeat(100_000)}`,
    '<a href=',
  ])
    assert.ok(parseAnchors(html))
})

async function withIndex(use: (index: EmbeddedIndex) => Promise<void>) {
  const bytes = Buffer.from('not looked at')
  const index = await startEmbeddedIndex({
    distributions: [
      { filename: 'demo-1.0.tar.gz', bytes, requiresPython: '>=3.9' },
      { filename: 'demo-1.0-py3-none-any.whl', bytes },
    ],
    clock: systemClock,
  })
  try {
    await use(index)
  } finally {
    await index.close()
  }
}

test('JSON and HTML of one index say the same', () =>
  withIndex(async index => {
    const read = () => createIndexClient({ url: index.url, clock: hasty, log: silentLogger }).project('Demo')
    const json = await read()
    assert.equal(json.format, 'json')
    assert.ok(json.lastSerial)
    assert.equal(json.files[0]?.sha256, sha256('not looked at'))
    assert.ok(json.files[0]?.uploadTime)
    index.features.json = false
    const html = await read()
    assert.equal(html.format, 'html')
    const common = ({ filename, url, sha256: digest, requiresPython }: (typeof html.files)[number]) => ({
      filename,
      url,
      digest,
      requiresPython,
    })
    assert.deepEqual(html.files.map(common), json.files.map(common))
  }))

test('an unchanged page is not sent twice', () =>
  withIndex(async index => {
    const statuses: number[] = []
    const fetch: Fetch = async (url, init) => {
      const response = await globalThis.fetch(url, init)
      statuses.push(response.status)
      return response
    }
    const client = createIndexClient({ url: index.url, clock: hasty, log: silentLogger, fetch })
    const first = await client.project('demo')
    assert.deepEqual(await client.project('demo'), first)
    index.publish({ filename: 'demo-1.1.tar.gz', bytes: Buffer.from('new') })
    assert.equal((await client.project('demo')).files.length, 3)
    assert.deepEqual(statuses, [200, 304, 200])
  }))

test('a project that is not there, and names that cannot be', () =>
  withIndex(async index => {
    const client = createIndexClient({ url: index.url, clock: hasty, log: silentLogger })
    await assert.rejects(client.project('nothing'), { code: 'project-not-found' })
    const before = index.requests.length
    for (const name of ['', '..', '../x', 'a/b', 'a?b', 'x'.repeat(300)])
      await assert.rejects(client.project(name), { code: 'project-not-found' }, name)
    assert.equal(index.requests.length, before)
  }))

test('an index that is down is tried four times, with a hint in the end', () =>
  withIndex(async index => {
    const waits: number[] = []
    const clock = { now: systemClock.now, sleep: async (ms: number) => void waits.push(ms) }
    const client = createIndexClient({ url: index.url, clock, log: silentLogger })
    index.setOffline(true)
    await assert.rejects(client.project('demo'), { code: 'index-unreachable', hint: /PIP_INDEX_URL/ })
    assert.equal(index.requests.length, 4)
    assert.deepEqual(waits, [500, 2_000, 8_000])
    index.setOffline(false)
    index.answer('/simple/demo/', { status: 503, body: 'busy' })
    await assert.rejects(client.project('demo'), { code: 'index-unreachable' })
    assert.equal(index.requests.length, 8)
    index.answer('/simple/demo/', { status: 403, body: 'no' })
    await assert.rejects(client.project('demo'), { code: 'index-unreachable' })
    assert.equal(index.requests.length, 9)
  }))

test('a redirect from https down to http is not taken', async () => {
  const fetch: Fetch = async () =>
    Object.defineProperty(new Response('<html>'), 'url', { value: 'http://index.test/simple/demo/' })
  const options = { url: 'https://index.test/simple', clock: hasty, log: silentLogger, fetch }
  await assert.rejects(createIndexClient(options).project('demo'), {
    code: 'index-unreachable',
    message: /only https/,
  })
})

test('a retry that works is enough', () =>
  withIndex(async index => {
    index.setOffline(true)
    const clock = { now: systemClock.now, sleep: async () => index.setOffline(false) }
    const client = createIndexClient({ url: index.url, clock, log: silentLogger })
    assert.equal((await client.project('demo')).files.length, 2)
  }))

test('pages that are too large, of another type, or silent', () =>
  withIndex(async index => {
    const options = { url: index.url, clock: hasty, log: silentLogger }
    await assert.rejects(createIndexClient({ ...options, pageBytes: 100 }).project('demo'), {
      code: 'bad-index-page',
    })
    index.answer('/simple/demo/', { type: 'text/plain', body: 'hello' })
    await assert.rejects(createIndexClient(options).project('demo'), { code: 'bad-index-page' })
    const silent: Fetch = (_, init) =>
      new Promise((_, reject) => init.signal?.addEventListener('abort', () => reject(init.signal?.reason)))
    await assert.rejects(createIndexClient({ ...options, fetch: silent, silenceMs: 5 }).project('demo'), {
      code: 'index-unreachable',
      message: /no bytes for 5 ms/,
    })
  }))

test('the signal ends a request and the waiting between two', () =>
  withIndex(async index => {
    const stop = new AbortController()
    const sleep = async (_: number, signal?: AbortSignal) => {
      stop.abort(new Error('enough'))
      signal?.throwIfAborted()
    }
    index.setOffline(true)
    const client = createIndexClient({ url: index.url, clock: { now: Date.now, sleep }, log: silentLogger })
    await assert.rejects(client.project('demo', stop.signal), /enough/)
    await assert.rejects(client.project('demo', stop.signal), /enough/)
    assert.equal(index.requests.length, 1)
  }))

test('credentials reach the index, and neither logs nor errors', async () => {
  const lines: string[] = []
  const seen: (string | undefined)[] = []
  const fetch: Fetch = async (url, init) => {
    assert.ok(!url.includes('secret'))
    seen.push(new Headers(init.headers).get('authorization') ?? undefined)
    throw new Error('down')
  }
  const client = createIndexClient({
    url: 'https://me:secret@index.test/simple',
    clock: hasty,
    log: lineLogger(line => lines.push(line), { level: 'debug', json: false, now: () => 0 }),
    fetch,
  })
  await assert.rejects(client.project('demo'), (error: Error) => {
    assert.ok(!JSON.stringify({ ...error, message: error.message }).includes('secret'))
    return true
  })
  assert.equal(seen[0], `Basic ${Buffer.from('me:secret').toString('base64')}`)
  assert.equal(lines.length, 3)
  assert.ok(!lines.join().includes('secret'))
})
