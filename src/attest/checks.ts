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
  'log-inclusion',
  'log-key',
  'root',
  'witnesses',
  'log-consistency',
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
  async check(name: CheckName, run: () => string | Unknown | Promise<string | Unknown>): Promise<void> {
    await this.get(name, run, said => said)
  }

  /**
   * Makes a check that yields something later checks need.
   * @returns undefined when it failed
   */
  async get<Value>(
    name: CheckName,
    run: () => Value | Promise<Value>,
    say: (value: Value) => string | Unknown,
  ): Promise<Value | undefined> {
    // Whoever forgets to wait for a check gets a failed one, not one that is merely unknown.
    this.#end(name, 'failed', 'the check did not finish')
    try {
      const value = await run()
      const said = say(value)
      if (said instanceof Unknown) this.#end(name, 'unknown', said.detail)
      else this.#end(name, 'ok', said)
      return value
    } catch (error) {
      this.#end(name, 'failed', messageOf(error))
      return undefined
    }
  }

  #end(name: CheckName, state: Check['state'], detail: string): void {
    this.#done.set(name, { name, state, detail: fit(detail, detailLength) })
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
