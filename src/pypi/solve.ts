import { parseRequirement } from './requirement.ts'

export type Attempt<T> = { ok: true; value: T } | { ok: false; reason: string }

export interface Solved<T> {
  /** Undefined when nothing at all could be resolved within the bound. */
  value: T | undefined
  dropped: string[]
}

/**
 * Resolves as many requirements as it can, in their order of trust: when all do not go together, the one that breaks
 * the longest good prefix is dropped, and so on. The same answers lead to the same result on every machine.
 * @param attempt asks for a set of requirements; called at most `bound` times
 */
export async function solve<T>(
  requirements: string[],
  attempt: (requirements: string[]) => Promise<Attempt<T>>,
  bound: number,
): Promise<Solved<T>> {
  let calls = 0
  let candidates = requirements
  let best: { value: T; kept: string[] } | undefined
  const blamed = new Set<string>()

  async function attemptFor(kept: string[]): Promise<Attempt<T>> {
    calls++
    const outcome = await attempt(kept)
    if (outcome.ok && kept.length >= (best?.kept.length ?? 0)) best = { value: outcome.value, kept }
    if (!outcome.ok) for (const requirement of mentioned(kept, outcome.reason)) blamed.add(requirement)
    return outcome
  }

  /** The first requirement that makes the ones before it unresolvable, by bisection. */
  async function firstBreaking(): Promise<string | undefined> {
    let good = 0
    let bad = candidates.length
    while (bad - good > 1) {
      if (calls >= bound - 1) return undefined
      const middle = Math.floor((good + bad) / 2)
      if ((await attemptFor(candidates.slice(0, middle))).ok) good = middle
      else bad = middle
    }
    return candidates[bad - 1]
  }

  // The last call is kept back: a set without anybody ever blamed.
  while (calls < bound - 1) {
    const whole = await attemptFor(candidates)
    if (whole.ok || candidates.length === 0) break
    const [named, ...others] = mentioned(candidates, whole.reason)
    const culprit = others.length === 0 && named !== undefined ? named : await firstBreaking()
    if (culprit === undefined) break
    candidates = candidates.filter(requirement => requirement !== culprit)
  }
  const blameless = requirements.filter(requirement => !blamed.has(requirement))
  if (blameless.length > (best?.kept.length ?? -1)) await attemptFor(blameless)
  const kept = new Set(best?.kept ?? [])
  return { value: best?.value, dropped: requirements.filter(requirement => !kept.has(requirement)) }
}

/** Those of our requirements that uv's explanation speaks of. */
function mentioned(requirements: string[], reason: string): string[] {
  const words = new Set(
    reason
      .toLowerCase()
      .match(/[a-z0-9][a-z0-9._-]*/g)
      ?.map(word => word.replace(/[._-]+$/, '')),
  )
  return requirements.filter(text => {
    const parsed = parseRequirement(text)
    return parsed.type === 'named' && words.has(parsed.requirement.name)
  })
}
