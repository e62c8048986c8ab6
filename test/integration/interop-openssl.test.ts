import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { openEnvelope, pae, sign, statementType } from '../../src/attest/dsse.ts'
import { fingerprint } from '../../src/attest/keys.ts'
import { signVote } from '../helpers/bundle.ts'
import { lacks, lacksOpenssl, runHost } from '../helpers/host-program.ts'
import { testIdentity, testRawData } from '../helpers/raw-data.ts'
import { withDirectory } from '../helpers/temporary.ts'

const noOpenssl = await lacksOpenssl()
const noKeygen = await lacks('ssh-keygen', ['-?'], /usage|option/)
const alice = testIdentity('alice')
const { envelope } = await signVote({ identity: alice, rawData: testRawData() })
const payload = Buffer.from(envelope.payload, 'base64')
const message = pae(envelope.payloadType, payload)
const signature = Buffer.from(envelope.signatures[0]?.sig ?? '', 'base64')
const der = (prefix: string, key: Uint8Array) => Buffer.concat([Buffer.from(prefix, 'hex'), key])

/** What docs/verify.md tells to type. */
async function opensslVerifies(k: Uint8Array, m: Uint8Array, s: Uint8Array): Promise<boolean> {
  return withDirectory(async cwd => {
    for (const [name, bytes] of Object.entries({ k: der('302a300506032b6570032100', k), m, s }))
      await writeFile(join(cwd, name), bytes)
    const command = 'pkeyutl -verify -pubin -keyform DER -inkey k -rawin -in m -sigfile s'
    const { exitCode, stdout } = await runHost('openssl', command.split(' '), { cwd })
    assert.equal(/Signature Verified Successfully/.test(stdout), exitCode === 0)
    return exitCode === 0
  })
}

function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const copy = Uint8Array.from(bytes)
  copy.set([(copy[at] ?? 0) ^ 1], at)
  return copy
}

describe('openssl pkeyutl', { skip: noOpenssl }, () => {
  it('verifies what a volunteer signs', async () => {
    assert.equal(await opensslVerifies(alice.publicKey, message, signature), true)
  })

  it('refuses another message, signature or key', async () => {
    for (const at of [0, 20, message.length - 1])
      assert.equal(await opensslVerifies(alice.publicKey, flipped(message, at), signature), false)
    for (const at of [0, 31, 32, 63])
      assert.equal(await opensslVerifies(alice.publicKey, message, flipped(signature, at)), false)
    assert.equal(await opensslVerifies(alice.publicKey, payload, signature), false)
    assert.equal(await opensslVerifies(testIdentity('bob').publicKey, message, signature), false)
  })

  it('signs what our code opens, byte for byte as our code signs it', async () => {
    const seed = createHash('sha256').update('alice').digest()
    const made = await withDirectory(async cwd => {
      await writeFile(join(cwd, 'k'), der('302e020100300506032b657004220420', seed))
      await writeFile(join(cwd, 'm'), message)
      const command = 'pkeyutl -sign -keyform DER -inkey k -rawin -in m -out s'
      assert.equal((await runHost('openssl', command.split(' '), { cwd })).exitCode, 0)
      return readFile(join(cwd, 's'))
    })
    const ours = await sign(statementType, payload, alice)
    const signatures = [{ keyid: fingerprint(alice.publicKey), sig: made.toString('base64') }]
    assert.deepEqual({ ...ours, signatures }, ours)
    assert.deepEqual(Buffer.from(await openEnvelope({ ...ours, signatures }, alice.publicKey)), payload)
  })
})

describe('ssh-keygen', { skip: noKeygen }, () => {
  it('gives our keys the fingerprint that is their keyid', async () => {
    for (const name of ['alice', 'bob', 'carol', 'dave', 'erin']) {
      const { publicKey } = testIdentity(name)
      const wire = der('0000000b7373682d6564323535313900000020', publicKey).toString('base64')
      const shown = await withDirectory(async cwd => {
        await writeFile(join(cwd, 'key.pub'), `ssh-ed25519 ${wire} ${name}\n`)
        return runHost('ssh-keygen', ['-l', '-E', 'sha256', '-f', 'key.pub'], { cwd })
      })
      assert.equal(shown.stdout, `256 ${fingerprint(publicKey)} ${name} (ED25519)\n`)
    }
  })
})
