import type { RawData } from '../wire/raw-data.ts'

type Tool = NonNullable<RawData['tasks']['quality']>['stable']['tools'][number]

/**
 * pylint's score in hundredths, 0 to 1,000, by the formula of its documentation (option `evaluation`):
 * `max(0, 0 if fatal else 10.0 - ((float(5 * error + warning + refactor + convention) / statement) * 10))`.
 * Absent for another tool, without a complete run and without statements.
 */
export function pylintScoreX100({ tool, status, counts, statements = 0 }: Tool): number | undefined {
  if (tool !== 'pylint' || status !== 'completed' || statements === 0) return undefined
  const of = (letter: string) =>
    Object.entries(counts).reduce((sum, [code, count]) => (code.startsWith(letter) ? sum + count : sum), 0)
  if (of('F') > 0) return 0
  const faults = 5 * of('E') + of('W') + of('R') + of('C')
  return Math.max(0, Math.round(1_000 - (1_000 * faults) / statements))
}
