// A process of its own that runs a VM, for the suite to kill: `node hostile-controller.ts BACKEND`. Says `{ pid, runDir }`
// as one line of JSON when the guest has begun to fork without end.
import { drivers } from '../../src/sandbox/backends.ts'
import { Arena } from './hostile-backends.ts'
import { attack } from './hostile-root.ts'

const driver = drivers.find(({ backend }) => backend === process.argv[2])
if (!driver) throw new Error(`no backend ${process.argv[2]}`)
const arena = new Arena(driver)
const missing = await arena.open()
if (missing) throw new Error(missing)
await attack(arena, 'while True:\n  try: os.fork()\n  except OSError: pass', {
  wallSeconds: 100,
  onBegin: (_ready, { pid, runDir }) => process.stdout.write(`${JSON.stringify({ pid, runDir })}\n`),
})
