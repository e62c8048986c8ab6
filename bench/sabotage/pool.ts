import type { Scheme } from './scheme.ts'
import type { Job, World } from './world.ts'

/** The pool of those who count may grow by this share a week (7.3). */
const growthPerWeek = 1.05

/** Ends the days of a simulation and watches who counts. */
export function watchPool(scheme: Scheme, world: World) {
  let [today, worst, above] = [0, 0, Number.NEGATIVE_INFINITY]
  let swarm: { day: number; share: number } | undefined
  const look = () => {
    const counted = world.operators.filter(
      one => !one.gone && !scheme.isBanned(one) && scheme.counts?.(one, today) !== false,
    )
    const share = counted.filter(({ hostile }) => hostile).length / Math.max(1, counted.length)
    worst = Math.max(worst, share)
    if (swarm) {
      // The cap is for each calendar week, so the one that has begun counts whole.
      const weeks = Math.floor(today / 7) - Math.floor(swarm.day / 7) + 1
      above = Math.max(above, share - (1 - (1 - swarm.share) / growthPerWeek ** weeks))
    }
    return share
  }
  return {
    pass({ day }: Job) {
      for (; today < day; today++) {
        scheme.dayEnds?.(today, world)
        look()
      }
    },
    swarmComes() {
      swarm = { day: today, share: look() }
    },
    figures() {
      look()
      return { hostileCounted: worst, aboveGrowth: above }
    },
  }
}
