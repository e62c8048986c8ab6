import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { z } from 'zod'
import { buildPage, bundleSource } from '../../scripts/page.ts'
import { verifyBundle } from '../../src/attest/verify.ts'
import { type Browser, type BrowserPage, findBrowser, openBrowser } from '../helpers/browser.ts'
import { coordinator, testLogKey } from '../helpers/bundle.ts'
import { distributionText, pageCases } from '../helpers/page-cases.ts'
import { testIdentity } from '../helpers/raw-data.ts'

const program = findBrowser()
const skip =
  program === undefined ? 'there is no Chromium on this machine (Debian package `chromium`)' : false

const Shown = z.strictObject({
  state: z.string(),
  headline: z.string(),
  checks: z.array(z.strictObject({ name: z.string(), state: z.string(), detail: z.string() })),
  title: z.string(),
  foreign: z.int(),
})
type Shown = z.infer<typeof Shown>

/** What the page shows once it has made up its mind. */
const look = `(async () => {
  const verdict = document.getElementById('verdict')
  const decided = () => ['ok', 'failed', 'unknown'].includes(verdict.dataset.state)
  if (!decided())
    await new Promise(done => new MutationObserver(() => decided() && done()).observe(verdict, { attributes: true }))
  const states = { ok: 'ok', FAILED: 'failed', unknown: 'unknown' }
  const rows = [...document.querySelectorAll('#checks tr')].map(row => [...row.children].map(cell => cell.textContent))
  return {
    state: verdict.dataset.state,
    headline: verdict.textContent,
    checks: rows.map(([state, name, detail]) => ({ name, state: states[state], detail })),
    title: document.title,
    foreign: document.querySelectorAll('img, iframe, body script ~ script, main script').length,
  }
})()`
const fill = (id: string, value: string) =>
  `document.getElementById('${id}').value = ${JSON.stringify(value)};
   document.getElementById('${id}').dispatchEvent(new Event('change'))`
const shownBy = async (page: BrowserPage): Promise<Shown> => Shown.parse(await page.evaluate(look))
const failedIn = ({ checks }: Shown) =>
  checks.filter(check => check.state === 'failed').map(({ name }) => name)

const cases = await pageCases()
const [good] = cases
assert(good)

describe('verify.html in Chromium', { skip, timeout: 120_000 }, () => {
  let folder = ''
  let html = ''
  let site = ''
  let browser: Browser
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '', 'http://127.0.0.1')
    const [, index] = /^\/case\/(\d+)$/.exec(pathname) ?? []
    const found = index === undefined ? undefined : cases[Number(index)]
    if (pathname === '/verify.html') response.setHeader('content-type', 'text/html').end(html)
    else if (found) response.end(found.bytes)
    else response.writeHead(404).end()
  })

  before(async () => {
    html = (await buildPage()).html
    folder = await mkdtemp(join(tmpdir(), 'pyti-page-'))
    await writeFile(join(folder, 'good.jsonl'), good.bytes)
    await writeFile(join(folder, 'distribution'), distributionText)
    await writeFile(join(folder, 'other'), 'another file')
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const address = server.address()
    assert(address instanceof Object)
    site = `http://127.0.0.1:${address.port}`
    browser = await openBrowser(program ?? '', join(folder, 'profile'))
  })
  after(async () => {
    await browser?.close()
    server.close()
    await rm(folder, { recursive: true, force: true })
  })

  for (const [index, { name, bytes, fails, says }] of cases.entries())
    it(`${name}: ${fails ?? 'nothing'} fails, and every word is that of pyti verify`, async () => {
      const shown = await shownBy(await browser.open(`${site}/verify.html?bundle=/case/${index}`))
      const { checks } = await verifyBundle(bytes)
      assert.deepEqual(shown.checks, checks)
      assert.equal(shown.state, fails ? 'failed' : 'unknown')
      if (fails) assert.ok(failedIn(shown).includes(fails), `${failedIn(shown)}`)
      else assert.deepEqual(failedIn(shown), [])
      if (says !== undefined) assert.ok(shown.checks.some(({ detail }) => detail.includes(says)))
      assert.equal(shown.title, 'PyTI: check a report bundle')
      assert.equal(shown.foreign, 0)
    })

  it('a chosen bundle, a trusted key, a trusted log and the distribution at hand', async () => {
    const page = await browser.open(`${site}/verify.html`)
    await page.choose('#bundle', join(folder, 'good.jsonl'))
    assert.match((await shownBy(page)).headline, /^Consistent, but by a key you did not name/)
    await page.evaluate(fill('keys', `${testIdentity('someone').peerId}, ${coordinator.peerId}`))
    await page.evaluate(fill('log', testLogKey))
    await page.choose('#distribution', join(folder, 'distribution'))
    const shown = await shownBy(page)
    assert.equal(shown.headline, 'Verified: sample-1.0.tar.gz is "clean"')
    const notOk = shown.checks.filter(({ state }) => state !== 'ok').map(({ name }) => name)
    assert.deepEqual(notOk, ['root', 'witnesses', 'log-consistency'], 'nothing was given for these')

    await page.choose('#distribution', join(folder, 'other'))
    assert.deepEqual(failedIn(await shownBy(page)), ['distribution'])
    await page.evaluate(fill('volunteers', '4'))
    assert.deepEqual(failedIn(await shownBy(page)), ['distinct-volunteers', 'distribution'])
    await page.evaluate(fill('keys', testIdentity('someone').peerId))
    assert.deepEqual(failedIn(await shownBy(page)), [
      'coordinator-key',
      'distinct-volunteers',
      'distribution',
    ])
  })

  it('a saved page works from a file, and a dropped bundle is taken', async () => {
    await writeFile(join(folder, 'verify.html'), html)
    const page = await browser.open(`file://${join(folder, 'verify.html')}`)
    const text = JSON.stringify(Buffer.from(good.bytes).toString())
    await page.evaluate(`{
      const dataTransfer = new DataTransfer()
      dataTransfer.items.add(new File([${text}], 'good.jsonl'))
      document.body.dispatchEvent(new DragEvent('drop', { bubbles: true, cancelable: true, dataTransfer }))
    }`)
    const shown = await shownBy(page)
    assert.equal(shown.state, 'unknown')
    assert.deepEqual(failedIn(shown), [])
  })

  it('refuses a bundle of another site, one that is not there, and a key given by a link', async () => {
    const open = async (query: string) => shownBy(await browser.open(`${site}/verify.html?${query}`))
    assert.match((await open('bundle=http://127.0.0.2:1/x')).headline, /^NOT verified: .* same site/)
    assert.match((await open('bundle=/nothing')).headline, /^NOT verified: .*404/)
    assert.equal(
      (await open(`bundle=/case/0&key=${coordinator.peerId}&keys=${coordinator.peerId}`)).state,
      'unknown',
    )
  })

  it('its policy forbids HTML from text, code from text and foreign requests', async () => {
    const page = await browser.open(`${site}/verify.html`)
    await assert.rejects(page.evaluate(`document.body.innerHTML = '<b>x</b>'`), /TrustedHTML/)
    const violation = `new Promise(done => {
      document.addEventListener('securitypolicyviolation', event => done(event.effectiveDirective), { once: true })
      ACT
    })`
    const violated = (act: string) => page.evaluate(violation.replace('ACT', act))
    assert.equal(await violated(`fetch('http://127.0.0.2:1/').catch(() => {})`), 'connect-src')
    assert.equal(await violated(`document.body.append(Object.assign(new Image(), { src: '/x' }))`), 'img-src')
    assert.equal(await violated(`document.body.setAttribute('style', 'color: red')`), 'style-src-attr')
  })

  it('WebCrypto there judges disputed signatures as it does here', async () => {
    const source = await bundleSource(
      `import { verifySignature } from './src/attest/keys.ts'
       const hex = text => Uint8Array.from(text.match(/../g) ?? [], byte => Number.parseInt(byte, 16))
       export const judge = (key, message, signature) =>
         verifySignature(hex(key), hex(message), hex(signature)).then(holds => holds ? 'valid' : 'invalid', error => error.code)`,
      'iife',
    )
    const page = await browser.open(`${site}/verify.html`)
    const expression = `(async () => {
      ${source}
      return Promise.all(${JSON.stringify(signatures)}.map(([key, message, signature]) => bundled.judge(key, message, signature)))
    })()`
    assert.deepEqual(
      await page.evaluate(expression),
      signatures.map(([, , , verdict]) => verdict),
    )
  })
})

interface Case {
  message: string
  pub_key: string
  signature: string
}
const disputed: Case[] = JSON.parse(
  readFileSync(new URL('../fixtures/vectors/ed25519-speccheck.json', import.meta.url), 'utf8'),
)
const signatures = [
  ...disputed.map(({ pub_key, message, signature }) => [
    pub_key,
    message,
    signature,
    pub_key.startsWith('442aad') ? 'invalid' : 'bad-key',
  ]),
  [
    // RFC 8032 section 7.1, test 2.
    '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
    '72',
    '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
    'valid',
  ],
  [
    // R is the neutral element and S = k * a: BoringSSL takes it by itself, OpenSSL does not.
    'ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c',
    '68656c6c6f',
    '01000000000000000000000000000000000000000000000000000000000000003d0bbf5a4ed793ead3f7b10780839e942adb184cbef90ff5eb180831f811eb05',
    'invalid',
  ],
]
