import { createPrivateKey, generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto'
import { constants } from 'node:fs'
import { link, mkdir, open, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import type { PrivateKey } from '@libp2p/interface'
import { PytiError } from './errors.ts'
import { peerIdFromPublicKey } from './peer-id.ts'

/** An Ed25519 key: who a node is on the network, and what signs its raw data or reports. */
export interface Identity {
  peerId: string
  /** 32 raw bytes. */
  publicKey: Uint8Array
  /** The same key as libp2p wants it. */
  privateKey: PrivateKey
  /** Plain Ed25519 (RFC 8032), 64 bytes. */
  sign(bytes: Uint8Array): Uint8Array
}

const maxKeyFileBytes = 4_096
const pkcs8Prefix = Buffer.from('302e020100300506032b657004220420', 'hex')

/**
 * Reads the key file (PKCS#8 PEM, as `openssl genpkey -algorithm ed25519` writes it), or creates it with mode 0600.
 * Two processes that start at once end up with the same key.
 * @throws PytiError `identity-exposed` (others may read the file) | `identity-malformed` | `identity-unreadable`
 */
export async function loadOrCreateIdentity(path: string): Promise<Identity> {
  const existing = await readKeyFile(path)
  if (existing !== undefined) return identityFromPem(existing, path)
  try {
    await createKeyFile(path)
  } catch (cause) {
    throw unreadable(path, 'could not be created', cause)
  }
  const created = await readKeyFile(path)
  if (created === undefined) throw unreadable(path, 'vanished while it was being created')
  return identityFromPem(created, path)
}

/** The identity of a 32-byte seed: repeatable, for tests and simulations. */
export async function identityFromSeed(seed: Uint8Array): Promise<Identity> {
  const der = Buffer.concat([pkcs8Prefix, seed])
  return identityFromKey(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }))
}

async function identityFromPem(pem: string, path: string): Promise<Identity> {
  let key: KeyObject
  try {
    key = createPrivateKey({ key: pem, format: 'pem' })
  } catch (cause) {
    throw malformed(path, 'is not a private key in PEM form', cause)
  }
  if (key.asymmetricKeyType !== 'ed25519')
    throw malformed(path, `holds a key of type ${key.asymmetricKeyType}, not ed25519`)
  return identityFromKey(key)
}

async function identityFromKey(key: KeyObject): Promise<Identity> {
  const { d, x } = key.export({ format: 'jwk' })
  if (d === undefined || x === undefined)
    throw new PytiError('identity-malformed', 'the key has no private part')
  const publicKey = Uint8Array.from(Buffer.from(x, 'base64url'))
  return {
    peerId: peerIdFromPublicKey(publicKey),
    publicKey,
    privateKey: await generateKeyPairFromSeed('Ed25519', Uint8Array.from(Buffer.from(d, 'base64url'))),
    sign: bytes => Uint8Array.from(sign(null, bytes, key)),
  }
}

async function readKeyFile(path: string): Promise<string | undefined> {
  try {
    // O_NONBLOCK: opening a FIFO put in place of the file must not hang.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
    try {
      const stat = await file.stat()
      if (!stat.isFile()) throw malformed(path, 'is not a regular file')
      if ((stat.mode & 0o077) !== 0) throw exposed(path, stat.mode)
      if (stat.size > maxKeyFileBytes) throw malformed(path, `is larger than ${maxKeyFileBytes} bytes`)
      return await file.readFile('utf8')
    } finally {
      await file.close()
    }
  } catch (error) {
    if (error instanceof PytiError) throw error
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw unreadable(path, 'cannot be read', error)
  }
}

/** Written beside the target and linked into place: a crash leaves no half key, a race keeps the first one. */
async function createKeyFile(path: string): Promise<void> {
  const folder = dirname(path)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const { privateKey } = generateKeyPairSync('ed25519')
  const temporary = join(folder, `.${basename(path)}.${randomUUID()}.tmp`)
  const file = await open(temporary, 'wx', 0o600)
  try {
    await file.writeFile(privateKey.export({ format: 'pem', type: 'pkcs8' }))
    await file.sync()
  } finally {
    await file.close()
  }
  try {
    await link(temporary, path)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
  } finally {
    await rm(temporary, { force: true })
  }
}

function exposed(path: string, mode: number): PytiError {
  return new PytiError(
    'identity-exposed',
    `${path} may be read by others (mode ${(mode & 0o777).toString(8)})`,
    {
      hint: `run "chmod 600 ${path}"; if somebody may have read it, delete it and start with a new identity`,
    },
  )
}

function malformed(path: string, what: string, cause?: unknown): PytiError {
  return new PytiError('identity-malformed', `${path} ${what}`, {
    hint: 'restore the key file from a backup, or move it away to get a new identity',
    cause,
  })
}

function unreadable(path: string, what: string, cause?: unknown): PytiError {
  return new PytiError('identity-unreadable', `the key file ${path} ${what}`, {
    hint: 'check that the folder exists and belongs to the user that runs this program',
    cause,
  })
}
