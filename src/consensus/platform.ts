import { type Backend, backendFor, type Profile } from '../wire/job.ts'

/** What a volunteer says of its machine. */
export interface Machine {
  /** The preferred one first. */
  readonly backends: readonly Backend[]
  /** What package code can see of the processor where the backend does not hide it. */
  readonly cpu: string
}

/** What the machines of one job's seats must have in common (BOINC's homogeneous redundancy). */
export function platformOf(
  { backends, cpu }: Machine,
  profile: Pick<Profile, 'backend'>,
): string | undefined {
  const backend = backendFor(profile, backends)
  // An emulated processor is the same everywhere.
  return backend === 'tcg' ? 'tcg' : backend && `${backend} ${cpu}`
}

/**
 * The platform most operators have, and how many: the one a drawn job runs on. What a machine is is its owner's word, so a ring
 * must not get a job to itself by claiming what nobody else claims.
 */
export function commonPlatform(
  members: readonly (Machine & { readonly operator: string })[],
  profile: Pick<Profile, 'backend'>,
): { platform: string; operators: number } | undefined {
  const owners = new Map<string, Set<string>>()
  for (const member of members) {
    const platform = platformOf(member, profile)
    if (platform !== undefined) owners.set(platform, (owners.get(platform) ?? new Set()).add(member.operator))
  }
  const [most] = [...owners].sort(([a, some], [b, others]) => others.size - some.size || (a < b ? -1 : 1))
  return most && { platform: most[0], operators: most[1].size }
}
