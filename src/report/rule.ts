import type { Finding, FindingLevel } from './evaluation.ts'
import type { Scene } from './scene.ts'

/** One sighting; sightings of a rule in the same phase become one finding. */
export interface Sighting {
  readonly phase: Finding['phase']
  readonly evidence: string
  /** It has a likely harmless explanation where it was seen: `observed` only, whatever the rule's level. */
  readonly weak?: boolean
}

/**
 * What is worth telling about raw data. Rules judge, raw data does not: a better rule needs no new run.
 * A change of what a rule matches raises its `version`, which changes the policy digest in reports.
 */
export interface Rule {
  readonly id: string
  readonly version: number
  /** The highest its findings have. */
  readonly level: FindingLevel
  /** Why it matters, for people. */
  readonly reason: string
  readonly test: (scene: Scene) => Sighting[]
}
