import { digestOf } from '../../wire/canonical.ts'
import type { RawData } from '../../wire/raw-data.ts'
import type { Finding, FindingLevel } from '../evaluation.ts'
import { rules } from '../rules.ts'
import { visible } from './foreign.ts'
import { backendsOf, type ExportInput } from './input.ts'

type Tool = NonNullable<RawData['tasks']['quality']>['stable']['tools'][number]
type Message = Tool['messages'][number]

const schema = 'https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json'
/** A line beyond this is not one: readers keep it in 32 bits. */
const lineMax = 2 ** 31 - 1
const levels: Record<FindingLevel, string> = { observed: 'note', suspicious: 'warning', confirmed: 'error' }

/** SARIF 2.1.0: one run with the findings of the evaluation, and one for each linter. */
export function renderSarif(input: ExportInput): string {
  const tools = input.rawData[0]?.tasks.quality?.stable.tools ?? []
  const log = {
    version: '2.1.0',
    $schema: schema,
    runs: [findingsRun(input), ...tools.map(tool => linterRun(tool, input))],
  }
  return `${JSON.stringify(log, null, 2)}\n`
}

function findingsRun(input: ExportInput) {
  const { evaluation, software, reportKey, digests, job } = input
  return {
    tool: {
      driver: {
        name: 'PyTI',
        version: visible(software),
        rules: rules.map(({ id, version, level, reason }) => ({
          id,
          shortDescription: text(reason),
          defaultConfiguration: { level: levels[level] },
          properties: { version },
        })),
      },
    },
    ...about(input),
    invocations: [
      {
        executionSuccessful: true,
        toolExecutionNotifications: [
          ...evaluation.notRun.map(({ task, reason, explanation }) => ({
            level: reason === 'bad-input' ? 'error' : 'note',
            message: text(`${task} was not run. ${explanation}`),
            properties: { task, reason },
          })),
          ...evaluation.notObserved.map(({ observer, explanation }) => ({
            level: 'note',
            message: text(explanation),
            properties: { observer },
          })),
        ],
      },
    ],
    results: evaluation.findings.map(finding => findingResult(finding, input)),
    properties: {
      verdict: evaluation.verdict,
      verificationResult: input.verificationResult,
      agreement: { volunteers: input.volunteers, agreeing: input.agreeing },
      backend: backendsOf(input),
      python: job.definition.profile.python,
      job: job.id,
      report: digests.report,
      bundle: digests.bundle,
      reportKey,
      timeVerified: input.timeVerified,
    },
  }
}

function findingResult({ id, level, phase, evidence }: Finding, { evaluation }: ExportInput) {
  const { filename, project } = evaluation.subject
  const rule = rules.findIndex(one => one.id === id)
  return {
    ruleId: id,
    ...(rule < 0 ? {} : { ruleIndex: rule }),
    level: levels[level],
    message: text(`During ${phase}: ${evidence}`),
    locations: [
      {
        physicalLocation: { artifactLocation: { uri: encodeURIComponent(filename), index: 0 } },
        logicalLocations: [{ name: phase, kind: 'task' }],
      },
    ],
    partialFingerprints: { 'pytiFinding/v1': digestOf([project, id, phase, evidence]) },
    properties: { level, phase },
  }
}

function linterRun(tool: Tool, input: ExportInput) {
  const codes = [...new Set(tool.messages.map(([code]) => code))].sort()
  const seen = new Map<string, number>()
  return {
    tool: { driver: { name: tool.tool, version: visible(tool.version), rules: codes.map(ruleOf) } },
    ...about(input),
    originalUriBaseIds: {
      SITE: { description: text('site-packages of the environment the distribution is installed in') },
    },
    invocations: [
      {
        executionSuccessful: tool.status === 'completed',
        toolExecutionNotifications:
          tool.messagesOmitted > 0
            ? [{ level: 'note', message: text(`${tool.messagesOmitted} messages are not listed`) }]
            : [],
      },
    ],
    results: tool.messages.map(message => {
      const [code, file] = message
      const key = JSON.stringify([code, file])
      const nth = seen.get(key) ?? 0
      seen.set(key, nth + 1)
      return linterResult(tool.tool, message, { nth, ruleIndex: codes.indexOf(code), input })
    }),
    properties: { status: tool.status, messagesOmitted: tool.messagesOmitted },
  }
}

function ruleOf(code: string) {
  return { id: visible(code) }
}

function linterResult(
  tool: Tool['tool'],
  [code, file, line, column]: Message,
  { nth, ruleIndex, input }: { nth: number; ruleIndex: number; input: ExportInput },
) {
  return {
    ruleId: visible(code),
    ruleIndex,
    level: linterLevel(tool, code),
    message: text(`${tool} ${code} in ${file}`),
    locations: [{ physicalLocation: place(file, tool, code, line, column, input) }],
    // Without the line, so that the same message is known again after lines were added above it.
    partialFingerprints: {
      'pytiMessage/v1': digestOf([tool, code, file, nth]),
    },
  }
}

/** Where a message is. A path that is not one below `{site}` points at the distribution, never out of the folder. */
function place(
  file: string,
  tool: Tool['tool'],
  code: string,
  line: number,
  column: number,
  { evaluation }: ExportInput,
) {
  const segments = file.split('/')
  if (segments.some(segment => segment === '' || segment === '.' || segment === '..'))
    return { artifactLocation: { uri: encodeURIComponent(evaluation.subject.filename), index: 0 } }
  const uri = segments.map(segment => encodeURIComponent(segment)).join('/')
  const start = regionStart(tool, code, line, column)
  return { artifactLocation: { uri, uriBaseId: 'SITE' }, ...(start ? { region: start } : {}) }
}

/** SARIF counts both from 1. pylint and pyflakes count columns from 0, but syntax errors from 1. */
function regionStart(tool: Tool['tool'], code: string, line: number, column: number) {
  if (line < 1 || line > lineMax) return undefined
  const startColumn = tool === 'pycodestyle' || code === 'SyntaxError' ? column : column + 1
  const known = startColumn >= 1 && startColumn <= lineMax
  return known ? { startLine: line, startColumn } : { startLine: line }
}

function linterLevel(tool: Tool['tool'], code: string): string {
  if (tool === 'pyflakes') return code === 'SyntaxError' ? 'error' : 'warning'
  if (tool === 'pycodestyle') return code.startsWith('E9') ? 'error' : 'note'
  if (/^[EF]/.test(code)) return 'error'
  return code.startsWith('W') ? 'warning' : 'note'
}

function about({ evaluation, job }: ExportInput) {
  const { filename, sha256, size } = evaluation.subject
  return {
    automationDetails: { id: `pyti/${filename}/${job.id}` },
    artifacts: [
      {
        location: { uri: encodeURIComponent(filename) },
        roles: ['analysisTarget'],
        length: size,
        hashes: { 'sha-256': sha256 },
      },
    ],
  }
}

/** A message string: braces would be placeholders (SARIF 3.11.5), `[text](address)` a link (3.11.6). */
function text(foreign: string) {
  return {
    text: visible(foreign)
      .replace(/[{}]/g, brace => brace + brace)
      .replaceAll('](', '] ('),
  }
}
