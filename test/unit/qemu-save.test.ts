import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, it } from 'node:test'
import { awaitCaller, saveState } from '../../src/sandbox/qemu-save.ts'
import { sha256 } from '../../src/wire/canonical.ts'
import { withDirectory } from '../helpers/temporary.ts'

type Answer = (command: string, values: Record<string, unknown>, monitor: Socket) => object | undefined

const greeting = { QMP: { version: {}, capabilities: [] } }
const event = { event: 'RESUME', timestamp: {} }
const content = Buffer.alloc(300_000, 'state of a guest ')

/** A QEMU that speaks QMP as far as saving goes. */
async function fakeQemu(path: string, answer: Answer): Promise<void> {
  const monitor = connect(path)
  await once(monitor, 'connect')
  monitor.on('error', () => {})
  const say = (value: object) => monitor.write(`${JSON.stringify(value)}\r\n`)
  say(greeting)
  const lines = createInterface({ input: monitor })
  lines.on('error', () => {})
  lines.on('line', line => {
    const { execute, arguments: values } = JSON.parse(line)
    say(event)
    const reply = answer(execute, values, monitor)
    if (reply) say(reply)
  })
}

/** Runs one save against a fake QEMU. */
const saving = (answer: (dir: string) => Answer, signal = AbortSignal.timeout(20_000)) =>
  withDirectory(async dir => {
    const monitor = await awaitCaller(join(dir, 'monitor'))
    const state = await awaitCaller(join(dir, 'state'))
    try {
      await fakeQemu(monitor.path, answer(dir))
      const saved = await saveState({ monitor, state }, state.path, join(dir, 'saved'), signal)
      return { saved, bytes: await readFile(join(dir, 'saved')) }
    } finally {
      monitor.close()
      state.close()
    }
  })

const sending =
  (dir: string): Answer =>
  (command, { uri }) => {
    if (command === 'migrate') {
      assert.equal(uri, `unix:${join(dir, 'state')}`)
      const state = connect(join(dir, 'state'))
      state.on('error', () => {})
      state.end(content)
    }
    return { return: command === 'query-migrate' ? { status: 'completed' } : {} }
  }

describe('saving a running VM', () => {
  it('every byte arrives, with its digest', async () => {
    const { saved, bytes } = await saving(sending)
    assert.deepEqual(bytes, content)
    assert.deepEqual(saved, { size: content.length, sha256: sha256(content) })
  })

  it('waits until QEMU says that it is complete', async () => {
    let asked = 0
    const { bytes } = await saving(dir => (command, values, monitor) => {
      if (command === 'query-migrate' && asked++ < 2) return { return: { status: 'active' } }
      return sending(dir)(command, values, monitor)
    })
    assert.equal(asked, 3)
    assert.equal(bytes.length, content.length)
  })

  it('does not stop the guest: a clone goes on by itself', async () => {
    const commands: string[] = []
    await saving(dir => (command, values, monitor) => {
      commands.push(command)
      return sending(dir)(command, values, monitor)
    })
    assert.deepEqual(commands, ['qmp_capabilities', 'migrate-set-parameters', 'migrate', 'query-migrate'])
  })

  const failures: [string, (dir: string) => Answer, RegExp][] = [
    [
      'QEMU refuses',
      () => command =>
        command === 'migrate' ? { error: { class: 'GenericError', desc: 'blocked by x' } } : { return: {} },
      /refused migrate: blocked by x/,
    ],
    [
      'QEMU fails on the way',
      dir => (command, values, monitor) =>
        command === 'query-migrate'
          ? { return: { status: 'failed', 'error-desc': 'broken pipe' } }
          : sending(dir)(command, values, monitor),
      /could not save the VM: broken pipe/,
    ],
    [
      'QEMU dies',
      () => (_command, _values, monitor) => {
        monitor.destroy()
        return undefined
      },
      /closed its monitor/,
    ],
    [
      'QEMU talks nonsense',
      () => (_command, _values, monitor) => {
        monitor.write('nonsense\n')
        return undefined
      },
      /QEMU's monitor said something that is not JSON/,
    ],
  ]
  for (const [name, answer, message] of failures)
    it(`${name}: told as such`, () => assert.rejects(saving(answer), { code: 'qmp-failed', message }))

  it('a QEMU that says nothing any more ends with the signal', async () => {
    const stop = new AbortController()
    const silent = saving(
      () => command => {
        if (command === 'migrate') setImmediate(() => stop.abort(new Error('enough')))
        return command === 'migrate' ? undefined : { return: {} }
      },
      stop.signal,
    )
    await assert.rejects(silent, /enough/)
  })
})
