import type { RawData } from '../wire/raw-data.ts'
import { sceneOf } from './changes.ts'
import { type Finding, type FindingLevel, findingLevels } from './evaluation.ts'
import { type Rule, rules } from './rules.ts'

const sightingsShown = 10
const sightingLength = 300

/** Findings of all rules over one raw data, most serious first; one per rule and phase. */
export function findingsOf(rawData: RawData, using: readonly Rule[] = rules): Finding[] {
  const scene = sceneOf(rawData)
  const findings = using.flatMap(rule =>
    [...Map.groupBy(rule.test(scene), sighting => sighting.phase)].map(([phase, sightings]) => ({
      id: rule.id,
      level: rule.level,
      phase,
      evidence: summarise(sightings.map(sighting => sighting.evidence)),
    })),
  )
  return findings.sort((a, b) => rank(b.level) - rank(a.level))
}

export function highestLevel(findings: readonly Finding[]): FindingLevel | undefined {
  return findings.map(finding => finding.level).sort((a, b) => rank(b) - rank(a))[0]
}

function rank(level: FindingLevel): number {
  return findingLevels.indexOf(level)
}

function summarise(evidence: string[]): string {
  const shown = evidence.slice(0, sightingsShown).map(cut)
  const more = evidence.length - shown.length
  return shown.join('; ') + (more > 0 ? `; and ${more} more` : '')
}

/** A cut inside a surrogate pair would leave text that has no canonical JSON. */
function cut(text: string): string {
  return text.length <= sightingLength ? text : `${text.slice(0, sightingLength).toWellFormed()}...`
}
