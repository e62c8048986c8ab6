import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { notEnabled } from '../../src/sandbox/qemu.ts'
import { jobArguments, machineArguments, templateArguments } from '../../src/sandbox/qemu-arguments.ts'
import { type Accelerator, acceleratorsOf, machines, type QemuHost } from '../../src/sandbox/qemu-platform.ts'
import { guestMiB } from '../../src/sandbox/vm.ts'

const memory = { memoryMiB: 256, diskMiB: 64 }
const hosts: QemuHost[] = (['linux', 'darwin', 'win32', 'freebsd'] as const).flatMap(platform =>
  (['x64', 'arm64'] as const).map(arch => ({ platform, arch })),
)
const linux: QemuHost = { platform: 'linux', arch: 'x64' }

function find(host: QemuHost, guest: 'x64' | 'arm64', name: string): Accelerator {
  const found = acceleratorsOf(host, guest).find(accelerator => accelerator.name === name)
  assert.ok(found, `no ${name} on ${host.platform} ${host.arch}`)
  return found
}

/** Values that follow one option. */
function valuesOf(args: string[], option: string): string[] {
  return args.flatMap((value, index) => (args[index - 1] === option ? [value] : []))
}

describe('accelerators by platform', () => {
  const names = (platform: NodeJS.Platform, arch: NodeJS.Architecture, guest: 'x64' | 'arm64') =>
    acceleratorsOf({ platform, arch }, guest).map(({ name }) => name)

  it('hardware virtualisation first, translation always', () => {
    assert.deepEqual(names('linux', 'x64', 'x64'), ['kvm', 'tcg'])
    assert.deepEqual(names('darwin', 'arm64', 'arm64'), ['hvf', 'tcg'])
    assert.deepEqual(names('win32', 'x64', 'x64'), ['whpx', 'tcg'])
    assert.deepEqual(names('freebsd', 'x64', 'x64'), ['tcg'])
  })

  it("another processor's guests are translated", () => {
    assert.deepEqual(names('darwin', 'arm64', 'x64'), ['tcg'])
    assert.deepEqual(names('linux', 'x64', 'arm64'), ['tcg'])
  })

  it('whpx cannot save a VM', () => {
    assert.equal(find({ platform: 'win32', arch: 'x64' }, 'x64', 'whpx').saves, false)
    assert.equal(find(linux, 'x64', 'tcg').saves, true)
  })

  it('says plainly what is not enabled', () => {
    assert.match(notEnabled({ platform: 'darwin', arch: 'arm64' }), /not enabled.*darwin.*arm64.*untested/)
  })
})

describe('arguments of QEMU', () => {
  for (const host of hosts)
    for (const guest of ['x64', 'arm64'] as const)
      for (const accelerator of acceleratorsOf(host, guest))
        it(`${guest} guest on ${host.platform} ${host.arch} with ${accelerator.name}`, () => {
          const args = machineArguments(host, guest, accelerator, memory)
          assert.deepEqual(valuesOf(args, '-nic'), ['none'])
          assert.ok(args.includes('-nodefaults') && args.includes('-no-user-config'))
          assert.ok(args.includes('-no-reboot'))
          assert.ok(!args.some(value => /netdev|vsock|9p|virtiofs|usb|gdb|hostfwd/.test(value)))
          assert.deepEqual(valuesOf(args, '-m'), [`${guestMiB(memory)}M`])
          assert.match(valuesOf(args, '-accel')[0] ?? '', new RegExp(`^${accelerator.name}`))
          assert.equal(valuesOf(args, '-M').length, 1)
          const drives = valuesOf(args, '-drive')
          assert.deepEqual(
            drives.map(drive => [/id=(\w+)/.exec(drive)?.[1], drive.includes('readonly=on')]),
            [
              ['base', true],
              ['job', true],
              ['output', false],
            ],
          )
          const blocks = valuesOf(args, '-device').filter(device => device.startsWith('virtio-blk'))
          assert.equal(blocks.length, 3)
          for (const block of blocks) assert.match(block, /werror=report,rerror=report$/)
          const kernel = valuesOf(args, '-append')[0] ?? ''
          assert.match(kernel, new RegExp(`(^| )console=${machines[guest].console}( |$)`))
          assert.match(kernel, /(^| )pyti\.disk=64$/)
          assert.match(kernel, /(^| )panic=-1( |$)/)
          const channel = valuesOf(args, '-chardev')[0]
          assert.equal(
            channel,
            host.platform === 'win32' ? 'pipe,id=channel,path=' : 'socket,id=channel,fd=3',
          )
        })

  it('the processor decides binary, machine and kernel parameters', () => {
    assert.equal(machines.x64.binary, 'qemu-system-x86_64')
    assert.equal(machines.arm64.binary, 'qemu-system-aarch64')
    const tsc = (guest: 'x64' | 'arm64') =>
      machineArguments(linux, guest, find(linux, guest, 'tcg'), memory).some(value =>
        /tsc=reliable/.test(value),
      )
    assert.equal(tsc('x64'), true)
    assert.equal(tsc('arm64'), false)
  })

  it('a job has no monitor, and starts no process on Linux', () => {
    for (const restored of [false, true]) {
      const args = jobArguments(linux, restored)
      assert.deepEqual(valuesOf(args, '-monitor'), ['none'])
      assert.match(valuesOf(args, '-sandbox')[0] ?? '', /spawn=deny/)
      assert.deepEqual(valuesOf(args, '-incoming'), restored ? ['fd:5'] : [])
      assert.ok(!args.some(value => /qmp|-mon$/.test(value)))
    }
    assert.deepEqual(valuesOf(jobArguments({ platform: 'darwin', arch: 'arm64' }, false), '-sandbox'), [])
  })

  it('a template differs from its clones by its monitor only', () => {
    assert.deepEqual(templateArguments(linux, '/k/monitor').slice(2), [
      '-chardev',
      'socket,id=monitor,path=/k/monitor',
      '-mon',
      'chardev=monitor,mode=control',
    ])
    assert.deepEqual(
      templateArguments(linux, '/k/monitor').slice(0, 2),
      jobArguments(linux, false).slice(0, 2),
    )
  })

  it('a comma in a path does not become an option', () => {
    const paths = {
      kernel: 'k',
      initrd: 'i',
      base: '/a,readonly=off',
      job: '/j',
      output: '/o',
      channel: 'c,id=x',
    }
    const host: QemuHost = { platform: 'win32', arch: 'x64' }
    const args = machineArguments(host, 'x64', find(host, 'x64', 'tcg'), memory, paths)
    assert.match(valuesOf(args, '-drive')[0] ?? '', /file=\/a,,readonly=off,file\.locking/)
    assert.equal(valuesOf(args, '-chardev')[0], 'pipe,id=channel,path=c,,id=x')
  })

  it('memory and disk make another machine', () => {
    const tcg = find(linux, 'x64', 'tcg')
    const of = (memoryMiB: number, diskMiB: number) =>
      machineArguments(linux, 'x64', tcg, { memoryMiB, diskMiB }).join(' ')
    assert.equal(of(256, 64), of(256, 64))
    // The same RAM in all, yet another private layer.
    assert.notEqual(of(256, 64), of(192, 128))
  })
})
