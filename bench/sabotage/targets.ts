import type { Cell } from './cell.ts'
import type { Estimate } from './interval.ts'
import type { StrategyName } from './strategy.ts'
import { plain, share } from './table.ts'

/** A target of 7.7 and what was measured. */
export interface TargetResult {
  name: string
  target: string
  met: boolean | undefined
  figure: string
}

interface Demand {
  name: string
  target: string
  /** Which cells it looks at: strategy, share of hostile clusters, scheme. */
  cells: readonly (readonly [StrategyName, number, string])[]
  judge(cells: readonly Cell[]): { met: boolean; figure: string }
}

/** One figure against its bound. What is judged is the estimate; the interval is printed beside it. */
const atMost = (what: string, estimate: Estimate, most: number, text = share) => ({
  met: estimate.value <= most,
  figure: `${what} ${text(estimate)}`,
})
const atLeast = (what: string, estimate: Estimate, least: number, text = share) => ({
  met: estimate.value >= least,
  figure: `${what} ${text(estimate)}`,
})
/** Printed, and not judged. */
const aside = (figure: string) => ({ met: true, figure })
/** What must never be: none seen, however wide the interval. */
const none = (what: string, estimate: Estimate) => atMost(what, estimate, 0)
const all = (...parts: { met: boolean; figure: string }[]) => ({
  met: parts.every(({ met }) => met),
  figure: parts.map(({ met, figure }) => (met ? figure : `**${figure}**`)).join('; '),
})

const sleeper = (jobClass: string, hostile: number, most: number, runs: number): Demand => ({
  name: `T2 ${jobClass}, f = ${hostile * 100} %`,
  target: `sleepers: wrong accepted <= ${most.toExponential(1)} at R <= ${runs}`,
  cells: [['A4', hostile, `ours ${jobClass}`]],
  judge: ([cell]) =>
    cell ? all(atMost('wrong', cell.wrongAccepted, most), atMost('R', cell.runs, runs, plain)) : missing,
})

const missing = { met: false, figure: 'not run' }
const growth = ({ aboveGrowth }: Cell) => ({
  met: aboveGrowth <= 0,
  figure: `${(aboveGrowth * 100).toFixed(1)} points from the formula`,
})
const everyRun = ({ runs, checks }: Cell) => runs.value + checks.value

const demands: readonly Demand[] = [
  {
    name: 'T1',
    target: 'ring lies always, f = 10 %: wrong live <= 2e-6, R <= 3.5, unresolved <= 0.1 %',
    cells: [['A3', 0.1, 'ours N']],
    judge: ([cell]) =>
      cell
        ? all(
            atMost('wrong live', cell.wrongLive, 2e-6),
            atMost('R', cell.runs, 3.5, plain),
            atMost('unresolved', cell.unresolved, 1e-3),
          )
        : missing,
  },
  sleeper('N', 0.1, 9e-4, 3.6),
  sleeper('N', 0.2, 7e-3, 3.6),
  sleeper('H', 0.1, 8e-5, 4.7),
  sleeper('H', 0.2, 1.3e-3, 4.7),
  {
    name: 'T3',
    target: 'stealth ring, f = 20 %: wrong live <= 5e-5, >= 80 % burned, exposure <= 10,000 jobs',
    cells: [['A5', 0.2, 'ours N']],
    judge: ([cell]) =>
      cell
        ? all(
            atMost('wrong live', cell.wrongLive, 5e-5),
            atLeast('burned', cell.burned, 0.8),
            atMost('exposure', cell.exposure, 10_000, one => plain(one, 0)),
          )
        : missing,
  },
  {
    name: 'T4',
    target:
      'swarm of 1,000 in 20 clusters: 0 wrong, <= 10 % dearer, hostile share of those who count within its growth formula',
    cells: [
      ['A1', 0, 'ours N'],
      ['A6', 0, 'ours N'],
    ],
    judge: ([without, swarm]) => {
      if (!without || !swarm) return missing
      const dearer = everyRun(swarm) / everyRun(without) - 1
      return all(
        none('wrong', swarm.wrongAccepted),
        { met: dearer <= 0.1, figure: `${(dearer * 100).toFixed(1)} % dearer` },
        growth(swarm),
      )
    },
  },
  {
    // 7.6 knows a patient swarm only without the cap on growth: 4e-3 wrong. Once some of it counts, f^3 is never 0.
    name: 'T4, patient',
    target:
      'swarm of 1,000 clusters that works until it counts: 0 wrong, hostile share within its growth formula',
    cells: [
      ['A6p', 0, 'ours N'],
      ['A6p', 0.05, 'ours N'],
    ],
    judge: ([alone, helped]) =>
      alone && helped
        ? all(
            none('wrong', alone.wrongAccepted),
            growth(alone),
            aside(`with 5 % accomplices wrong ${share(helped.wrongAccepted)}`),
            growth(helped),
          )
        : missing,
  },
  {
    name: 'T5',
    target:
      'benign: 0 wrong, honest bans <= 0.25 %, a referee in <= 10 % of jobs, flaky verdicts >= 99 % right and >= 50 % complete',
    cells: [['A1', 0, 'ours N']],
    judge: ([cell]) =>
      cell
        ? all(
            none('wrong', cell.wrongAccepted),
            atMost('honest bans', cell.falseBans, 0.0025),
            atMost('refereed', cell.refereed, 0.1),
            atLeast('right', cell.flakyPrecision, 0.99),
            atLeast('complete', cell.flakyRecall, 0.5),
          )
        : missing,
  },
  {
    name: 'T6',
    // 7.7 says "within 5 jobs". With the common answer in four jobs of five, five jobs refute one answer: nobody could tell.
    target: 'lazy and copiers, f = 10 %: 0 accepted; the lazy are banned within 5 refuted answers',
    cells: [
      ['A2', 0.1, 'ours N'],
      ['A2c', 0.1, 'ours N'],
    ],
    judge: ([lazy, copier]) =>
      lazy && copier
        ? all(
            none('lazy', lazy.wrongAccepted),
            none('copied', copier.wrongAccepted),
            {
              met: lazy.refutedUntilBanMost <= 5 && lazy.burned.value > 0,
              figure: `refuted answers until the ban ${plain(lazy.refutedUntilBan, 1)}, at most ${lazy.refutedUntilBanMost}`,
            },
            aside(`answers of any kind until the ban ${plain(lazy.untilBan, 1)}`),
            aside(`burned ${share(lazy.burned)}`),
          )
        : missing,
  },
]

/** Targets T1 to T6 of 7.7 on the cells that were run; `met` is undefined where a cell is missing. */
export function judgeTargets(cells: readonly Cell[]): TargetResult[] {
  return demands.map(({ name, target, cells: wanted, judge }) => {
    const found = wanted.flatMap(([strategy, hostile, scheme]) =>
      cells.filter(one => one.strategy === strategy && one.hostile === hostile && one.scheme === scheme),
    )
    return found.length < wanted.length
      ? { name, target, met: undefined, figure: 'not run' }
      : { name, target, ...judge(found) }
  })
}

/** The squares the targets need, as `--only` takes them, with the scheme's key in the grid. */
export const targetSquares: readonly string[] = [
  ...new Set(
    demands.flatMap(({ cells }) =>
      cells.map(
        ([strategy, hostile, scheme]) =>
          `${Math.round(hostile * 100)}/${strategy}/${scheme.replace(' ', '-')}`,
      ),
    ),
  ),
]

export function markdownOfTargets(results: readonly TargetResult[]): string {
  const word = (met: boolean | undefined) => (met === undefined ? 'not run' : met ? 'met' : '**not met**')
  return [
    '| target | wanted | | measured |',
    '|---|---|---|---|',
    ...results.map(({ name, target, met, figure }) => `| ${name} | ${target} | ${word(met)} | ${figure} |`),
  ].join('\n')
}
