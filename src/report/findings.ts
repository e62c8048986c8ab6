import type { RawData } from '../wire/raw-data.ts'
import { type Finding, type FindingLevel, findingLevels } from './evaluation.ts'
import type { Rule, Sighting } from './rule.ts'
import { rules } from './rules.ts'
import { sceneOf } from './scene.ts'

const sightingsShown = 10
const sightingLength = 300
const findingsShown = 500

/** Findings of all rules over one raw data, most serious first; one per rule, phase and level. */
export function findingsOf(rawData: RawData, using: readonly Rule[] = rules): Finding[] {
  const scene = sceneOf(rawData)
  const findings = using.flatMap(rule =>
    [...Map.groupBy(rule.test(scene), sighting => `${sighting.phase} ${levelOf(rule, sighting)}`)].flatMap(
      ([, sightings]) => findingOf(rule, sightings),
    ),
  )
  return findings.sort((a, b) => rank(b.level) - rank(a.level)).slice(0, findingsShown)
}

function levelOf(rule: Rule, { weak }: Sighting): FindingLevel {
  return weak === true ? 'observed' : rule.level
}

function findingOf(rule: Rule, sightings: readonly Sighting[]): Finding[] {
  const [first] = sightings
  if (first === undefined) return []
  const evidence = summarise([...new Set(sightings.map(sighting => sighting.evidence))])
  return [{ id: rule.id, level: levelOf(rule, first), phase: first.phase, evidence }]
}

export function highestLevel(findings: readonly Finding[]): FindingLevel | undefined {
  return findings.map(finding => finding.level).sort((a, b) => rank(b) - rank(a))[0]
}

function rank(level: FindingLevel): number {
  return findingLevels.indexOf(level)
}

function summarise(evidence: string[]): string {
  const shown = evidence.slice(0, sightingsShown).map(text => cut(text.replace(/;\s+/g, ';')))
  const more = evidence.length - shown.length
  return shown.join('; ') + (more > 0 ? `; and ${more} more` : '')
}

/** Readers take the evidence apart again at `; `, so that no text of a distribution may hold it. A cut inside a surrogate pair would leave text that has no canonical JSON. */
function cut(text: string): string {
  return text.length <= sightingLength ? text : `${text.slice(0, sightingLength).toWellFormed()}...`
}
