/** Nearest-rank percentile, `share` from 0 to 1. */
export function percentile(samples: readonly number[], share: number): number {
  const sorted = [...samples].sort((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN
}

export const median = (samples: readonly number[]): number => percentile(samples, 0.5)

type Unit = 'ms' | 's' | 'MB/s' | 'MB' | '% of a CPU' | 'times'

/** One thing that was measured, maybe beside the same work without a VM and beside a target. */
export interface Figure {
  name: string
  unit: Unit
  samples: number[]
  native?: number[]
  /** Targets of /work/shared/reference/sandbox.md section 10, for the median and the 95th percentile. */
  target?: { p50: number; p95?: number }
}

/** A figure as it is printed and as `--json` gives it. */
export interface Row {
  name: string
  unit: Unit
  n: number
  p50: number
  p95: number
  native?: number
  /** How many times slower than native. */
  slower?: number
  target?: { p50: number; p95?: number }
  met?: boolean
}

const isRate = (unit: Unit): boolean => unit === 'MB/s'

export function rowOf({ name, unit, samples, native, target }: Figure): Row {
  // The slow end of a rate is its low one.
  const tail = isRate(unit) ? 0.05 : 0.95
  const [p50, p95] = [median(samples), percentile(samples, tail)]
  const base = native?.length ? median(native) : undefined
  const reaches = (value: number, wanted: number) => (isRate(unit) ? value >= wanted : value <= wanted)
  return {
    name,
    unit,
    n: samples.length,
    p50: rounded(p50),
    p95: rounded(p95),
    ...(base !== undefined && {
      native: rounded(base),
      slower: rounded(isRate(unit) ? base / p50 : p50 / base),
    }),
    ...(target && {
      target,
      met: reaches(p50, target.p50) && (target.p95 === undefined || reaches(p95, target.p95)),
    }),
  }
}

/** Rows as a table of text. */
export function tableOf(rows: readonly Row[]): string {
  const cells = rows.map(row => [
    row.name,
    row.unit,
    String(row.n),
    shown(row.p50),
    shown(row.p95),
    shown(row.native),
    row.slower === undefined ? '-' : `${row.slower.toFixed(2)}x`,
    targetOf(row),
  ])
  return align([['', 'unit', 'n', 'p50', 'p95', 'native', 'slower', 'target'], ...cells])
}

/** Columns of equal width: the first and the last to the left, the others to the right. */
export function align(lines: readonly string[][]): string {
  const widths = (lines[0] ?? []).map((_, column) =>
    Math.max(...lines.map(line => line[column]?.length ?? 0)),
  )
  return lines
    .map(line =>
      line
        .map((cell, column) =>
          column === 0 || column === line.length - 1
            ? cell.padEnd(widths[column] ?? 0)
            : cell.padStart(widths[column] ?? 0),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

function targetOf({ target, unit, met }: Row): string {
  if (!target) return ''
  const sign = isRate(unit) ? '>=' : '<='
  const second = target.p95 === undefined ? '' : `, p95 ${sign} ${target.p95}`
  return `${sign} ${target.p50}${second}: ${met ? 'met' : 'NOT MET'}`
}

const shown = (value: number | undefined): string =>
  value === undefined ? '-' : value >= 100 ? value.toFixed(0) : String(value)

function rounded(value: number): number {
  return Number(value >= 100 ? value.toFixed(0) : value.toPrecision(3))
}
