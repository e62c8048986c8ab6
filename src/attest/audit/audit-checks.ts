import { fit } from '../../report/layout.ts'
import type { Fault } from '../faults.ts'

/** What an audit checks, in this order, and what it counts. */
const counted = {
  checkpoint: '',
  'log-key': '',
  witnesses: '',
  consistency: '',
  entries: 'leaves, each bound to the root',
  documents: 'documents that are out have the digest of their leaf',
  policy: 'policies',
  rosters: 'rosters that follow from the book',
  'raw-data': 'statements signed by the volunteers they name',
  completeness: 'statements are in the end of their job and in its report',
  reports: 'reports by one key that say what the end of their job says',
  sequence: 'reports in sequence, file by file',
  decisions: 'decisions that follow from the answers',
  draws: 'draws that follow from a beacon nobody could steer',
  seats: 'seats given by roster and rank',
  book: 'ends of jobs whose consequences follow from the book',
  withdrawals: 'withdrawals that have a cause',
} as const
export type AuditCheckName = keyof typeof counted
export const auditCheckNames = Object.keys(counted).filter((name): name is AuditCheckName => name in counted)

export interface AuditCheck {
  readonly name: AuditCheckName
  readonly state: 'ok' | 'failed' | 'unknown'
  readonly detail: string
}

/** Something that is not as it should be, and the leaf it is about. */
export interface AuditFault {
  readonly check: AuditCheckName
  readonly leaf?: number | undefined
  readonly detail: string
  /** Where it can be proved by itself. */
  proof?: Fault | undefined
}

const faultsMax = 1_000
const detailLength = 1_000

/** Keeps the checks of an audit: how often each held, and each fault. A fault is an entry, never an exception. */
export class AuditList {
  readonly faults: AuditFault[] = []
  readonly #held = new Map<AuditCheckName, number>()
  readonly #failed = new Map<AuditCheckName, number>()
  readonly #said = new Map<AuditCheckName, string>()
  readonly #unknown = new Map<AuditCheckName, string>()

  held(name: AuditCheckName, count = 1): void {
    this.#held.set(name, (this.#held.get(name) ?? 0) + count)
  }

  /** A check that is made once, with its sentence. */
  say(name: AuditCheckName, sentence: string): void {
    this.held(name)
    this.#said.set(name, sentence)
  }

  /** The check could not be made, or not to the end; the first reason is kept. */
  unknown(name: AuditCheckName, why: string): void {
    if (!this.#unknown.has(name)) this.#unknown.set(name, why)
  }

  fault(check: AuditCheckName, leaf: number | undefined, detail: string, proof?: Fault): AuditFault {
    this.#failed.set(check, (this.#failed.get(check) ?? 0) + 1)
    const fault = { check, leaf, detail: fit(detail, detailLength), proof }
    if (this.faults.length < faultsMax) this.faults.push(fault)
    return fault
  }

  checks(): AuditCheck[] {
    return auditCheckNames.map(name => this.#checkOf(name))
  }

  #checkOf(name: AuditCheckName): AuditCheck {
    const held = this.#held.get(name) ?? 0
    const failed = this.#failed.get(name) ?? 0
    const unknown = this.#unknown.get(name)
    const first = this.faults.find(fault => fault.check === name)
    if (failed > 0) {
      const where = first?.leaf === undefined ? '' : `leaf ${first.leaf}: `
      return { name, state: 'failed', detail: `${failed} faults, the first: ${where}${first?.detail ?? ''}` }
    }
    if (unknown !== undefined)
      return { name, state: 'unknown', detail: held > 0 ? `${unknown}; ${held} held` : unknown }
    return { name, state: 'ok', detail: this.#said.get(name) ?? `${held} ${counted[name]}` }
  }
}
