import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Command } from 'commander'
import { offeredDrivers } from '../../src/cli/offered-drivers.ts'
import { backendsOption, pythonOption, pythonsOption } from '../../src/cli/options.ts'
import { isCode } from '../../src/errors.ts'
import type { Driver } from '../../src/sandbox/vm.ts'
import type { Backend } from '../../src/wire/job.ts'

const driver = (backend: Backend): Driver => ({
  backend,
  slowness: 1,
  missing: async () => undefined,
  start: () => assert.fail('nothing is started'),
})
const all = (['kvm', 'uml', 'tcg'] as const).map(driver)

function machine(...booting: Backend[]) {
  const probed: Backend[] = []
  const probe = async ({ backend }: Driver) => {
    probed.push(backend)
    return { backend, works: booting.includes(backend), detail: `${backend} is broken` }
  }
  return { probe, probed }
}
const names = (drivers: Driver[]) => drivers.map(({ backend }) => backend)

describe('what a volunteer offers', () => {
  it('is every backend that boots, the preferred one first', async () => {
    assert.deepEqual(names(await offeredDrivers(all, machine('tcg', 'uml'))), ['uml', 'tcg'])
  })
  it('is no more than it was told to, and the others are not even probed', async () => {
    const options = machine('kvm', 'uml', 'tcg')
    assert.deepEqual(names(await offeredDrivers(all, { ...options, only: ['tcg', 'kvm'] })), ['kvm', 'tcg'])
    assert.deepEqual(options.probed, ['kvm', 'tcg'])
  })
  it('lacks a backend that was asked for and does not boot, and says so', async () => {
    const failed: string[] = []
    const offered = await offeredDrivers(all, {
      ...machine('tcg'),
      only: ['uml', 'tcg'],
      onFailure: ({ detail }) => failed.push(detail),
    })
    assert.deepEqual([names(offered), failed], [['tcg'], ['uml is broken']])
  })
  it('is an error when nothing boots, with every reason', () =>
    assert.rejects(
      offeredDrivers(all, { ...machine('tcg'), only: ['kvm', 'uml'] }),
      error =>
        isCode(error, 'vm-unavailable') && /\(kvm: kvm is broken; uml: uml is broken\)/.test(error.message),
    ))
})

describe('options for Pythons and backends', () => {
  const parse = (option: ReturnType<typeof pythonOption>, ...args: string[]) =>
    new Command()
      .exitOverride()
      .configureOutput({ writeErr() {} })
      .addOption(option)
      .parse(args, { from: 'user' })
      .opts()

  it('one Python', () => assert.deepEqual(parse(pythonOption(), '--python', '3.11'), { python: '3.11' }))
  it('several Pythons, each once, in the order given', () => {
    const option = () => pythonsOption('x')
    assert.deepEqual(parse(option(), '--python', '3.13', '--python', '3.11', '3.13'), {
      python: ['3.13', '3.11'],
    })
    assert.deepEqual(parse(option()), {})
  })
  it('no other text is a Python', () => {
    for (const text of ['3', '3.13.5', '2.7', 'python3.13', '3.13 ', '3.999', ''])
      for (const option of [pythonOption(), pythonsOption('x')])
        assert.throws(() => parse(option, '--python', text), { code: 'commander.invalidArgument' }, text)
  })
  it('several backends, and no unknown one', () => {
    assert.deepEqual(parse(backendsOption(), '--backend', 'uml', '--backend', 'tcg'), {
      backend: ['uml', 'tcg'],
    })
    for (const text of ['any', 'qemu', ''])
      assert.throws(() => parse(backendsOption(), '--backend', text), { code: 'commander.invalidArgument' })
  })
})
