import { createBoincAdaptive } from './boinc.ts'
import { createFirstAgree } from './first-agree.ts'
import { createOurs } from './ours.ts'
import { createPoco } from './poco.ts'
import { createSarmenta } from './sarmenta.ts'
import type { Scheme } from './scheme.ts'

export interface Entrant {
  make: () => Scheme
  /** Honest jobs before sleepers attack. Of the anchors: those that give the R of 7.6 (12 to 40 thousand there). */
  warmUp: number
}

export const anchors: Record<string, Entrant> = {
  boinc: { make: createBoincAdaptive, warmUp: 40_000 },
  'first-2': { make: () => createFirstAgree(2), warmUp: 20_000 },
  'first-3': { make: () => createFirstAgree(3), warmUp: 20_000 },
  'poco-1000': { make: () => createPoco(1_000), warmUp: 40_000 },
  'poco-10000': { make: () => createPoco(10_000), warmUp: 40_000 },
  'sarmenta-0.999': { make: () => createSarmenta(0.999), warmUp: 20_000 },
  'sarmenta-0.9999': { make: () => createSarmenta(0.9999), warmUp: 20_000 },
}

export const own: Record<string, Entrant> = {
  'ours-R': { make: () => createOurs('R'), warmUp: 20_000 },
  'ours-N': { make: () => createOurs('N'), warmUp: 20_000 },
  'ours-H': { make: () => createOurs('H'), warmUp: 20_000 },
  'ours-X': { make: () => createOurs('X'), warmUp: 20_000 },
}

export const entrants: Record<string, Entrant> = { ...anchors, ...own }
