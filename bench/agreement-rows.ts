import { differences, formatDifference } from '../src/consensus/difference.ts'
import type { Backend } from '../src/wire/job.ts'
import type { RawData } from '../src/wire/raw-data.ts'
import { align } from './figures.ts'

/** One run of a job. */
export interface Run {
  backend: Backend
  rawData: RawData
}

/** Runs of one distribution that were held against each other. */
export interface AgreementRow {
  filename: string
  /** `uml, uml` or `uml, tcg`. */
  between: string
  /** Of the voted halves, as text; none when they are equal. */
  differences: string[]
  /** Why there is nothing to compare. */
  failure?: string
}

/** All runs of each backend against its first, and the first of each other backend against the first of all. */
export function compareRuns(filename: string, runs: readonly Run[]): AgreementRow[] {
  const rows: AgreementRow[] = []
  const firsts: Run[] = []
  for (const run of runs) {
    const first = firsts.find(({ backend }) => backend === run.backend)
    if (first) rows.push(row(filename, first, run))
    else firsts.push(run)
  }
  const [reference, ...others] = firsts
  if (reference) for (const other of others) rows.push(row(filename, reference, other))
  return rows
}

function row(filename: string, left: Run, right: Run): AgreementRow {
  return {
    filename,
    between: `${left.backend}, ${right.backend}`,
    differences: differences(left.rawData, right.rawData).map(formatDifference),
  }
}

/** Of the comparisons there were; NaN without one. */
export function shareEqual(rows: readonly AgreementRow[]): number {
  const compared = rows.filter(({ failure }) => failure === undefined)
  return compared.filter(one => one.differences.length === 0).length / compared.length
}

/** What differed, then one line per pair of backends. */
export function tableOfAgreement(rows: readonly AgreementRow[]): string {
  const pairs = [...new Set(rows.map(({ between }) => between))].sort()
  const lines = pairs.map(between => {
    const own = rows.filter(one => one.between === between)
    const equal = own.filter(one => one.failure === undefined && one.differences.length === 0).length
    const share = shareEqual(own)
    return [
      between,
      String(own.length),
      String(equal),
      Number.isNaN(share) ? '-' : `${(share * 100).toFixed(1)} %`,
      '',
    ]
  })
  const unequal = rows
    .filter(one => one.failure !== undefined || one.differences.length > 0)
    .flatMap(({ filename, between, failure, differences: found }) => [
      `${filename} (${between}): ${failure ?? 'unequal'}`,
      ...found.map(text => `  ${text}`),
    ])
  return [...unequal, '', align([['between', 'distributions', 'equal', 'share', ''], ...lines])].join('\n')
}
