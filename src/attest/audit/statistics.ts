import type { CloseDocument } from '../documents.ts'
import type { Skipped } from './seats.ts'

/** Taken over a whole log, so that favouritism shows that no single draw would prove. */
export interface VolunteerFigures {
  operator: string
  /** Seats taken, whatever came of them. */
  seats: number
  answered: number
  /** Times it was named as not being there when its turn came, or just skipped. */
  passed: number
  skipped: number
}

export interface AuditStatistics {
  leaves: Record<string, number>
  /** Closed jobs by outcome and class. */
  jobs: {
    open: number
    accepted: number
    flaky: number
    unresolved: number
    sample: number
    known: number
    trial: number
    classes: Record<string, number>
  }
  /** Signed statements whose job has not ended. */
  pendingRawData: number
  volunteers: Record<string, VolunteerFigures>
  /** Seats taken, and their share in per mille. */
  operators: Record<string, { seats: number; perMille: number }>
}

export class Figures {
  readonly #leaves = new Map<string, number>()
  readonly #outcomes = { accepted: 0, flaky: 0, unresolved: 0, sample: 0, known: 0, trial: 0 }
  readonly #classes = new Map<string, number>()
  readonly #volunteers = new Map<string, VolunteerFigures>()

  leaf(kind: string): void {
    increase(this.#leaves, kind)
  }

  close({ outcome, rules, seats }: CloseDocument, skipped: readonly Skipped[]): void {
    this.#outcomes[outcome] += 1
    increase(this.#classes, rules.jobClass)
    for (const { volunteer, operator, attestation } of seats) {
      const figures = this.#of(volunteer)
      figures.operator = operator
      figures.seats += 1
      if (attestation !== undefined) figures.answered += 1
    }
    for (const { volunteer, passed } of skipped) this.#of(volunteer)[passed ? 'passed' : 'skipped'] += 1
  }

  all(open: number, pendingRawData: number): AuditStatistics {
    const seats = new Map<string, number>()
    for (const one of this.#volunteers.values()) increase(seats, one.operator, one.seats)
    const total = [...seats.values()].reduce((sum, count) => sum + count, 0)
    return {
      leaves: Object.fromEntries(this.#leaves),
      jobs: { open, ...this.#outcomes, classes: Object.fromEntries(this.#classes) },
      pendingRawData,
      volunteers: Object.fromEntries(this.#volunteers),
      operators: Object.fromEntries(
        [...seats]
          .filter(([operator]) => operator !== '')
          .sort((a, b) => b[1] - a[1])
          .map(([operator, count]) => [
            operator,
            { seats: count, perMille: total === 0 ? 0 : Math.round((count * 1_000) / total) },
          ]),
      ),
    }
  }

  #of(volunteer: string): VolunteerFigures {
    const known = this.#volunteers.get(volunteer)
    if (known) return known
    const fresh = { operator: '', seats: 0, answered: 0, passed: 0, skipped: 0 }
    this.#volunteers.set(volunteer, fresh)
    return fresh
  }
}

function increase(counts: Map<string, number>, name: string, by = 1): void {
  counts.set(name, (counts.get(name) ?? 0) + by)
}
