import assert from 'node:assert/strict'
import { onEveryBackend } from '../helpers/hostile-backends.ts'
import { assertPoweredOff, runPackage, wheelOf } from '../helpers/hostile-package.ts'
import {
  mostHostProcesses,
  type Pressure,
  pressureText,
  slowestProgramMs,
  watchHost,
} from '../helpers/hostile-pressure.ts'

const guard = `import os
if not (os.path.exists("/etc/pyti-guest") and os.getuid() == 1000):
    raise RuntimeError("this program runs only in a PyTI guest")
`

interface Bombs {
  /** Module -> [source, what the agent notes of its import]; imported in the order of their names, before `z_good`. */
  modules: Record<string, [string, RegExp]>
  /** Of the whole task: that of the first module a limit was met in, unless no time was left for the others. */
  reason: RegExp
  taskSeconds: number
}

const blockAll = 'import signal, time\nsignal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())\n'
const cases: Record<string, Bombs> = {
  'processes, threads, memory, output: each limit is met and named, and the next module finds room again': {
    modules: {
      a_forks: ['while True: os.fork()', /killed process-limit/],
      b_threads: [
        'import threading, time\nwhile True: threading.Thread(target=time.sleep, args=(1000,)).start()',
        /killed process-limit/,
      ],
      c_memory: ['held = []\nwhile True: held.append(bytearray(b"x") * (4 << 20))', /killed out-of-memory/],
      d_shared: [
        'import mmap\nheld = []\nwhile True:\n  held.append(mmap.mmap(-1, 4 << 20))\n  held[-1].write(bytes(4 << 20))',
        /killed out-of-memory/,
      ],
      e_results: ['while True: os.write(3, b"x" * 65536)', /killed output-limit/],
      f_noise: [
        'noise = os.urandom(65536) + b"\\x1b]0;title\\x07\\x1b[2J\\x00\\xff\\xfe" + b"\\x00\\x00\\x00\\x01\\x07" * 1000\nwhile True:\n  for descriptor in (1, 2): os.write(descriptor, noise)',
        /killed output-limit/,
      ],
    },
    reason: /^process-limit$/,
    taskSeconds: 60,
  },
  'output and disk': {
    modules: {
      a_output: ['while True: os.write(1, b"x" * 65536)', /killed output-limit/],
      b_disk: [
        'for place in ("/tmp", "/var/tmp", "/dev/shm", os.path.expanduser("~")):\n  try:\n    with open(place + "/full", "wb") as file:\n      while True: file.write(bytes(1 << 20))\n  except OSError as error: print(place, error)\nraise OSError("full")',
        /killed disk-full/,
      ],
    },
    reason: /^output-limit$/,
    taskSeconds: 30,
  },
  // Of disk, memory and the 30 seconds of a module one ends first, by the speed of the machine. Until the task has ended
  // the files stay, and with them the memory they take.
  inodes: {
    modules: {
      a_inodes: [
        'os.makedirs("/tmp/i")\nnumber = 0\nwhile True:\n  os.close(os.open(f"/tmp/i/{number}", os.O_CREAT | os.O_WRONLY))\n  number += 1',
        /killed disk-full|killed out-of-memory|timeout/,
      ],
    },
    reason: /^(?:disk-full|out-of-memory|timeout)$/,
    taskSeconds: 40,
  },
  'a fork bomb without end, all signals blocked, every process in a session of its own': {
    modules: {
      a_forks: [
        `${blockAll}while True:\n  try:\n    if os.fork() == 0: os.setsid()\n  except OSError: pass`,
        /killed process-limit/,
      ],
    },
    reason: /^timeout$/,
    taskSeconds: 6,
  },
  'a hang with all signals blocked, children in other sessions': {
    modules: {
      a_hangs: [
        `${blockAll}for _ in range(5):\n  if os.fork() == 0:\n    os.setsid()\n    os.fork()\n    break\nwhile True: time.sleep(1000)`,
        /timeout|^$/,
      ],
    },
    reason: /^timeout$/,
    taskSeconds: 6,
  },
}

onEveryBackend(
  'a package that exhausts the machine',
  (arena, test) => {
    for (const [name, { modules, reason, taskSeconds }] of Object.entries(cases))
      test(name, async context => {
        const wheel = wheelOf('evil', {
          ...Object.fromEntries(
            Object.entries(modules).map(([module, [source]]) => [`${module}.py`, guard + source]),
          ),
          'z_good/__init__.py': 'print("a module that works")\n',
          'z_good/tests/test_it.py': 'def test_it():\n    assert True\n',
        })
        let watch: ReturnType<typeof watchHost> | undefined
        let pressure: Pressure | undefined
        const started = performance.now()
        const { tasks, exit, logs } = await runPackage(arena, wheel, {
          tasks: ['install', 'import', 'unittest'],
          taskSeconds,
          onWorking: trail => {
            watch = watchHost(trail)
          },
        }).finally(async () => {
          pressure = await watch?.stop()
        })
        const shown = JSON.stringify(tasks)
        assert.ok(pressure)
        const seconds = ((performance.now() - started) / 1000).toFixed(1)
        context.diagnostic(
          `${arena.backend}: ${seconds} s; ${tasks.import?.stable.reason}; ${pressureText(pressure)}`,
        )

        assert.equal(tasks.install?.stable.status, 'passed', shown)
        assert.equal(tasks.import?.stable.status, 'failed', shown)
        assert.match(tasks.import?.stable.reason ?? '', reason, shown)
        const log = logs.get('logs/import.txt') ?? ''
        for (const [module, [, note]] of Object.entries(modules))
          assert.match(
            new RegExp(`\\[pyti\\] import ${module}: (.*)`).exec(log)?.[1] ?? '',
            note,
            `${module}: ${shown}`,
          )
        if (reason.test('process-limit') || reason.test('output-limit'))
          assert.deepEqual(
            tasks.import?.stable.modules.find(module => module.name === 'z_good'),
            { name: 'z_good', outcome: 'passed' },
            shown,
          )
        const later = tasks.unittest?.stable
        assert.equal(later?.status, 'passed', `what follows works: ${shown} ${logs.get('logs/unittest.txt')}`)
        assert.deepEqual(later?.tests, { 'z_good/tests/test_it.py::test_it': 'passed' })
        assertPoweredOff(exit)

        assert.ok(pressure.processes <= mostHostProcesses, `${pressure.processes} processes`)
        assert.ok(pressure.p99 < slowestProgramMs, pressureText(pressure))
      })
  },
  'long',
)
