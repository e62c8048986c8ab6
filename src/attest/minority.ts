import { evaluate } from '../report/evaluate.ts'
import type { RawData } from '../wire/raw-data.ts'
import type { Minority } from './report-statement.ts'

/** Excluded raw data that would accuse by itself, so that nobody who saw harm alone is outvoted in silence. */
export function minorityOf(excluded: readonly { attestation: string; rawData: RawData }[]): Minority[] {
  return excluded
    .flatMap(({ attestation, rawData }) => {
      const verdict = accusationOf(rawData)
      return verdict ? [{ id: attestation, verdict }] : []
    })
    .sort((a, b) => (a.id < b.id ? -1 : 1))
}

/** The verdict of one volunteer's raw data if it accuses. */
export function accusationOf(rawData: RawData): Minority['verdict'] | undefined {
  const { verdict } = evaluate({ rawData: [rawData], flaky: [] })
  return verdict === 'suspicious' || verdict === 'confirmed' ? verdict : undefined
}
