import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it, test } from 'node:test'
import { exportBundle } from '../../src/cli/commands/export.ts'
import { coordinator } from '../helpers/bundle.ts'
import { told } from '../helpers/expect.ts'
import { cleanRun, signedBundle, suspiciousRun } from '../helpers/exports.ts'
import { testIdentity } from '../helpers/raw-data.ts'
import { withDirectory } from '../helpers/temporary.ts'

const formats = ['junit', 'sarif', 'osv', 'markdown'] as const

describe('exportBundle', async () => {
  const good = await signedBundle(suspiciousRun)
  const trusted = { trustedKeys: [coordinator.peerId] }

  for (const format of formats) {
    it(`${format}: the order of the lines does not matter but for the bundle's own digest`, async () => {
      const lines = Buffer.from(good).toString().trimEnd().split('\n')
      const turned = Buffer.from(`${lines.toReversed().join('\n')}\n`)
      const stripped = async (bytes: Uint8Array) => {
        const { text } = await exportBundle(bytes, format, trusted)
        return text.replaceAll(/"bundle": "\w+"|bundle's sha256 is `\w+`/g, '')
      }
      assert.equal(await stripped(turned), await stripped(good))
    })

    it(`${format}: refuses a bundle that was changed`, async () => {
      const changed = Uint8Array.from(good)
      const at = Math.floor(good.length / 2)
      changed[at] = (changed[at] ?? 0) ^ 1
      await assert.rejects(exportBundle(changed, format), told('not-verified'))
    })

    it(`${format}: refuses a key that is not trusted, and too few volunteers`, async () => {
      const other = { trustedKeys: [testIdentity('somebody else').peerId] }
      await assert.rejects(exportBundle(good, format, other), told('not-verified', /coordinator-key/))
      const more = { minimumVolunteers: 4 }
      await assert.rejects(exportBundle(good, format, more), told('not-verified', /distinct-volunteers/))
    })
  }

  it('warns when no key was given', async () => {
    assert.match((await exportBundle(good, 'junit')).warning ?? '', /no trusted key/)
    assert.equal((await exportBundle(good, 'junit', trusted)).warning, undefined)
  })
})

test('pyti export writes to standard output or a file, and says no with its exit code', () =>
  withDirectory(async folder => {
    const path = (name: string) => join(folder, name)
    await writeFile(path('clean.jsonl'), await signedBundle(cleanRun))
    await writeFile(path('cut.jsonl'), (await signedBundle(cleanRun)).subarray(0, -1))

    const printed = pyti('export', path('clean.jsonl'), '--format', 'junit')
    assert.equal(printed.status, 0, printed.stderr)
    assert.match(printed.stdout, /^<\?xml .*<\/testsuites>\n$/s)
    assert.match(printed.stderr, /^note: no trusted key/)

    const key = ['--key', coordinator.peerId]
    const written = pyti('export', path('clean.jsonl'), '--format', 'junit', '--out', path('out.xml'), ...key)
    assert.deepEqual([written.status, written.stdout, written.stderr], [0, '', ''])
    assert.equal(await readFile(path('out.xml'), 'utf8'), printed.stdout)

    const nothing = pyti('export', path('clean.jsonl'), '--format', 'osv')
    assert.equal(nothing.status, 1)
    assert.match(nothing.stderr, /there is nothing to draft/)
    assert.equal(pyti('export', path('cut.jsonl'), '--format', 'sarif').status, 1)
    assert.equal(pyti('export', path('none.jsonl'), '--format', 'sarif').status, 2)
  }))

function pyti(...args: string[]) {
  const main = join(import.meta.dirname, '../../src/cli/main.ts')
  return spawnSync(process.execPath, [main, ...args], { encoding: 'utf8', timeout: 60_000 })
}
