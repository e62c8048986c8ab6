import assert from 'node:assert/strict'
import { stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PytiError } from '../../src/errors.ts'
import { emptyPlan } from '../../src/sandbox/backends.ts'
import type { ReadyVm } from '../../src/sandbox/ready-vm.ts'
import { runJobIn } from '../../src/sandbox/run-guest.ts'
import type { Exit } from '../../src/sandbox/vm.ts'
import type { GuestEvent } from '../../src/wire/guest.ts'
import type { Arena } from './hostile-backends.ts'
import type { Trail } from './hostile-traces.ts'
import { withDirectory } from './temporary.ts'

/** How a run ended whose agent had been taken over. */
export interface Fall {
  /** `answered`: the guest came to an orderly end; else the error's code. */
  code: string
  exit: Exit['kind'] | undefined
  items: Map<string, Buffer>
  error: PytiError | undefined
}

interface AttackOptions {
  /** Native seconds from GO to BYE. */
  wallSeconds?: number
  /** Called when the guest's part is over and its files still exist. */
  inspect?: (ready: ReadyVm) => Promise<void>
  /** Called when the attack begins. */
  onBegin?: (ready: ReadyVm, trail: Trail) => void
  /** Where the VM's files are to be. */
  runDir?: string
  /** The attack runs before the guest acknowledges GO, so it cannot say that it begins. */
  beforeAck?: boolean
}

/**
 * Runs Python source as PID 1 and root of a guest (see `test/hostile/guest-root/main.py`). Fails when the source itself is
 * wrong, when the VM does not end within its limit, and when anything of it is left.
 */
export async function attack(arena: Arena, source: string, options: AttackOptions = {}): Promise<Fall> {
  const { wallSeconds = 10, inspect, onBegin, beforeAck = false } = options
  return withDirectory(async folder => {
    const path = join(folder, 'attack.py')
    await writeFile(path, beforeAck ? `# before the ACK\n${source}` : source)
    const { size } = await stat(path)
    const vm = await arena.start('hostile', options.runDir)
    const { ready, trail } = vm
    const said: string[] = []
    const onEvent = (event: GuestEvent) => {
      if (said.length < 100 && event.message) said.push(event.message)
      if (event.message === 'begins') onBegin?.(ready, trail)
    }
    const end = async () => {
      await inspect?.(ready)
      await ready.end()
    }
    const fall: Fall = { code: 'answered', exit: undefined, items: new Map(), error: undefined }
    const started = performance.now()
    try {
      const files = [{ filename: 'attack.py', path, size }]
      const job = { plan: emptyPlan, files, wallSeconds, clockMs: Date.now(), onEvent }
      fall.items = (await runJobIn({ ...ready, end }, arena.slowness, job)).items
    } catch (error) {
      if (!(error instanceof PytiError)) throw error
      fall.code = error.code
      fall.error = error
      fall.exit = (error.details.exit as Exit | undefined)?.kind
    } finally {
      await vm.end()
    }
    const took = performance.now() - started
    const ceiling = wallSeconds * 1000 * arena.slowness + 10_000
    assert.ok(took < ceiling, `it took ${took} ms of ${ceiling}`)
    if (!beforeAck)
      assert.equal(said[0], 'begins', `the attack began (${JSON.stringify(fall.error?.details)})`)
    const mistake = said.find(message => message.startsWith('attack failed'))
    assert.equal(mistake, undefined, 'the attack is a correct program')
    return fall
  })
}

/** What an attack answered, and that it ended in order. */
export async function answerOf(
  arena: Arena,
  source: string,
  options?: AttackOptions,
): Promise<Record<string, unknown>> {
  const fall = await attack(arena, source, options)
  assert.equal(fall.code, 'answered', `${fall.error?.message} ${JSON.stringify(fall.error?.details)}`)
  return JSON.parse(fall.items.get('guest.json')?.toString() ?? '')
}
