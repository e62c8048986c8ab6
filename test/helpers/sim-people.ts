import type { Random } from '../../bench/sabotage/random.ts'
import type { Character } from './sim-volunteer.ts'

/** How large a simulation is, and who takes part. */
export interface SimShape {
  /** Whether seats are drawn and answers weighed. */
  weighed: boolean
  /** So many of the first volunteers are one ring, and all others honest; few of them are founders. */
  ring?: number
  /** Every owner has two machines, which come and go. */
  owners?: boolean
  /** Share of jobs that are about a file that was asked for before. */
  again?: number
  /** Jobs of bundled samples are made; who lies knows them for what they are. */
  sampled?: boolean
  /** Witnesses come and go, and fewer than all of them are enough. */
  witnessed?: boolean
  volunteers: number
  jobs: number
  /** Minutes until faults stop. */
  minutes: number
}

export interface People {
  characters: Character[]
  founders: string[]
  referees: string[]
  /** Most distinct operators whose word counts and that tell one and the same lie. */
  ring: number
}

type Kind = (character: Character) => Character

const base: Character = {
  name: '',
  prefix: '',
  cpu: 'x86-64-v3',
  slots: 2,
  lies: 0,
  stalls: 0.02,
  replays: 0,
  copies: 0,
  twice: 0.05,
  releases: 0.03,
  withholds: 0.02,
  vanishes: 0.03,
  pesters: false,
  slowestMs: 30_000,
}

const honest: Kind = one => one
const liar: Kind = one => ({ ...one, lies: 0.7, lie: { kind: 'files', name: one.name } })
const ringMember: Kind = one => ({ ...one, lies: 0.7, lie: { kind: 'files', name: 'ring' } })
/** Honest often enough for reports to rest on it. */
const seldom: Kind = one => ({ ...ringMember(one), lies: 0.5 })
/** The same about files whose truth is known, and one that shows. */
const unmasker: Kind = one => ({
  ...one,
  lies: 0.4,
  liesOfSamples: 0.9,
  lie: { kind: 'fails', name: 'unmasked' },
})
const neighbour: Kind = one => ({ ...ringMember(one), prefix: '192.0.2.0/24' })
const failer: Kind = one => ({ ...one, lies: 0.7, lie: { kind: 'tests', name: 'tests' } })
const accuser: Kind = one => ({ ...one, lies: 0.5, lie: { kind: 'harm', name: one.name } })

const troubles: Kind[] = [
  liar,
  accuser,
  one => ({ ...one, stalls: 0.8, stallsForEver: true, slots: 4 }),
  one => ({ ...one, replays: 1 }),
  one => ({ ...one, copies: 1, prefix: '198.51.100.0/24' }),
  one => ({ ...one, twice: 1 }),
  one => ({ ...one, withholds: 0.6 }),
  one => ({ ...one, releases: 0.7 }),
  one => ({ ...one, pesters: true }),
  one => ({ ...one, slowestMs: 400_000 }),
  one => ({ ...one, operator: 'two-machines', vanishes: 0.7, slowestMs: 90_000 }),
  one => ({ ...liar(one), operator: 'two-liars' }),
]

/** Rings stay below the quorum of a new file: two of three. */
function kindsOf(random: Random, count: number, bad: number, sampled = false): Kind[] {
  const kinds = Array.from({ length: count }, () => honest)
  const put = (kind: Kind, times = 1) => {
    for (let time = 0; time < times; time += 1) kinds[random.below(count)] = kind
  }
  for (let one = 0; one < bad; one += 1) {
    const kind = troubles[random.below(troubles.length)] ?? honest
    put(kind, kind({ ...base }).operator === undefined ? 1 : 2)
  }
  put(random.chance(0.3) ? neighbour : ringMember, random.below(3))
  put(failer, random.below(3))
  if (sampled) put(unmasker, 2)
  return kinds
}

export function populate(
  random: Random,
  { weighed, volunteers, ring, sampled = false, owners = false }: SimShape,
): People {
  const characters: Character[] = []
  const platforms = volunteers >= 40 ? ['x86-64-v3', 'x86-64-v2'] : ['x86-64-v3']
  const add = (kind: string, kinds: Kind[]): string[] =>
    kinds.map((make, number) => {
      const name = `${kind} ${number}`
      const slots = 1 + random.below(3)
      const cpu = platforms[number % platforms.length] ?? base.cpu
      const one = { ...base, name, slots, cpu, slowestMs: 2_000 + random.below(60_000) }
      const operator = `owner-${number >> 1}`
      characters.push(owners ? { ...one, operator, slots: 1, vanishes: 0.6, slowestMs: 150_000 } : make(one))
      return name
    })
  const kinds = (count: number, bad: number) =>
    ring === undefined
      ? kindsOf(random, count, bad, sampled)
      : Array.from({ length: count }, (_, at) => (at < ring ? (sampled ? unmasker : seldom) : honest))
  if (!weighed) {
    add('volunteer', kinds(volunteers, Math.floor(volunteers / 6)))
    return { characters, founders: [], referees: [], ring: ringOf(characters) }
  }
  const count = ring === undefined ? Math.floor(volunteers * 0.7) : 12
  const founders = add('founder', kinds(count, Math.floor(count / 9)))
  const largest = ringOf(characters)
  const referees =
    ring !== undefined || random.chance(0.7) ? add('referee', Array(6 * platforms.length).fill(honest)) : []
  add('newcomer', kindsOf(random, Math.max(3, volunteers - count - referees.length), 3))
  return { characters, founders, referees, ring: largest }
}

function ringOf(characters: readonly Character[]): number {
  const tellers = Map.groupBy(
    characters.filter(one => one.lie !== undefined),
    one => one.lie?.name,
  )
  return Math.max(
    0,
    ...[...tellers.values()].map(group => new Set(group.map(one => one.operator ?? one.name)).size),
  )
}
