import { PytiError } from '../../errors.ts'
import { compareLock, type Drift, type LockedPackage, type LockFile, printDrift } from './lock.ts'
import type { Recipe } from './recipe.ts'

export interface DriftRules {
  recipe: Pick<Recipe, 'name' | 'python'>
  /** Absent for a recipe without a lock file. */
  lock: LockFile | undefined
  /** The archive has other packages than the lock: an error, or an image whose manifest says `lock: null`. */
  onDrift: 'fail' | 'warn'
  onWarning: (line: string) => void
}

/**
 * Compares what a build got, one list per stage with the base first, with the lock.
 * @returns whether every package is the locked one
 * @throws PytiError `image-drift`
 */
export function checkLock(
  { recipe, lock, onDrift, onWarning }: DriftRules,
  found: LockedPackage[][],
): boolean {
  const hint = `\`pyti image lock --python ${recipe.python}\` writes a new lock, \`pyti image build --allow-drift\` builds without`
  if (!lock) {
    if (onDrift === 'fail')
      throw new PytiError('image-drift', `recipe ${recipe.name} has no lock file`, { hint })
    onWarning(`${recipe.name} has no lock file: whoever builds it later gets another image`)
    return false
  }
  const wanted = [lock.lock.base, ...lock.lock.boot]
  const drifts: Drift[] = found.flatMap((packages, index) => compareLock(wanted[index] ?? [], packages))
  if (drifts.length === 0) return true
  const count = `${drifts.length} ${drifts.length === 1 ? 'package differs' : 'packages differ'}`
  if (onDrift === 'fail')
    throw new PytiError('image-drift', `${count} from the lock of ${recipe.name}: ${printDrift(drifts)}`, {
      hint,
      details: { drifts },
    })
  onWarning(
    `${count} from the lock of ${recipe.name}, as Debian has newer ones (${printDrift(drifts.slice(0, 1))}); built all the same, as an image of its own`,
  )
  return false
}
