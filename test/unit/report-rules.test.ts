import assert from 'node:assert/strict'
import { test } from 'node:test'
import { evaluate } from '../../src/report/evaluate.ts'
import { findingsOf } from '../../src/report/findings.ts'
import { rules } from '../../src/report/rules.ts'
import type { RawData } from '../../src/wire/raw-data.ts'
import { fileChange, withTask } from '../helpers/raw-data.ts'
import { eventCounterExamples, eventExamples } from '../helpers/rule-cases-events.ts'
import { base, fileCounterExamples, fileExamples, installing } from '../helpers/rule-cases-files.ts'

const examples = [...fileExamples, ...eventExamples]
const counterExamples = [...fileCounterExamples, ...eventCounterExamples]
const levelOf = (id: string) => rules.find(rule => rule.id === id)?.level

function met(rawData: RawData): string[] {
  return findingsOf(rawData).map(({ id, phase, level }) => `${id}/${phase}/${level}`)
}

for (const [rule, what, rawData, phase, level] of examples)
  test(`${rule}: ${what}`, () => {
    assert(met(rawData).includes(`${rule}/${phase}/${level ?? levelOf(rule)}`), met(rawData).join(' '))
  })

for (const [rule, what, rawData, atMost] of counterExamples)
  test(`not ${rule}: ${what}`, () => {
    const levels = findingsOf(rawData)
      .filter(({ id }) => id === rule)
      .map(({ level }) => level)
    assert.deepEqual([...new Set(levels)], atMost === undefined ? [] : [atMost], met(rawData).join(' '))
  })

test('every rule has an example at its own level, and a counter-example', () => {
  for (const { id } of rules) {
    assert(
      examples.some(([rule, , , , level]) => rule === id && level === undefined),
      `${id} has no example`,
    )
    assert(
      counterExamples.some(([rule]) => rule === id),
      `${id} has no counter-example`,
    )
  }
})

test('a run in which nothing happened has no findings', () => {
  assert.deepEqual(findingsOf(base), [])
})

test("another distribution's metadata in the RECORD does not become its own", () => {
  const claimed = installing(base, '{site}/other-2.0.dist-info/METADATA')
  const rawData = withTask(claimed, 'import', {
    changes: [fileChange('{site}/other-2.0.dist-info/entry_points.txt', { kind: 'changed' })],
  })
  assert(met(rawData).includes('foreign-file-changed/import/suspicious'))
})

test('sightings are gathered by phase, bounded, and the most serious come first', () => {
  const many = Array.from({ length: 30 }, (_, index) =>
    fileChange(`{home}/file${String(index).padStart(2, '0')}`),
  )
  const rawData = withTask(base, 'import', { changes: [...many, fileChange('{home}/.bashrc')] })
  const findings = findingsOf(rawData)
  assert.deepEqual(
    findings.map(finding => [finding.id, finding.level]),
    [
      ['persistence', 'suspicious'],
      ['changes-outside', 'observed'],
    ],
  )
  assert.match(findings[1]?.evidence ?? '', /^added \{home\}\/file00; .*; and 21 more$/)
  assert.equal(evaluate({ rawData: [rawData], flaky: [] }).verdict, 'suspicious')
})
