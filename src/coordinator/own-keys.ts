import type { RootState } from '../attest/root.ts'
import { messageOf, PytiError } from '../errors.ts'

/**
 * A coordinator whose keys are not those of the root would make reports that nobody takes.
 * @param own.size leaves in the log: the next one is what the keys must hold for
 * @throws PytiError `wrong-keys`
 */
export function demandOwnKeys(
  root: RootState,
  own: {
    reportKey: string
    logKey: string
    origin: string
    witnesses: readonly string[]
    witnessThreshold: number | undefined
    size: number
  },
): void {
  const open = root.document.roles.log.keys.find(({ key }) => key === own.logKey)
  if (!open || own.size < open.fromIndex || own.size >= (open.toIndex ?? Number.POSITIVE_INFINITY))
    throw wrongKeys(`the log key ${own.logKey} does not hold for leaf ${own.size}`)
  try {
    root.judge({ key: own.reportKey, log: own.origin, index: own.size })
  } catch (cause) {
    throw wrongKeys(messageOf(cause), cause)
  }
  const others = own.witnesses.filter(key => !root.witnesses.includes(key)).length
  const sure = Math.max(0, (own.witnessThreshold ?? own.witnesses.length) - others)
  if (sure < root.witnessThreshold)
    throw wrongKeys(`${sure} of its witnesses sign for sure, ${root.witnessThreshold} must`)
}

function wrongKeys(why: string, cause?: unknown): PytiError {
  return new PytiError('wrong-keys', `the root does not fit this coordinator: ${why}`, {
    hint: 'see `pyti root show` for the keys it names; let a version be signed that names those in the data folder',
    cause,
  })
}
