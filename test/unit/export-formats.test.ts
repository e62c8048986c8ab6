import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { exportBundle } from '../../src/cli/commands/export.ts'
import { renderJunit } from '../../src/report/exports/junit.ts'
import { renderMarkdown } from '../../src/report/exports/markdown.ts'
import { renderOsv } from '../../src/report/exports/osv.ts'
import { renderSarif } from '../../src/report/exports/sarif.ts'
import { taskNames } from '../../src/wire/job.ts'
import type { RawData } from '../../src/wire/raw-data.ts'
import { coordinator } from '../helpers/bundle.ts'
import { told } from '../helpers/expect.ts'
import { cleanRun, exportInput, signedBundle, suspiciousRun, xmlValues } from '../helpers/exports.ts'
import { junitSchema, osvSchema, sarifSchema } from '../helpers/published-schemas.ts'
import { testJob, testRawData, testSubject, withTask } from '../helpers/raw-data.ts'

const junit = junitSchema()
const sarif = sarifSchema()
const osv = osvSchema()

const badInputRun = (seed: number): RawData => {
  const raw = testRawData({ seed })
  const stable = {
    ...raw.intake.stable,
    archive: 'path-escape' as const,
    archiveDetail: '../../etc/cron.d/x',
  }
  return { ...raw, intake: { ...raw.intake, stable }, tasks: {} }
}
const crashedRun = (seed: number): RawData =>
  withTask(
    withTask(testRawData({ seed }), 'unittest', {
      status: 'failed',
      reason: 'timeout',
      exitCode: undefined,
      testsOmitted: 4,
    }),
    'import',
    {
      status: 'failed',
      reason: 'module-failed',
      modules: [
        { name: 'sample', outcome: 'passed' },
        { name: 'sample.c', outcome: 'signal', signal: 'SIGSEGV' },
        { name: 'sample.d', outcome: 'error', error: 'ImportError' },
      ],
    },
  )
const runs = { cleanRun, suspiciousRun, badInputRun, crashedRun }
const inputOf = (make: (seed: number) => RawData) => exportInput([1, 2, 3].map(make))

describe('exports fit their published schemas', () => {
  for (const [name, make] of Object.entries(runs))
    it(name, async () => {
      const bundle = await signedBundle(make)
      const text = async (format: 'junit' | 'sarif' | 'markdown') => (await exportBundle(bundle, format)).text
      assert.deepEqual(junit(await text('junit')), [])
      assert.deepEqual(sarif(JSON.parse(await text('sarif'))), [])
      assert.match(
        await text('markdown'),
        /^### PyTI: [A-Z-]+, (?:PASSED|FAILED|INCONCLUSIVE): `sample 1\.0`\n/,
      )
      for (const format of ['junit', 'sarif', 'markdown'] as const)
        assert.equal(await text(format), await text(format))
    })

  it('a draft fits too', async () => {
    const { text } = await exportBundle(await signedBundle(suspiciousRun), 'osv')
    assert.deepEqual(osv(JSON.parse(text)), [])
  })

  it('the validators refuse what does not fit', () => {
    assert.equal(junit('<testsuites><testsuite name="a"/></testsuites>').length, 1)
    assert.equal(junit('<testsuites').length, 1)
    assert.notDeepEqual(sarif({ version: '2.1.0', runs: [{}] }), [])
    assert.notDeepEqual(sarif({ version: '2.1.0', runs: [withRegion(0)] }), [])
    assert.deepEqual(sarif({ version: '2.1.0', runs: [withRegion(1)] }), [])
    assert.notDeepEqual(osv({ id: 'X-1', modified: '2026-11-20T12:03:00Z' }), [])
    assert.notDeepEqual(osv({ id: 'MAL-1', modified: 'yesterday' }), [])
  })
})

describe('JUnit XML', () => {
  const xml = renderJunit(inputOf(suspiciousRun))

  it('has a suite for each task', () => assert.deepEqual(xmlValues(xml, '//testsuite/@name'), [...taskNames]))

  it('has every test by node id, in the class of its file', () => {
    assert.deepEqual(xmlValues(xml, '//testsuite[@name="unittest"]/testcase/@name'), [
      'tests/test_a.py::test_adds[1 < 2 & "3"]',
      'tests/test_a.py::test_errs',
      'tests/test_a.py::test_fails',
      'tests/test_a.py::test_fetches',
      'tests/test_a.py::test_flips',
      'tests/test_a.py::test_skips',
      'tests/test_b.py::test_known',
    ])
    assert.deepEqual(xmlValues(xml, '//testcase[@classname="tests/test_b.py"]/@name'), [
      'tests/test_b.py::test_known',
    ])
  })

  it('tells failed, error and what could not be judged apart', () => {
    const named = (end: string) => xmlValues(xml, `//testsuite[@name="unittest"]/testcase[${end}]/@name`)
    assert.deepEqual(named('failure'), ['tests/test_a.py::test_fails'])
    assert.deepEqual(named('error'), ['tests/test_a.py::test_errs'])
    assert.deepEqual(
      named('skipped').map(name => name.split('_').at(-1)),
      ['fetches', 'flips', 'skips', 'known'],
    )
  })

  it('counts what it lists', () => {
    const counts = (of: string) => xmlValues(xml, `//testsuite[@name="${of}"]/@*`)
    assert.deepEqual(counts('unittest'), ['unittest', '7', '1', '1', '4'])
    assert.deepEqual(counts('import'), ['import', '2', '1', '0', '0'])
    assert.deepEqual(xmlValues(xml, '/testsuites/@*').slice(1), ['18', '2', '1'])
  })

  it('shows a suspicious finding as a failure of its task', () =>
    assert.deepEqual(xmlValues(xml, '//testcase[failure/@type="suspicious"]/@name'), ['persistence']))

  it('invents no times', () => assert.deepEqual(xmlValues(xml, '//@time | //@timestamp'), []))

  it('shows how a task ended where no test says it', () => {
    const crashed = renderJunit(inputOf(crashedRun))
    assert.deepEqual(xmlValues(crashed, '//testcase[@classname="pyti.unittest"]/error/@type'), ['timeout'])
    assert.deepEqual(xmlValues(crashed, '//testcase[@classname="pyti.import"]/*/@type'), [
      'SIGSEGV',
      'ImportError',
    ])
    assert.match(crashed, /4 tests are not listed/)
  })

  it('does not blame a module for a package outside the distribution', () => {
    const passed = withTask(cleanRun(1), 'import', {
      modules: [{ name: 'sample.extra', outcome: 'error', error: 'ModuleNotFoundError' }],
    })
    const text = renderJunit(exportInput([passed]))
    assert.deepEqual(xmlValues(text, '//testcase[@name="sample.extra"]/skipped/@type'), [
      'ModuleNotFoundError',
    ])
    assert.deepEqual(xmlValues(text, '//failure'), [])
  })

  it('has every console script; one that does not know --help is no failure', () => {
    const tried = renderJunit(
      inputOf(seed =>
        withTask(cleanRun(seed), 'scripts', {
          status: 'failed',
          reason: 'exit-code',
          scripts: [
            { name: 'a', outcome: 'passed' },
            { name: 'b', outcome: 'failed', exitCode: 2 },
            { name: 'c', outcome: 'signal', signal: 'SIGSEGV' },
          ],
        }),
      ),
    )
    assert.deepEqual(xmlValues(tried, '//testcase[@classname="pyti.scripts"][skipped]/@name'), ['b'])
    assert.deepEqual(xmlValues(tried, '//testcase[@classname="pyti.scripts"][error]/@name'), ['c'])
  })

  it('skips what did not run', () => {
    const bad = renderJunit(inputOf(badInputRun))
    assert.equal(xmlValues(bad, '//testcase/skipped').length, taskNames.length)
    assert.match(
      xmlValues(bad, '//skipped/@message')[0] ?? '',
      /^A member .*\(\.\.\/\.\.\/etc\/cron\.d\/x\)$/,
    )
  })
})

describe('SARIF', () => {
  const log = JSON.parse(renderSarif(inputOf(suspiciousRun)))
  const [findings, pylint] = log.runs

  it('names the distribution and its digest in every run', () => {
    for (const run of log.runs) {
      assert.equal(run.artifacts[0].location.uri, 'sample-1.0.tar.gz')
      assert.deepEqual(run.artifacts[0].hashes, { 'sha-256': testSubject().sha256 })
    }
  })

  it('has the findings with rule, level and evidence', () => {
    const [result] = findings.results
    assert.equal(result.ruleId, 'persistence')
    assert.equal(findings.tool.driver.rules[result.ruleIndex].id, 'persistence')
    assert.equal(result.level, 'warning')
    assert.equal(result.message.text, 'During import: added {{home}}/.bashrc')
    assert.deepEqual(findings.properties.agreement, { volunteers: 3, agreeing: 3 })
    assert.equal(findings.properties.verdict, 'suspicious')
  })

  it('has the messages of a linter with its version', () => {
    assert.deepEqual([pylint.tool.driver.name, pylint.tool.driver.version], ['pylint', '3.3.4'])
    const { physicalLocation } = pylint.results[0].locations[0]
    assert.deepEqual(physicalLocation.artifactLocation, { uri: 'sample/__init__.py', uriBaseId: 'SITE' })
    assert.deepEqual(physicalLocation.region, { startLine: 1, startColumn: 1 })
  })

  it('gives a line only where there is one, and a place only below the distribution', () => {
    const places = placesOf([
      ['F0001', 'a.py', 0, 0],
      ['E0001', 'a.py', -3, 5],
      ['C0301', 'a.py', 7, -1],
      ['C0302', '../../etc/passwd', 1, 0],
      ['C0303', '/etc/passwd', 1, 0],
      ['C0304', 'http://evil.test/a.py', 1, 0],
      ['C0305', 'a:b/ü ?#.py', 1, 0],
      ['C0306', 'a.py', 2 ** 40, 1],
    ])
    const outside = { artifactLocation: { uri: 'sample-1.0.tar.gz', index: 0 } }
    assert.deepEqual(places, [
      { artifactLocation: { uri: 'a.py', uriBaseId: 'SITE' } },
      { artifactLocation: { uri: 'a.py', uriBaseId: 'SITE' } },
      { artifactLocation: { uri: 'a.py', uriBaseId: 'SITE' }, region: { startLine: 7 } },
      outside,
      outside,
      outside,
      {
        artifactLocation: { uri: 'a%3Ab/%C3%BC%20%3F%23.py', uriBaseId: 'SITE' },
        region: { startLine: 1, startColumn: 1 },
      },
      { artifactLocation: { uri: 'a.py', uriBaseId: 'SITE' } },
    ])
  })

  it('knows a message again when lines were added above it', () => {
    const prints = (line: number) =>
      resultsOf([
        ['C0301', 'a.py', line, 0],
        ['C0301', 'a.py', line + 5, 0],
      ]).map(result => result.partialFingerprints['pytiMessage/v1'])
    assert.deepEqual(prints(1), prints(9))
    assert.equal(new Set(prints(1)).size, 2)
  })

  it('says what was not run', () => {
    const [run] = JSON.parse(renderSarif(inputOf(badInputRun))).runs
    const notes = run.invocations[0].toolExecutionNotifications
    assert.equal(notes.length, taskNames.length)
    assert.equal(notes[0].level, 'error')
  })
})

describe('OSV draft', () => {
  it('is about one file', () => {
    const record = JSON.parse(renderOsv(inputOf(suspiciousRun)))
    const { sha256, filename } = testSubject()
    assert.equal(record.id, `MAL-0000-pyti-${sha256.slice(0, 16)}`)
    assert.equal(record.affected.length, 1)
    assert.deepEqual(record.affected[0].versions, ['1.0'])
    assert.equal(record.affected[0].ranges, undefined)
    assert.equal(record.affected[0].database_specific.sha256, sha256)
    assert.equal(record.affected[0].database_specific.filename, filename)
    assert.equal(record.database_specific.draft, true)
    assert.deepEqual(record.database_specific.evidence[0].lines, ['added {home}/.bashrc'])
    assert.match(record.database_specific.appeal, /withdrawn/)
  })

  it('never says what the distribution is', () =>
    assert.doesNotMatch(renderOsv(inputOf(suspiciousRun)), /malware|malicious/i))

  for (const [name, make] of Object.entries({ cleanRun, badInputRun, crashedRun }))
    it(`is not made of ${name}`, () =>
      assert.throws(() => renderOsv(inputOf(make)), told('nothing-to-draft')))
})

describe('Markdown', () => {
  const text = renderMarkdown(inputOf(suspiciousRun))

  it('has verdict, tasks, findings and how to verify', () => {
    assert.match(text, /^### PyTI: SUSPICIOUS, FAILED/)
    assert.match(
      text,
      /^\| unittest \| failed \| 1 passed, 1 failed, 1 with errors, 1 flaky, .*tests-failed \|$/m,
    )
    assert.match(text, /^- \*\*suspicious\*\* `persistence` during import\. A file was written/m)
    assert.match(text, /^ {2}- `added \{home\}\/\.bashrc`$/m)
    assert.match(text, /^3 of 3 volunteers agree/m)
    assert.ok(text.includes(`--key ${coordinator.peerId}`))
  })

  it('says what was not run and why', () =>
    assert.match(renderMarkdown(inputOf(badInputRun)), /^- build: `A member of the archive .*`$/m))

  it('says when too few volunteers spoke', () => {
    assert.match(renderMarkdown(exportInput([cleanRun(1)])), /1 of 1 volunteer agree.*for your own eyes/)
    assert.doesNotMatch(text, /for your own eyes/)
  })
})

type Message = [string, string, number, number]

function resultsOf(
  messages: Message[],
): { partialFingerprints: Record<string, string>; locations: unknown[] }[] {
  const tool = {
    tool: 'pylint' as const,
    version: '3.3.4',
    status: 'completed' as const,
    counts: {},
    messages,
    messagesOmitted: 0,
  }
  const log = JSON.parse(
    renderSarif(exportInput([withTask(cleanRun(1), 'quality', { tools: [tool] })], testJob())),
  )
  assert.deepEqual(sarif(log), [])
  return log.runs[1].results
}

function placesOf(messages: Message[]): unknown[] {
  return resultsOf(messages).map(({ locations: [location] }) =>
    typeof location === 'object' && location !== null && 'physicalLocation' in location
      ? location.physicalLocation
      : undefined,
  )
}

function withRegion(startLine: number) {
  const physicalLocation = { artifactLocation: { uri: 'a.py' }, region: { startLine } }
  return {
    tool: { driver: { name: 'a' } },
    results: [{ message: { text: 'a' }, locations: [{ physicalLocation }] }],
  }
}
