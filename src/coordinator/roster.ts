import type { Machine } from '../consensus/platform.ts'
import { backendFor, type Profile } from '../wire/job.ts'

/** What a volunteer said about itself in `hello`. */
export interface Introduction extends Machine {
  slots: number
  operator: string
}

/** Who is connected, and until when the leases of those who are not hold. Memory only. */
export interface Roster {
  introduce(peer: string, introduction: Introduction): void
  connected(peer: string): void
  /** @param until milliseconds since the Unix epoch: when its leases are lost if it is not back */
  disconnected(peer: string, until: number): void
  /** `undefined` for a peer that is not connected or has not said hello on this connection. */
  get(peer: string): Introduction | undefined
  /** Volunteers that can run jobs of this profile. */
  volunteers(profile: Pick<Profile, 'backend'>): Iterable<[string, Introduction]>
  /** Whether the peer's grace is over. */
  isLost(peer: string, now: number): boolean
  /** Forgets graces that are over and have been acted upon. */
  forgetLost(now: number): void
}

export function createRoster(): Roster {
  const present = new Map<string, Introduction>()
  const absent = new Map<string, number>()
  return {
    introduce(peer, introduction) {
      absent.delete(peer)
      present.set(peer, introduction)
    },
    connected(peer) {
      absent.delete(peer)
    },
    disconnected(peer, until) {
      present.delete(peer)
      absent.set(peer, until)
    },
    get: peer => present.get(peer),
    *volunteers(profile) {
      for (const [peer, introduction] of present)
        if (canWork(introduction, profile)) yield [peer, introduction]
    },
    isLost: (peer, now) => (absent.get(peer) ?? Number.POSITIVE_INFINITY) <= now,
    forgetLost(now) {
      for (const [peer, until] of absent) if (until <= now) absent.delete(peer)
    },
  }
}

export function canWork({ slots, backends }: Introduction, profile: Pick<Profile, 'backend'>): boolean {
  return slots > 0 && backendFor(profile, backends) !== undefined
}
