import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { describeSources, readGuestSources } from '../../src/sandbox/image/guest-sources.ts'

describe('the files of a guest', () => {
  let dir = ''
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'pyti-guest-sources-'))
    for (const folder of ['agent', 'rules', 'rules/more', 'agent/__pycache__']) await mkdir(join(dir, folder))
    const names = [
      'init',
      'agent/main.py',
      'agent/a_b.py',
      'agent/notes.txt',
      'agent/Old.py',
      'agent/main.py~',
    ]
    for (const name of [
      ...names,
      'rules/VERSION',
      'rules/b.yar',
      'rules/a-b.txt',
      'rules/x.py',
      'rules/.b.yar.swp',
    ])
      await writeFile(join(dir, name), name)
  })
  after(() => rm(dir, { recursive: true }))

  it('are the modules of the agent and its rules, in an order of their own', async () => {
    const { init, agent } = await readGuestSources(dir)
    assert.equal(Buffer.from(init).toString(), 'init')
    assert.deepEqual(
      agent.map(({ name, data }) => [name, Buffer.from(data).toString()]),
      [
        ['a_b.py', 'agent/a_b.py'],
        ['main.py', 'agent/main.py'],
        ['rules/VERSION', 'rules/VERSION'],
        ['rules/a-b.txt', 'rules/a-b.txt'],
        ['rules/b.yar', 'rules/b.yar'],
      ],
    )
  })

  it('are described by their digests: another rule is another guest', async () => {
    const before = describeSources(await readGuestSources(dir))
    await writeFile(join(dir, 'rules/b.yar'), 'changed')
    assert.notDeepEqual(describeSources(await readGuestSources(dir)), before)
  })
})
