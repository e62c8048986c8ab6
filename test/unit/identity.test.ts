import assert from 'node:assert/strict'
import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { isCode, PytiError } from '../../src/errors.ts'
import { identityFromSeed, loadOrCreateIdentity } from '../../src/identity.ts'

let folder = ''
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pyti-identity-'))
})
after(() => rm(folder, { recursive: true }))

// RFC 8032 section 7.1, test 1.
const rfc8032 = {
  seed: '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
  signature:
    'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
}

test('signs like RFC 8032', async () => {
  const identity = await identityFromSeed(Buffer.from(rfc8032.seed, 'hex'))
  assert.equal(identity.peerId, '12D3KooWQK1wnefoLrcVHbbnf5tLzbopUd3K3bFAoJpA7YJgL5pV')
  assert.equal(Buffer.from(identity.sign(new Uint8Array(0))).toString('hex'), rfc8032.signature)
})

test('creates a key file for its owner only and finds the same key again', async () => {
  const path = join(folder, 'new', 'key.pem')
  const created = await loadOrCreateIdentity(path)
  assert.equal((await stat(path)).mode & 0o777, 0o600)
  assert.deepEqual(await readdir(join(folder, 'new')), ['key.pem'])
  const loaded = await loadOrCreateIdentity(path)
  assert.equal(loaded.peerId, created.peerId)
  assert.deepEqual(loaded.publicKey, created.publicKey)

  const message = Buffer.from('hello')
  const key = createPublicKey({ key: await readFile(path), format: 'pem' })
  assert.ok(verify(null, message, key, loaded.sign(message)))
  assert.equal(peerIdFromPrivateKey(loaded.privateKey).toString(), loaded.peerId)
  assert.ok(await loaded.privateKey.publicKey.verify(message, loaded.sign(message)))
})

test('starts that race end with one key', async () => {
  const path = join(folder, 'race', 'key.pem')
  const all = await Promise.all(Array.from({ length: 8 }, () => loadOrCreateIdentity(path)))
  assert.equal(new Set(all.map(identity => identity.peerId)).size, 1)
  assert.deepEqual(await readdir(join(folder, 'race')), ['key.pem'])
})

for (const mode of [0o640, 0o604, 0o620, 0o777])
  test(`a file with mode ${mode.toString(8)} is refused and left as it is`, async () => {
    const path = join(folder, `exposed-${mode.toString(8)}.pem`)
    await loadOrCreateIdentity(path)
    const before = await readFile(path, 'utf8')
    await chmod(path, mode)
    await assert.rejects(
      loadOrCreateIdentity(path),
      error => isCode(error, 'identity-exposed') && error.hint?.includes('chmod 600') === true,
    )
    assert.equal(await readFile(path, 'utf8'), before)
  })

const pem = (type: 'ec' | 'x25519') =>
  (type === 'ec'
    ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
    : generateKeyPairSync('x25519')
  ).privateKey
    .export({ format: 'pem', type: 'pkcs8' })
    .toString()
const ed25519 = generateKeyPairSync('ed25519')
const malformed: Record<string, string> = {
  empty: '',
  text: 'hello\n',
  'half a key': ed25519.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString().slice(0, 60),
  'public key': ed25519.publicKey.export({ format: 'pem', type: 'spki' }).toString(),
  'elliptic curve key': pem('ec'),
  'x25519 key': pem('x25519'),
  'too large': '-'.repeat(5_000),
}
for (const [name, content] of Object.entries(malformed))
  test(`malformed: ${name}`, async () => {
    const path = join(folder, `malformed-${name.replaceAll(' ', '-')}.pem`)
    await writeFile(path, content, { mode: 0o600 })
    await assert.rejects(loadOrCreateIdentity(path), error => {
      assert.ok(error instanceof PytiError)
      assert.equal(error.code, 'identity-malformed')
      assert.ok(error.hint)
      assert.ok(content === '' || !error.message.includes(content.trim()))
      return true
    })
    assert.equal(await readFile(path, 'utf8'), content)
  })

test('a folder in place of the file is refused', async () => {
  const path = join(folder, 'directory')
  await mkdir(path)
  await assert.rejects(loadOrCreateIdentity(path), error => isCode(error, 'identity-malformed'))
})

test('a file in place of the folder is refused', async () => {
  await writeFile(join(folder, 'file'), '')
  await assert.rejects(loadOrCreateIdentity(join(folder, 'file', 'key.pem')), error =>
    isCode(error, 'identity-unreadable'),
  )
})

test('a dangling link is never followed to create a key elsewhere', async () => {
  const path = join(folder, 'dangling.pem')
  await symlink(join(folder, 'elsewhere.pem'), path)
  await assert.rejects(loadOrCreateIdentity(path), error => isCode(error, 'identity-unreadable'))
  await assert.rejects(stat(join(folder, 'elsewhere.pem')))
})
