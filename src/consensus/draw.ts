/**
 * Who sits where, so that nobody can choose it and everybody can recompute it: candidates ranked by a hash under a seed that
 * was unknown when the roster froze and the job was logged (volunteer-compute.md 7.2). Texts are hashed with SHA-256.
 */
import { sha256 } from '../wire/canonical.ts'
import { extraMax } from './classes.ts'

export interface Candidate {
  readonly volunteer: string
  /** What tells that two volunteers may be one person: operator, network, answers they shared (book.ts). */
  readonly tags: readonly string[]
}

/** @param beacon hex of a value nobody could steer, known only after job and roster were logged */
export function seedOf(beacon: string, job: string): string {
  return sha256(`pyti-draw/v1\n${beacon}\n${job}\n`)
}

export function rankOf(seed: string, volunteer: string): string {
  return sha256(`pyti-seat/v1\n${seed}\n${volunteer}\n`)
}

/** Best rank first. */
export function ranked<C extends Candidate>(candidates: readonly C[], seed: string): C[] {
  return candidates
    .map(candidate => ({ candidate, rank: rankOf(seed, candidate.volunteer) }))
    .sort((a, b) => (a.rank < b.rank ? -1 : 1))
    .map(({ candidate }) => candidate)
}

/**
 * The next volunteers for seats, by rank: none that was passed over or sits already, none that shares a tag with one that
 * sits. Tags are compared pair by pair and never chained: whoever could chain them would make strangers one cluster.
 * @param order from `ranked`
 */
export function nextSeats<C extends Candidate>(
  order: readonly C[],
  taken: readonly Candidate[],
  passed: ReadonlySet<string>,
  wanted: number,
): C[] {
  const tags = new Set(taken.flatMap(one => one.tags))
  const volunteers = new Set(taken.map(({ volunteer }) => volunteer))
  const chosen: C[] = []
  for (const candidate of order) {
    if (chosen.length >= wanted) break
    const { volunteer } = candidate
    if (passed.has(volunteer) || volunteers.has(volunteer)) continue
    if (candidate.tags.some(tag => tags.has(tag))) continue
    for (const tag of candidate.tags) tags.add(tag)
    chosen.push(candidate)
  }
  return chosen
}

/**
 * Whether something happens that only the salt's owner can foresee and anybody can check once the salt is out.
 * @param perMille its chance
 */
export function chance(seed: string, salt: string, what: string, perMille: number): boolean {
  return (
    Number.parseInt(sha256(`pyti-chance/v1\n${seed}\n${salt}\n${what}\n`).slice(0, 8), 16) % 1_000 < perMille
  )
}

/** Hidden seats on top of the quorum: each one follows the one before it with the same chance. */
export function extraSeats(seed: string, salt: string, perMille: number): number {
  let extra = 0
  while (extra < extraMax && chance(seed, salt, `extra ${extra}`, perMille)) extra += 1
  return extra
}
