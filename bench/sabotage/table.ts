import type { Cell } from './cell.ts'
import type { Estimate } from './interval.ts'
import { type StrategyName, strategies } from './strategy.ts'

type Column = [title: string, (cell: Cell) => string]

const columns: Column[] = [
  ['scheme', cell => cell.scheme],
  ['R', cell => plain(cell.runs)],
  ['checks', cell => plain(cell.checks)],
  ['wrong accepted', cell => share(cell.wrongAccepted)],
  ['wrong live', cell => share(cell.wrongLive)],
  ['unresolved', cell => share(cell.unresolved)],
  ['false bans', cell => share(cell.falseBans)],
  ['burned', cell => share(cell.burned)],
  ['exposure, jobs', cell => plain(cell.exposure, 0)],
]

/** One table for each strategy and share of hostile clusters, as Markdown. */
export function markdownOf(cells: readonly Cell[]): string {
  const groups = Map.groupBy(cells, ({ strategy, hostile }) => `${strategy} ${hostile}`)
  return [...groups.values()]
    .flatMap(group => {
      const [first] = group
      return first ? [headingOf(first.strategy, first.hostile), '', ...rowsOf(group), ''] : []
    })
    .join('\n')
}

function headingOf(strategy: StrategyName, hostile: number): string {
  return `### ${strategy}, ${strategies[strategy].title}, f = ${Math.round(hostile * 100)} %`
}

function rowsOf(cells: readonly Cell[]): string[] {
  return [
    lineOf(columns.map(([title]) => title)),
    lineOf(columns.map(() => '---')),
    ...cells.map(cell => lineOf(columns.map(([, text]) => text(cell)))),
  ]
}

const lineOf = (fields: readonly string[]) => `| ${fields.join(' | ')} |`

/** `0.0012 (0.0010 to 0.0014)`, small ones as 1.2e-5; `0 (to 3.8e-5)` when there was none. */
export function share({ value, low, high }: Estimate): string {
  if (Number.isNaN(value)) return '-'
  return value === 0 ? `0 (to ${short(high)})` : `${short(value)} (${short(low)} to ${short(high)})`
}

export function plain({ value, low, high }: Estimate, digits = 2): string {
  if (Number.isNaN(value)) return '-'
  return `${value.toFixed(digits)} (${low.toFixed(digits)} to ${high.toFixed(digits)})`
}

function short(value: number): string {
  if (value === 0) return '0'
  return value < 0.01 ? value.toExponential(1) : value.toPrecision(2)
}
