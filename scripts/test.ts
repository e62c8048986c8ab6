// All tests in the order in which a fault is cheapest to find. `--long` adds what takes more than a few minutes.
import { spawn } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const bin = (name: string) => join(root, 'node_modules/.bin', name)
const long = process.argv.includes('--long')
const only = process.argv.slice(2).filter(argument => !argument.startsWith('--'))

function run(title: string, command: string, args: string[]): Promise<number> {
  process.stdout.write(`\n=== ${title}\n`)
  return new Promise(resolve => {
    const env = long ? { ...process.env, PYTI_LONG: '1', PYTI_FUZZ_RUNS: '12' } : process.env
    const child = spawn(command, args, { cwd: root, env, stdio: ['ignore', 'inherit', 'inherit'] })
    child.on('error', error => {
      process.stdout.write(`${error.message}\n`)
      resolve(1)
    })
    child.on('close', code => resolve(code ?? 1))
  })
}

/** A test that hangs fails, and does not keep whoever waits for the rest. */
const patienceMs = 15 * 60_000

const nodeTest = (concurrency: number, ...patterns: string[]) => [
  '--test',
  ...(long ? [] : [`--test-timeout=${patienceMs}`]),
  '--test-reporter=spec',
  `--test-concurrency=${concurrency}`,
  ...(only.length > 0 ? only : patterns),
]

const steps: [title: string, command: string, args: string[]][] =
  only.length > 0
    ? [['tests asked for', bin('node'), nodeTest(1)]]
    : [
        ['1/7 linter', bin('biome'), ['check']],
        ['2/7 types', bin('tsc'), ['-p', '.']],
        [
          '3/7 guest agent (Python)',
          'python3',
          ['-m', 'unittest', 'discover', '-s', 'guest/tests', '-t', 'guest/tests'],
        ],
        [
          '4/7 unit tests, fuzzing, simulated networks, real networks without VMs (about four minutes)',
          bin('node'),
          nodeTest(
            2,
            'test/unit/**/*.test.ts',
            'test/fuzz/**/*.test.ts',
            'test/sim/**/*.test.ts',
            'test/integration/**/*.test.ts',
          ),
        ],
        ['5/7 guest image', bin('node'), ['src/cli/main.ts', 'image', 'build', '--allow-drift']],
        [
          '6/7 end-to-end tests: real network, real VMs (about six minutes)',
          bin('node'),
          nodeTest(1, 'test/e2e/**/*.test.ts', ...(long ? ['test/long/**/*.test.ts'] : [])),
        ],
        [
          '7/7 hostile suite: attacks on every backend (about five minutes)',
          bin('node'),
          nodeTest(1, 'test/hostile/**/*.test.ts'),
        ],
      ]

const started = Date.now()
const failed: string[] = []
for (const [title, command, args] of steps) if ((await run(title, command, args)) !== 0) failed.push(title)
const minutes = ((Date.now() - started) / 60_000).toFixed(1)
process.stdout.write(
  failed.length === 0
    ? `\nall steps passed in ${minutes} minutes\n`
    : `\nFAILED after ${minutes} minutes: ${failed.join('; ')}\n`,
)
// As test runners end, so that whoever reads the output of CI finds a count.
process.stdout.write(`steps: ${steps.length - failed.length} passed, ${failed.length} failed\n`)
process.exitCode = failed.length === 0 ? 0 : 1
