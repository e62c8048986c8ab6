import type { PopularRow } from './popular-row.ts'

/** Results as Markdown: what the groups come to, what was above `observed`, then every file. */
export function markdownOf(rows: readonly PopularRow[]): string {
  const groups = (['pure', 'compiled'] as const).flatMap(group =>
    (['sdist', 'wheel'] as const).map(kind => totals(group, kind, rows)),
  )
  const sorted = [...rows].sort((a, b) => (a.filename < b.filename ? -1 : 1))
  const loud = sorted.flatMap(row =>
    (row.loud ?? []).map(text => `- \`${row.filename}\`: ${row.verdict}: ${safe(text)}`),
  )
  const failed = sorted.filter(row => row.failure !== undefined)
  return [
    '| group | files | build | install | import | tests runnable | all tests pass | above observed | confirmed |',
    '|---|---|---|---|---|---|---|---|---|',
    ...groups,
    '',
    ...(loud.length > 0 ? ['Above `observed`:', '', ...loud, ''] : []),
    ...(failed.length > 0
      ? [
          'Without a result:',
          '',
          ...failed.map(row => `- \`${row.filename}\`: ${safe(row.failure ?? '')}`),
          '',
        ]
      : []),
    '| distribution | verdict | build | install | import | tests | observed | VM, s |',
    '|---|---|---|---|---|---|---|---|',
    ...sorted.filter(row => row.failure === undefined).map(lineOf),
    '',
  ].join('\n')
}

const did = (row: PopularRow, task: string): boolean => row.tasks?.[task]?.status === 'passed'
const hasTests = ({ tests }: PopularRow): boolean =>
  tests !== undefined && Object.values(tests).some(count => count > 0)
const isAbove = (row: PopularRow): boolean => row.verdict === 'suspicious' || row.verdict === 'confirmed'

function totals(group: PopularRow['group'], kind: PopularRow['kind'], rows: readonly PopularRow[]): string {
  const own = rows.filter(row => row.group === group && row.kind === kind)
  const count = (test: (row: PopularRow) => boolean) => String(own.filter(test).length)
  return cells([
    `${group}, ${kind}`,
    String(own.length),
    kind === 'wheel' ? '-' : count(row => did(row, 'build')),
    count(row => did(row, 'install')),
    count(row => did(row, 'import')),
    count(hasTests),
    count(row => hasTests(row) && did(row, 'unittest')),
    count(isAbove),
    count(row => row.verdict === 'confirmed'),
  ])
}

function lineOf(row: PopularRow): string {
  const word = (task: string) => {
    const found = row.tasks?.[task]
    if (!found || found.reason === 'is-a-wheel' || found.reason === 'not-requested') return '-'
    return found.reason === undefined ? found.status : `${found.status}: ${found.reason}`
  }
  return cells([
    `\`${row.filename}\``,
    row.verdict ?? '-',
    word('build'),
    word('install'),
    word('import'),
    hasTests(row) ? testsOf(row) : word('unittest'),
    (row.observed ?? []).join(', ') || '-',
    String(Math.round(row.seconds ?? 0)),
  ])
}

function testsOf({ tests }: PopularRow): string {
  if (!tests) return '-'
  const { passed, failed, errors, skipped, needsNetwork, flaky } = tests
  const words = { failed, errors, skipped, 'need the network': needsNetwork, flaky }
  const more = Object.entries(words).flatMap(([name, count]) => (count > 0 ? [`${count} ${name}`] : []))
  return [`${passed} passed`, ...more].join(', ')
}

const cells = (texts: string[]): string => `| ${texts.join(' | ')} |`

/** Evidence holds what packages wrote. */
const safe = (text: string): string => text.replace(/[\s|`<>]+/g, ' ').slice(0, 300)
