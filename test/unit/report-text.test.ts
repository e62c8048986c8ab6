import assert from 'node:assert/strict'
import { test } from 'node:test'
import { evaluate } from '../../src/report/evaluate.ts'
import { bounded, number, plain, wrap } from '../../src/report/layout.ts'
import { type ReportExtras, renderReport } from '../../src/report/text.ts'
import type { RawData, TestOutcome } from '../../src/wire/raw-data.ts'
import { clocksJob, event, fileChange, testRawData, withEvents, withTask } from '../helpers/raw-data.ts'

const extras: ReportExtras = {
  volunteers: 3,
  agreeing: 3,
  backend: 'uml',
  seconds: 41.27,
  report: 'out/report.jsonl',
}
const base = testRawData()

function render(rawData: RawData, more: Partial<ReportExtras> = {}, flaky: string[] = []): string {
  return renderReport(evaluate({ rawData: [rawData], flaky }), { ...extras, ...more })
}

test('a clean report, line by line', () => {
  assert.equal(
    render(base),
    `sample 1.0  sample-1.0.tar.gz  (sdist, 17 bytes)
sha256 ${base.subject.sha256}

CLEAN  nothing out of the ordinary was seen

  build     passed     sample-1.0-py3-none-any.whl
  install   passed     1 file
  import    passed     1 module
  unittest  passed     1 passed, 1 skipped (pytest)
  quality   passed     120 lines of code, 16.67 messages per 1,000 lines
                       pylint 2; most often C0114 x2

Not run    clocks: The job did not ask for it.

Agreement  3 of 3 volunteers  (uml, 41.3 s)
Report     out/report.jsonl
`,
  )
})

test('a report names the Python and the backend that the job asked for', () => {
  const last = (more: Partial<ReportExtras>) =>
    /^Agreement.*\((.*), 41\.3 s\)$/m.exec(render(base, more))?.[1]
  assert.equal(last({ profile: { python: '3.13', backend: 'any' } }), 'Python 3.13, uml')
  assert.equal(last({ profile: { python: '3.13', backend: 'uml' } }), 'Python 3.13, uml as demanded')
  assert.equal(
    last({ backend: 'none', profile: { python: '3.13', backend: 'tcg' } }),
    'Python 3.13, none, tcg demanded',
  )
})

const outcomes: Record<string, TestOutcome> = {
  'test_a.py::test_clock': 'flaky',
  'test_a.py::test_get': 'needs-network',
  ...Object.fromEntries(
    Array.from({ length: 20 }, (_, index) => [`test_b.py::test_case[${index}]`, 'failed']),
  ),
}

test('a report with trouble tells what, where and how much more', () => {
  const failing = testRawData({ tests: outcomes })
  const rawData = withTask(failing, 'import', {
    status: 'failed',
    reason: 'module-failed',
    modules: [{ name: 'sample.gui', outcome: 'error', error: 'ModuleNotFoundError' }],
    changes: [fileChange('{home}/.bashrc', { kind: 'changed' })],
  })
  const text = render(rawData, {
    volunteers: 6,
    agreeing: 5,
    excerpts: { unittest: 'E   assert 1 == 2\n', build: 'x' },
  })
  for (const line of [
    'SUSPICIOUS  behaviour was seen that a person should look at',
    '  import    failed     0 of 1 module imported',
    '                       At least one module could not be imported.',
    '  unittest  failed     20 failed, 1 flaky, 1 needs the network (pytest)',
    'Failed tests',
    '  x test_b.py::test_case[0]',
    '  and 12 more',
    '  ~ test_a.py::test_clock',
    '  x sample.gui: ModuleNotFoundError',
    'Last words of unittest',
    '  | E   assert 1 == 2',
    '  suspicious  persistence, during import',
    '      - changed {home}/.bashrc',
    'Agreement  5 of 6 volunteers, 1 dissent kept in the report  (uml, 41.3 s)',
  ])
    assert(text.split('\n').includes(line), `${line}\n---\n${text}`)
  assert(!text.includes('Last words of build'), 'only of what failed')
})

test('what did not run says why', () => {
  const { quality: _, ...tasks } = base.tasks
  const rawData = withTask({ ...base, tasks }, 'build', {
    status: 'not-run',
    reason: 'is-a-wheel',
    wheel: undefined,
  })
  const text = render(rawData)
  assert.match(text, /^ {2}build {5}not-run {4}A wheel is built already, so there is nothing to build\.$/m)
  assert.match(text, /^ {2}quality {3}not-run {4}The job did not ask for it\.$/m)
})

test('tasks that say nothing have no line; what was not run or seen is told all the same', () => {
  const text = render(base)
  for (const task of ['static', 'start', 'scripts', 'clocks', 'idle', 'uninstall'])
    assert.doesNotMatch(text, new RegExp(`^ {2}${task} `, 'm'))
  const all = testRawData({ job: clocksJob() })
  assert.match(render(all), /^Not run {4}nothing$/m)
  assert.doesNotMatch(render(all), /Not seen/)
  assert.match(render(all), /^ {2}clocks {4}passed {5}30 days ahead: 0 modules and 0 tests ended otherwise/m)
  const { start: _, ...tasks } = all.tasks
  const stable = { ...all.guest.stable, observers: ['changes' as const, 'audit' as const] }
  const blind = render({ ...all, tasks, guest: { ...all.guest, stable } })
  assert.match(blind, /^Not run {4}start: The job did not ask for it\.$/m)
  assert.match(blind, /^Not seen {3}Programs that were started/m)
  assert.match(blind, /^ {11}Nothing answered for the network/m)
})

test('a task that did not pass, or has a finding, has its line', () => {
  const script = { name: 'sample', outcome: 'failed' as const, exitCode: 2 }
  const broken = withTask(
    withTask(base, 'scripts', { status: 'failed', reason: 'exit-code', scripts: [script] }),
    'uninstall',
    { left: ['{site}/sample/__init__.py'] },
  )
  const text = render(withEvents(broken, 'start', event('name', 'A x.test')))
  assert.match(text, /^ {2}scripts {3}failed {5}0 of 1 console script ran with --help$/m)
  assert.match(text, /^ {2}x sample: exit code 2$/m)
  assert.match(text, /^ {2}start {5}passed$/m)
  assert.match(text, /^ {2}uninstall passed {5}1 file left behind$/m)
  assert.doesNotMatch(text, /^ {2}idle /m)
  const graded = withTask(base, 'static', {
    findings: [{ rule: 'exec-base64', file: 'setup.py', line: 3 }],
    grades: { readme: 'it has none', licence: 'passed' },
  })
  assert.match(render(graded), /^ {2}static {4}passed {5}1 finding, 1 of 2 checks passed$/m)
  assert.match(render(graded), /^ {23}readme: it has none$/m)
})

test('an exit code and a signal are told', () => {
  assert.match(
    render(withTask(base, 'build', { status: 'failed', reason: 'exit-code', exitCode: 3 })),
    /\(exit code 3\)/,
  )
  assert.match(
    render(withTask(base, 'unittest', { status: 'failed', reason: 'signal', signal: 'SIGSEGV' })),
    /\(SIGSEGV\)/,
  )
})

test('a bad archive says what is wrong with it once', () => {
  const stable = { ...base.intake.stable, archive: 'truncated' as const }
  const text = render({ ...base, intake: { ...base.intake, stable }, tasks: {} })
  assert.match(text, /^BAD-INPUT /m)
  assert.equal(text.split('The archive ends before its contents do.').length, 2)
  assert.match(text, /^ {2}build {5}not-run$/m)
})

test('nothing from the distribution reaches the terminal unescaped, and no line is too long', () => {
  const evil = '\u001b[2J\u001b[31m\r\n\u202egp.exe \u0430\u{1f600}'
  const rawData = withTask(
    testRawData({ tests: { [`t::${evil}`]: 'failed', [`t::${'long'.repeat(300)}`]: 'failed' } }),
    'import',
    {
      status: 'failed',
      reason: 'module-failed',
      modules: [{ name: evil, outcome: 'error', error: evil }],
      changes: [fileChange(`{home}/${evil}${'long'.repeat(60)}`)],
    },
  )
  const broken = withTask(rawData, 'install', { conflicts: [evil] })
  const text = render(broken, {
    excerpts: { unittest: `${evil}\n${'y'.repeat(500)}` },
    report: `out/${evil}`,
  })
  assert.match(text, /^[\x20-\x7e\n]*$/)
  assert(text.includes('\\u{1b}[2J'))
  for (const line of text.split('\n')) if (!line.startsWith('Report')) assert(line.length <= 100, line)
})

test('colour is opt-in, and only decorates', () => {
  const painted = render(base, { colour: true })
  assert(painted.includes('\u001b[32m'))
  // biome-ignore lint/suspicious/noControlCharactersInRegex: removing colour is the point
  assert.equal(painted.replace(/\u001b\[\d+m/g, ''), render(base))
})

test('helpers of the layout', () => {
  assert.equal(number(1_234_567), '1,234,567')
  assert.equal(number(12), '12')
  assert.equal(plain('a\u0000b\u{1f600}'), 'a\\u{0}b\\u{1f600}')
  assert.deepEqual(wrap('one two three', 7), ['one two', 'three'])
  assert.deepEqual(wrap('abcdefghij', 4), ['abcd', 'efgh', 'ij'])
  assert.deepEqual(wrap('', 4), [''])
  assert.deepEqual(bounded(['a', 'b', 'c'], 2), ['a', 'b', 'and 1 more'])
  assert.deepEqual(bounded(['a'], 2, 5), ['a', 'and 4 more'])
})
