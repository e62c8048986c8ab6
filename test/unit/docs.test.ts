import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, it } from 'node:test'
import { z } from 'zod'
import { checkNames } from '../../src/attest/checks.ts'
import { RawDataStatement } from '../../src/attest/raw-statement.ts'
import { ReportStatement } from '../../src/attest/report-statement.ts'
import { rules } from '../../src/report/rules.ts'
import { Summary } from '../../src/report/summary.ts'
import { archiveFaultWords, reasonWords } from '../../src/report/words.ts'
import {
  Advert,
  BlobRequest,
  CommandErrorCode,
  commands,
  jobPhases,
  releaseReasons,
} from '../../src/wire/commands.ts'
import { Done, frameTypes, Go, GuestEvent, GuestPlan, Hello, Item } from '../../src/wire/guest.ts'
import { taskNames } from '../../src/wire/job.ts'
import { eventKinds, observers, RawData } from '../../src/wire/raw-data.ts'

const root = join(import.meta.dirname, '../..')
const read = (path: string) => readFileSync(join(root, path), 'utf8')
const markdownIn = (folder: string) =>
  readdirSync(join(root, folder))
    .filter(name => name.endsWith('.md'))
    .map(name => join(folder, name))
const documents = [...markdownIn('.'), ...markdownIn('docs')]
const protocol = read('docs/protocol.md')
const rawData = read('docs/raw-data.md')
const report = read('docs/report.md')
/** The table of kinds, without that of an event's fields. */
const eventSection = /^\| kind \| what was seen .*?$(.*?)^$/ms.exec(rawData)?.[1] ?? ''
const verifySection = /^## 4\. `pyti verify`$(.*?)^## /ms.exec(report)?.[1] ?? ''

describe('documents', () => {
  for (const path of documents) {
    const text = read(path)

    it(`${path}: relative links lead to a file`, () => {
      const targets = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) =>
        target.replace(/#.*$/, ''),
      )
      const local = targets.filter(target => target !== '' && !/^[a-z]+:/.test(target))
      assert.deepEqual(
        local.filter(target => !existsSync(join(root, dirname(path), target))),
        [],
      )
    })

    it(`${path}: paths in backticks exist`, () => {
      assert.deepEqual(
        pathsIn(text).filter(found => !existsSync(join(root, found))),
        [],
      )
    })
  }
})

describe('docs/protocol.md', () => {
  for (const name of Object.keys(commands))
    it(`describes the command ${name}`, () => assert.match(protocol, new RegExp(`^### \`${name}\`$`, 'm')))
  for (const [name, type] of Object.entries(frameTypes))
    it(`describes the frame ${name}`, () => assert.ok(protocol.includes(`| \`${name}\` | ${type} |`)))
  it('names every error, phase and release reason', () => {
    const words = [...CommandErrorCode.options, ...jobPhases, ...releaseReasons]
    assert.deepEqual(
      words.filter(word => !protocol.includes(`\`${word}\``)),
      [],
    )
  })
  it('names every field of every message', () => {
    const messages = [
      ...Object.values(commands).flatMap(({ request, reply }) => [request, reply]),
      BlobRequest,
      Advert,
    ]
    const frames = [Hello, GuestEvent, Item, Done, Go, GuestPlan]
    assert.deepEqual(missingFields(protocol, ...messages, ...frames), [])
  })
})

describe('docs/raw-data.md', () => {
  it('names every field', () => assert.deepEqual(missingFields(rawData, RawData, RawDataStatement), []))
  it('has a row for every reason and archive fault, with the words of a report', () => {
    const { 'not-repeating': _, ...ofGuests } = reasonWords
    const rows = Object.entries({ ...ofGuests, ...archiveFaultWords })
    const missing = rows.filter(
      ([word, sentence]) => !rowsOf(rawData, word).some(row => row.includes(sentence)),
    )
    assert.deepEqual(missing, [])
  })
  for (const kind of eventKinds)
    it(`describes the event ${kind}`, () => assert.equal(rowsOf(eventSection, kind).length, 1))
  it('describes no other event', () => {
    const rows = [...eventSection.matchAll(/^\| `([a-z-]+)` \| .* \| .* \|$/gm)].map(([, kind]) => kind)
    assert.deepEqual(rows.sort(), [...eventKinds].sort())
  })
  for (const observer of observers)
    it(`describes the observer ${observer}`, () => assert.ok(rowsOf(rawData, observer).length >= 1))
  for (const task of taskNames)
    it(`describes the task ${task}`, () => assert.match(rawData, new RegExp(`^### \`${task}\`$`, 'm')))
  it('shows raw data that fits the schema', () => {
    for (const example of examplesIn(rawData)) RawData.parse(example)
    assert.equal(examplesIn(rawData).length, 1)
  })
})

describe('docs/report.md', () => {
  for (const name of checkNames)
    it(`describes the check ${name}`, () => assert.equal(rowsOf(verifySection, name).length, 1))
  for (const { id, version, level, reason } of rules)
    it(`describes the rule ${id}`, () =>
      assert.ok(report.includes(`| \`${id}\` | ${version} | \`${level}\` | ${reason} |`)))
  for (const { id } of rules)
    it(`says what the rule ${id} matches`, () => assert.equal(rowsOf(report, id).length, 2))
  it('quotes the patterns of the rules', () => {
    const list = /const persistence[^\n]*\n(.*?)\n\]/s.exec(read('src/report/rules/files.ts'))?.[1] ?? ''
    const patterns = list.split('\n').map(line => line.trim().replace(/,$/, ''))
    assert.ok(patterns.length > 5)
    assert.deepEqual(
      patterns.filter(pattern => pattern.startsWith('/') && !report.includes(pattern)),
      [],
    )
  })
  it('names every field', () => {
    // Fields of a job and of raw data have documents of their own.
    assert.deepEqual(missingFields(report + protocol, ReportStatement, Summary), [])
  })
  it('shows a line of `pyti test --json` that fits the schema', () => {
    for (const example of examplesIn(report)) Summary.parse(example)
    assert.equal(examplesIn(report).length, 1)
  })
})

/** Words in inline code that look like a path of this repository. */
function pathsIn(markdown: string): string[] {
  const text = markdown.replaceAll(/^```.*?^```$/gms, '')
  const words = [...text.matchAll(/`([^`\n]+)`/g)].flatMap(([, code = '']) => code.split(/\s+/))
  const folder = /^(?:\.\/)?(?:src|guest|docs|test|samples|schemas|scripts|bin|bench|\.ci)\//
  return words.filter(word => folder.test(word) && !/[*<>{}]|\.\.\./.test(word))
}

function rowsOf(markdown: string, word: string): string[] {
  return markdown.split('\n').filter(line => line.startsWith(`| \`${word}\` |`))
}

/** What the fenced blocks marked `json` hold. */
function examplesIn(markdown: string): unknown[] {
  return [...markdown.matchAll(/^```json\n(.*?)^```$/gms)].map(([, text = '']) => JSON.parse(text))
}

function missingFields(markdown: string, ...schemas: z.ZodType[]): string[] {
  const code = [...markdown.matchAll(/`([^`\n]+)`/g)].map(([, text]) => text).join(' ')
  const words = new Set(code.match(/\w+/g))
  return [...new Set(schemas.flatMap(schema => fieldsOf(z.toJSONSchema(schema))))].filter(
    name => !words.has(name),
  )
}

function fieldsOf(schema: unknown): string[] {
  if (typeof schema !== 'object' || schema === null) return []
  return Object.entries(schema).flatMap(([key, value]) =>
    key === 'properties'
      ? [...Object.keys(value), ...Object.values(value).flatMap(fieldsOf)]
      : fieldsOf(value),
  )
}
