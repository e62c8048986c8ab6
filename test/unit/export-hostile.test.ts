import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import type { ExportInput } from '../../src/report/exports/input.ts'
import { renderJunit } from '../../src/report/exports/junit.ts'
import { renderMarkdown } from '../../src/report/exports/markdown.ts'
import { renderOsv } from '../../src/report/exports/osv.ts'
import { renderSarif } from '../../src/report/exports/sarif.ts'
import { renderXml } from '../../src/report/exports/xml.ts'
import { taskNames } from '../../src/wire/job.ts'
import type { RawData, TestOutcome } from '../../src/wire/raw-data.ts'
import { exportInput, xmlValues } from '../helpers/exports.ts'
import { junitSchema, osvSchema, sarifSchema } from '../helpers/published-schemas.ts'
import { fileChange, testRawData, withTask } from '../helpers/raw-data.ts'

/** Part of every hostile text, so that a test sees where it ends up. */
const trace = 'ZQX'
const attacks = [
  ']]>', '</testsuite>', '<!--', '<script>alert(1)</script>', '&amp;&#0;', '"', "'", '\u0000', '\u001b[2K', '\r\n', '\n\n# heading\n',
  '\t', '\u007f', '\u0085', '\u2028', '\ufffe', '\uffff', '\u202e', '\u200b', '[a](javascript:alert(1))', '![a](http://evil.test/a.png)',
  '[a](0)', '<http://evil.test>', 'http://evil.test/', 'www.evil.test', '@everyone', '#1', '`', '``', '```', '\\', '\\`', '|', '{0}', '{home}',
  '}', '../', '..', '/', '//evil.test/', 'file:///etc/passwd', 'data:,x', '; ', '::', '%', '%2e%2e/', '\u{1f600}', 'e\u0301', '- ', '> ', '    ',
] as const // biome-ignore format: a list to look over

const hostile = fc
  .array(
    fc.oneof(
      { weight: 3, arbitrary: fc.constantFrom(...attacks) },
      fc.string({ unit: 'binary', maxLength: 6 }),
    ),
    {
      maxLength: 6,
    },
  )
  .map(parts => [...parts, trace].join(''))
const outcomes: TestOutcome[] = [
  'passed',
  'failed',
  'error',
  'skipped',
  'xfailed',
  'xpassed',
  'needs-network',
  'flaky',
]
const position = fc.oneof(fc.integer({ min: -3, max: 3 }), fc.maxSafeInteger())
const scene = fc.record({
  tests: fc.dictionary(hostile, fc.constantFrom(...outcomes), {
    minKeys: 1,
    maxKeys: 6,
    noNullPrototype: true,
  }),
  modules: fc.array(fc.record({ name: hostile, error: hostile }), { maxLength: 4 }),
  conflicts: fc.array(hostile, { maxLength: 3 }),
  paths: fc.array(hostile, { minLength: 1, maxLength: 12 }),
  detail: hostile,
  version: hostile,
  messages: fc.array(fc.tuple(hostile, hostile, position, position), { maxLength: 6 }),
  tool: fc.constantFrom('pylint' as const, 'pycodestyle' as const, 'pyflakes' as const),
})
type Scene = typeof scene extends fc.Arbitrary<infer Value> ? Value : never

const junit = junitSchema()
const sarif = sarifSchema()
const osv = osvSchema()

test('JUnit XML stays valid, and holds every test once', context =>
  check(context, 20_261_201, seen => {
    const xml = renderJunit(inputOf(seen))
    assert.deepEqual(junit(xml), [])
    const suite = '//testsuite[@name="unittest"]'
    assert.equal(
      xmlValues(xml, `${suite}/testcase[contains(@name, "${trace}")]`).length,
      Object.keys(seen.tests).length,
    )
    assert.equal(xmlValues(xml, '//testsuite').length, taskNames.length)
    const counted = xmlValues(xml, '/testsuites/@tests')
    assert.deepEqual(counted, [String(xmlValues(xml, '//testcase').length)])
    assert.doesNotMatch(xml, unseen)
  }))

test('text that XML can hold comes out of a parser as it went in', context =>
  run(context, 20_261_202, fc.string({ unit: 'grapheme', maxLength: 40 }), text => {
    const kept = text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\uFFFE\uFFFF]/gu, '')
    const xml = renderXml({ name: 'a', attributes: { b: kept } })
    assert.deepEqual(xmlValues(xml, '/a/@b'), [kept])
  }))

test('halves of a pair, which raw data cannot hold, do not break XML either', () =>
  assert.deepEqual(xmlValues(renderXml({ name: 'a', attributes: { b: 'x\ud800\udc00y\udfffz' } }), '/a/@b'), [
    'x\u{10000}y\\u{dfff}z',
  ]))

test('SARIF stays valid: no link, no placeholder, no line below 1, no address outside', context =>
  check(context, 20_261_203, seen => {
    const text = renderSarif(inputOf(seen))
    const log = JSON.parse(text)
    assert.deepEqual(sarif(log), [])
    for (const message of valuesOf(log, 'text')) {
      assert.doesNotMatch(message, /\]\(/)
      assert.doesNotMatch(message.replace(/\{\{|\}\}/g, ''), /[{}]/)
      assert.doesNotMatch(message, unseen)
    }
    for (const uri of valuesOf(log, 'uri'))
      assert.ok(new URL(uri, 'https://base.test/site/').href.startsWith('https://base.test/site/'), uri)
    for (const line of [...numbersOf(log, 'startLine'), ...numbersOf(log, 'startColumn')])
      assert.ok(line >= 1 && line < 2 ** 31, `line ${line}`)
    assert.equal(log.runs[1].results.length, seen.messages.length)
  }))

test('a draft stays valid and its Markdown holds foreign text in code spans only', context =>
  check(context, 20_261_204, seen => {
    const record = JSON.parse(renderOsv(inputOf(seen)))
    assert.deepEqual(osv(record), [])
    assertOnlyInCode(record.details)
    for (const { lines } of record.database_specific.evidence)
      for (const line of lines) assert.doesNotMatch(line, unseen)
  }))

test('Markdown holds foreign text in code spans only, and stays small', context =>
  check(context, 20_261_205, seen => {
    const text = renderMarkdown(inputOf(seen))
    assertOnlyInCode(text)
    assert.ok(text.length < 40_000)
    const rows = text.split('\n').filter(line => line.startsWith('|'))
    assert.equal(rows.length, taskNames.length + 2)
    for (const row of rows) assert.equal(row.split('|').length, 5)
    assert.equal(text.match(/^#+ /gm)?.length, text.match(/^#{3,4} [A-Z]/gm)?.length)
  }))

test('Markdown of an archive with a hostile member stays in code spans', context =>
  check(context, 20_261_206, ({ detail }) => {
    const raw = testRawData()
    const stable = { ...raw.intake.stable, archive: 'path-escape' as const, archiveDetail: detail }
    const bad = exportInput([{ ...raw, intake: { ...raw.intake, stable }, tasks: {} }])
    assertOnlyInCode(renderMarkdown(bad))
    assert.deepEqual(junit(renderJunit(bad)), [])
    assert.deepEqual(sarif(JSON.parse(renderSarif(bad))), [])
  }))

test('the largest report makes a small summary', () => {
  const many = (length: number) => Array.from({ length }, (_, index) => `${index} ${'`<&'.repeat(400)}`)
  const text = renderMarkdown(
    inputOf({
      tests: Object.fromEntries(many(300).map(name => [name, 'failed' as const])),
      modules: many(200).map(name => ({ name, error: name })),
      conflicts: many(200),
      paths: many(300),
      detail: '',
      version: '1',
      messages: [],
      tool: 'pylint',
    }),
  )
  assert.ok(text.length < 40_000, `${text.length}`)
})

/** Characters that a reader cannot see, a newline of ours left out. */
const unseen = /[^\P{Cc}\n]|[\p{Cf}\p{Cs}\p{Zl}\p{Zp}\uFFFE\uFFFF]/u

function assertOnlyInCode(markdown: string): void {
  assert.match(markdown, /^[\n\x20-\x7e]*$/)
  for (const line of markdown.split('\n')) {
    const outside = line.replace(/`[^`]+`/g, '')
    assert.ok(!outside.includes('`'), line)
    assert.ok(!outside.includes(trace), line)
    assert.ok(!/[@<>[\]]|:\/\/|www\./.test(outside), line)
  }
}

function inputOf(seen: Scene): ExportInput {
  const spots = seen.paths.map(path => fileChange(`{home}/.config/autostart/${path}`))
  const broken = withTask(testRawData({ tests: seen.tests }), 'import', {
    status: 'failed',
    reason: 'module-failed',
    changes: spots,
    modules: seen.modules.map(({ name, error }) => ({ name, outcome: 'error', error })),
  })
  const installed = withTask(broken, 'install', { conflicts: seen.conflicts })
  return exportInput([linted(installed, seen)])
}

function linted(rawData: RawData, { tool, version, messages }: Scene): RawData {
  const tools = [{ tool, version, status: 'completed' as const, counts: {}, messages, messagesOmitted: 0 }]
  return withTask(rawData, 'quality', { tools })
}

function valuesOf(value: unknown, key: string): string[] {
  return found(value, key).filter(one => typeof one === 'string')
}

function numbersOf(value: unknown, key: string): number[] {
  return found(value, key).filter(one => typeof one === 'number')
}

function found(value: unknown, key: string): unknown[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, inner]) => [
    ...(name === key ? [inner] : []),
    ...found(inner, key),
  ])
}

function check(context: TestContext, seed: number, holds: (seen: Scene) => void): void {
  run(context, seed, scene, holds)
}

function run<Value>(
  context: TestContext,
  seed: number,
  values: fc.Arbitrary<Value>,
  holds: (value: Value) => void,
): void {
  context.diagnostic(`seed ${seed}`)
  fc.assert(fc.property(values, holds), { seed, numRuns: 200 })
}
