import type { CellOptions } from './cell.ts'
import { entrants } from './schemes.ts'
import { type StrategyName, strategies } from './strategy.ts'

/** One square of the grid, and how many jobs it gets. */
export interface Square {
  scheme: string
  strategy: StrategyName
  hostile: number
  jobs: number
}

export interface GridOptions {
  jobs: number
  /** Few jobs, and only the strategies that tell most. */
  short?: boolean
  /** `F/STRATEGY/SCHEME`, F in per cent; `*` or nothing for any. */
  only?: readonly string[]
}

const shares = [0, 0.05, 0.1, 0.2, 0.3]
const names = Object.keys(strategies) as StrategyName[]

/** Classes beside N are compared where they differ most: in what one lie can do. */
const isCompared = (scheme: string, strategy: StrategyName) =>
  !scheme.startsWith('ours') || scheme === 'ours-N' || strategy === 'A4'

/** Without anybody hostile most strategies are the same. */
const tellsMore = (strategy: StrategyName, hostile: number) =>
  hostile > 0 || strategy === 'A1' || strategy === 'A6' || strategy === 'A6p'

/** What sleepers achieve is rare, and an attack on a frozen state is quick. */
const attacksPerJob = 5

/** The grid of 7.7. Squares asked for with `only` are there even where the whole grid skips them. */
export function squaresOf({ jobs, short = false, only = [] }: GridOptions): Square[] {
  const wanted = only.map(text => text.split('/'))
  const isWanted = ({ scheme, strategy, hostile }: Square) =>
    wanted.some(([share = '', name = '', by = '']) =>
      [
        [share, String(Math.round(hostile * 100))],
        [name, strategy],
        [by, scheme],
      ].every(([asked, is]) => asked === '' || asked === '*' || asked === is),
    )
  const all = names.flatMap(strategy =>
    shares.flatMap(hostile =>
      Object.keys(entrants).map(
        (scheme): Square => ({
          scheme,
          strategy,
          hostile,
          jobs: jobs * (strategy === 'A4' ? attacksPerJob : 1),
        }),
      ),
    ),
  )
  if (wanted.length > 0) return all.filter(square => isWanted(square))
  return all.filter(
    ({ scheme, strategy, hostile }) =>
      isCompared(scheme, strategy) &&
      tellsMore(strategy, hostile) &&
      (!short || (['A1', 'A3', 'A4', 'A5'].includes(strategy) && [0, 0.1, 0.2].includes(hostile))),
  )
}

/** @throws Error when there is no such scheme */
export function cellOptionsOf({ scheme, ...square }: Square, seed: number): CellOptions {
  const entrant = entrants[scheme]
  if (!entrant) throw new Error(`no scheme ${scheme}; there are ${Object.keys(entrants).join(', ')}`)
  return { ...square, seed, makeScheme: entrant.make, warmUp: entrant.warmUp }
}
