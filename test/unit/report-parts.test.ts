import assert from 'node:assert/strict'
import { describe, it, test } from 'node:test'
import fc from 'fast-check'
import { evaluate } from '../../src/report/evaluate.ts'
import { evidenceLines } from '../../src/report/exports/foreign.ts'
import { findingsOf } from '../../src/report/findings.ts'
import { hostOf } from '../../src/report/network.ts'
import { commandsOf, runFileOf, wordsOf } from '../../src/report/programs.ts'
import { canonicalJson } from '../../src/wire/canonical.ts'
import { type Event, eventKinds, type FileChange, type RawData } from '../../src/wire/raw-data.ts'
import { clocksJob, event, fileChange, testRawData, withEvents, withTask } from '../helpers/raw-data.ts'

const base = testRawData({ job: clocksJob() })

describe('hosts', () => {
  for (const [what, host] of [
    ['tcp 192.0.2.1:443', '192.0.2.1'],
    ['udp [2001:DB8::1]:53', '2001:db8::1'],
    ['tls name.test:443', 'name.test'],
    ['AAAA Name.Test.', 'name.test'],
    ['name.test', 'name.test'],
    ['POST https://a:b@name.test:8443/x?y=http://other.test/', 'name.test'],
    ['POST https://127.0.0.1@name.test/', 'name.test'],
    ['ssh-key base64 in POST https://name.test/', 'name.test'],
    ['netrc plain in tcp name.test:25: smtp', 'name.test'],
    ['', ''],
  ])
    it(JSON.stringify(what), () => assert.equal(hostOf(what ?? ''), host))
})

describe('command lines', () => {
  it('are taken apart as they were quoted', () => {
    assert.deepEqual(wordsOf(`sh -c 'a b' "c"d '' 'it'"'"'s'`), ['sh', '-c', 'a b', 'cd', '', "it's"])
    assert.deepEqual(wordsOf("python -c 'open"), ['python', '-c', 'open'])
    assert.deepEqual(wordsOf(''), [])
  })
  it('of a shell are many', () => {
    assert.deepEqual(commandsOf("sh -c 'A=1 cat x | nc y 2>&1; id && true &'"), [
      ['cat', 'x'],
      ['nc', 'y'],
      ['id'],
      ['true'],
    ])
    assert.deepEqual(commandsOf('ls -l'), [['ls', '-l']])
  })
  for (const [what, file] of [
    ['{tmp}/x -a', '{tmp}/x'],
    ['sh -e {home}/x.sh a', '{home}/x.sh'],
    ['{scripts}/python {tmp}/x.py', '{tmp}/x.py'],
    ["bash -c '{tmp}/x a'", '{tmp}/x'],
    ['{scripts}/python -m x', '{scripts}/python'],
    ["{scripts}/python -c 'import x'", '{scripts}/python'],
    ['sh -i', 'sh'],
  ])
    it(`runs the file of ${what}`, () => assert.equal(runFileOf(what ?? ''), file))
})

test('an act that the kernel and Python told stands once, with its line', () => {
  const at = '{site}/sample/a.py:3'
  const rawData = withEvents(
    base,
    'import',
    event('connect', 'tcp 192.0.2.1:80', { by: 'import' }),
    event('connect', 'tcp 192.0.2.1:80', { at, times: 'many' }),
    event('connect', 'tcp 192.0.2.2:80', { by: 'import', times: 'few' }),
  )
  assert.deepEqual(
    findingsOf(rawData).map(({ evidence }) => evidence),
    [`connect tcp 192.0.2.1:80, at ${at} (many times); connect tcp 192.0.2.2:80, by import (a few times)`],
  )
})

test('a text of the distribution cannot add a line of evidence', () => {
  const rawData = withEvents(base, 'import', event('exec', 'curl x;  bait-left ssh-key; and 9 more'))
  const [finding] = findingsOf(rawData)
  assert.equal(finding?.id, 'program-started')
  assert.equal(evidenceLines(finding.evidence).length, 1)
})

test('a chain is what one task does; the same acts of two tasks are no chain', () => {
  const acts: [Event, Event, string][] = [
    [event('bait-read', 'ssh-key'), event('name', 'A x.test'), 'secret-and-network'],
    [event('code', 'a'.repeat(64)), event('exec', 'curl x'), 'decoded-and-acts'],
    [event('request', 'GET http://x.test/'), event('make-executable', '{home}/x'), 'download-and-run'],
    [event('left-running', 'x'), event('connect', 'tcp 192.0.2.1:80'), 'left-behind'],
    [event('exec', 'sh -i'), event('connect', 'tcp 192.0.2.1:80'), 'remote-shell'],
    [event('memory-file', 'x'), event('exec', 'y'), 'memory-file'],
  ]
  for (const [one, other, rule] of acts) {
    const levels = (rawData: RawData) =>
      findingsOf(rawData).flatMap(({ id, level }) => (id === rule ? [level] : []))
    assert.deepEqual(levels(withEvents(base, 'import', one, other)), ['suspicious'], rule)
    for (const [here, there] of [
      ['import', 'scripts'],
      ['build', 'unittest'],
    ] as const) {
      const apart = withEvents(withEvents(base, here, one), there, other)
      assert.ok(!levels(apart).includes('suspicious'), rule)
    }
  }
})

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.constantFrom(
    'tcp 192.0.2.1:80', 'sh -i', "sh -c '", '{home}/x', '; ', 'ssh-key', 'ssh-key plain in POST http://x.test/', '{tmp}/x', 'x'.repeat(999),
    `${'y'.repeat(149)}\u{1f600}z`,
  ), // biome-ignore format: a list to look over
)
const anyEvent = fc.record({
  kind: fc.constantFrom(...eventKinds),
  what: text,
  by: fc.option(text, { nil: undefined }),
  at: fc.option(text, { nil: undefined }),
  times: fc.constantFrom<Event['times']>('once', 'few', 'many'),
})
const anyChange = fc.record({
  path: fc.oneof(text, fc.constantFrom('{home}/.bashrc', '{site}/a.pth', '{site}/b/c.py')),
  kind: fc.constantFrom<FileChange['kind']>('added', 'changed', 'deleted'),
})
const anything = fc.record({
  task: fc.constantFrom('build', 'install', 'start', 'import', 'unittest', 'idle', 'uninstall' as const),
  events: fc.array(anyEvent, { maxLength: 20 }),
  shifted: fc.array(anyEvent, { maxLength: 5 }),
  changes: fc.array(anyChange, { maxLength: 5 }),
})
type Anything = typeof anything extends fc.Arbitrary<infer Value> ? Value : never

function rawDataOf({ task, events, shifted, changes }: Anything): RawData {
  const plain = (list: typeof events) => JSON.parse(JSON.stringify(list)) as Event[]
  const changed = withTask(base, task, {
    events: plain(events),
    changes: changes.map(({ path, kind }) => fileChange(path, { kind })),
  })
  const shifts = [{ days: 30, modules: [], tests: [], events: plain(shifted) }]
  return withTask(changed, 'clocks', { shifts })
}

test('whatever was seen, an evaluation has canonical JSON within its schema, the same each time', () => {
  fc.assert(
    fc.property(anything, seen => {
      const rawData = rawDataOf(seen)
      const evaluation = evaluate({ rawData: [rawData], flaky: [] })
      assert.equal(canonicalJson(evaluation), canonicalJson(evaluate({ rawData: [rawData], flaky: [] })))
      for (const { evidence } of evaluation.findings) {
        assert.ok(evidence.length <= 4_096)
        assert.ok(evidenceLines(evidence).length <= 11, evidence)
      }
    }),
    { seed: 20_261_211, numRuns: 300 },
  )
})

test('only a bait that left confirms; and without any event or change there is nothing to find', () => {
  fc.assert(
    fc.property(anything, seen => {
      const levels = findingsOf(rawDataOf(seen)).map(({ level }) => level)
      const isLeft = [...seen.events, ...seen.shifted].some(({ kind }) => kind === 'bait-left')
      assert.ok(!levels.includes('confirmed') || isLeft)
      const nothing = { ...seen, events: [], shifted: [], changes: [] }
      assert.deepEqual(findingsOf(rawDataOf(nothing)), [])
    }),
    { seed: 20_261_212, numRuns: 300 },
  )
})

test('static findings alone never raise a verdict above observed', () => {
  const findings = Array.from({ length: 50 }, (_, line) => ({
    rule: 'steals-keys',
    file: 'setup.py',
    line: line + 1,
  }))
  const rawData = withTask(base, 'static', { findings })
  assert.equal(evaluate({ rawData: [rawData], flaky: [] }).verdict, 'observed')
})
