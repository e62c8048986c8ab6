import { messageOf, PytiError } from '../errors.ts'
import { fit } from '../report/layout.ts'

/** What is verified, in this order. */
export const checkNames = [
  'bundle-form',
  'report-signature',
  'coordinator-key',
  'report-statement',
  'job-id',
  'raw-data-signatures',
  'distinct-volunteers',
  'subject',
  'nonce',
  'raw-data-complete',
  'agreement',
  'evaluation',
  'distribution',
] as const
export type CheckName = (typeof checkNames)[number]

export interface Check {
  readonly name: CheckName
  /** `unknown`: nothing was given to check against, or an earlier check failed. */
  readonly state: 'ok' | 'failed' | 'unknown'
  readonly detail: string
}

/** Details are printed, and may quote what a hostile bundle says. */
const detailLength = 1_000

/** A sentence for a check that cannot be made, in place of the usual one. */
export class Unknown {
  readonly detail: string
  constructor(detail: string) {
    this.detail = detail
  }
}

/** Keeps the list of checks; a failed check is an entry in it, never an exception. */
export class CheckList {
  readonly #done = new Map<CheckName, Check>()

  /** Makes one check. `run` returns the sentence for a check that holds and throws for one that fails. */
  check(name: CheckName, run: () => string | Unknown): void {
    this.get(name, run, said => said)
  }

  /**
   * Makes a check that yields something later checks need.
   * @returns undefined when it failed
   */
  get<Value>(name: CheckName, run: () => Value, say: (value: Value) => string | Unknown): Value | undefined {
    try {
      const value = run()
      const said = say(value)
      if (said instanceof Unknown) this.#done.set(name, { name, state: 'unknown', detail: said.detail })
      else this.#done.set(name, { name, state: 'ok', detail: said })
      return value
    } catch (error) {
      this.#done.set(name, { name, state: 'failed', detail: fit(messageOf(error), detailLength) })
      return undefined
    }
  }

  /** All checks in order; those that were not reached say so. */
  list(): Check[] {
    return checkNames.map(
      name =>
        this.#done.get(name) ?? { name, state: 'unknown', detail: 'not checked, as an earlier check failed' },
    )
  }
}

/** @throws PytiError `check-failed` with the sentence, unless the condition holds */
export function demand(condition: boolean, sentence: string): asserts condition {
  if (!condition) throw new PytiError('check-failed', sentence)
}
