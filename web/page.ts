import { type VerifyOptions, verifyBundle } from '../src/attest/verify.ts'
import { messageOf } from '../src/errors.ts'
import { toHex } from '../src/wire/bytes.ts'
import { limits } from '../src/wire/limits.ts'
import { find, showHeadline, showVerification } from './results.ts'

let bundle: Blob | undefined
/** Counts the checks begun: the outcome of one that was overtaken is not shown. */
let begun = 0

async function check(): Promise<void> {
  begun += 1
  const mine = begun
  if (!bundle) return
  showHeadline('busy', 'Checking ...')
  try {
    await demandWebCrypto()
    const verification = await verifyBundle(await bytesOf(bundle, limits.bundleBytes), await optionsOf())
    if (mine === begun) showVerification(verification)
  } catch (error) {
    if (mine === begun) showHeadline('failed', `NOT verified: ${messageOf(error)}`)
  }
}

async function optionsOf(): Promise<VerifyOptions> {
  const [distribution] = input('distribution').files ?? []
  const [logKey] = listIn('log')
  const volunteers = input('volunteers')
  const wanted = volunteers.valueAsNumber
  if (volunteers.value !== '' && !(Number.isSafeInteger(wanted) && wanted > 0))
    throw new Error('the number of volunteers must be a whole number from 1')
  return {
    trustedKeys: listIn('keys'),
    witnesses: listIn('witnesses'),
    ...(volunteers.value !== '' && { minimumVolunteers: wanted }),
    ...(logKey !== undefined && { logKey }),
    ...(distribution && { distribution: await measure(distribution) }),
  }
}

function listIn(id: string): string[] {
  return input(id)
    .value.split(/[\s,]+/)
    .filter(Boolean)
}

async function measure(file: File): Promise<{ sha256: string; size: number }> {
  const digest = await crypto.subtle.digest('SHA-256', await bytesOf(file, limits.distributionBytes))
  return { sha256: toHex(new Uint8Array(digest)), size: file.size }
}

async function bytesOf(file: Blob, most: number): Promise<Uint8Array<ArrayBuffer>> {
  if (file.size > most) throw new Error(`the file has ${file.size} bytes, at most ${most} are taken`)
  return new Uint8Array(await file.arrayBuffer())
}

/** The generator of the curve (RFC 8032): a key that every implementation takes. */
const anyKey = Uint8Array.of(0x58, ...Array<number>(31).fill(0x66))

/** Without this, an old browser would look like a bad signature. */
async function demandWebCrypto(): Promise<void> {
  try {
    await crypto.subtle.importKey('raw', anyKey, 'Ed25519', false, ['verify'])
  } catch {
    throw new Error(
      'this browser cannot check Ed25519 signatures here; take a newer one (2025), or save the page and open the file',
    )
  }
}

function input(id: string): HTMLInputElement {
  const element = find(id)
  if (!(element instanceof HTMLInputElement)) throw new Error(`${id} is no field`)
  return element
}

function take(file: Blob | undefined): void {
  if (file) bundle = file
  void check()
}

/** For links from a page of the same site, such as a log's. */
async function takeLinked(address: string): Promise<void> {
  try {
    const url = new URL(address, location.href)
    if (url.origin !== location.origin)
      throw new Error('a linked bundle must be on the same site as this page')
    const response = await fetch(url)
    if (!response.ok) throw new Error(`there is no such bundle (HTTP status ${response.status})`)
    take(await response.blob())
  } catch (error) {
    showHeadline('failed', `NOT verified: ${messageOf(error)}`)
  }
}

find('form').addEventListener('submit', event => event.preventDefault())
input('bundle').addEventListener('change', () => take(input('bundle').files?.[0]))
for (const id of ['keys', 'volunteers', 'log', 'witnesses', 'distribution'])
  input(id).addEventListener('change', () => void check())
for (const type of ['dragover', 'dragleave', 'drop'])
  document.addEventListener(type, event => {
    event.preventDefault()
    document.body.classList.toggle('over', type === 'dragover')
  })
document.addEventListener('drop', event => take(event.dataTransfer?.files[0]))

showHeadline('none', 'No bundle yet.')
// Only the bundle: which key to trust is the reader's word, never that of whoever made the link.
const linked = new URLSearchParams(location.search).get('bundle')
if (linked !== null) void takeLinked(linked)
