import type { PolicyDocument } from '../../src/attest/documents.ts'
import { sign, statementType } from '../../src/attest/dsse.ts'
import { rawDataStatement } from '../../src/attest/raw-statement.ts'
import type { ReportStatement } from '../../src/attest/report-statement.ts'
import type { Book, Change } from '../../src/consensus/book.ts'
import { graduate } from '../../src/consensus/consequences.ts'
import type { Machine } from '../../src/consensus/platform.ts'
import { canonicalBytes, sha256 } from '../../src/wire/canonical.ts'
import type { Envelope } from '../../src/wire/envelope.ts'
import type { Job } from '../../src/wire/job.ts'
import type { RawData } from '../../src/wire/raw-data.ts'
import { type TestIdentity, testIdentity, testRawData, withTask } from './raw-data.ts'

export const reportKey = testIdentity('report key')
export const otherReportKey = testIdentity('another report key')
export const people = Array.from({ length: 20 }, (_, n) => testIdentity(`volunteer ${n}`))
export const founders = people.slice(0, 14)
/** Volunteers 14 to 16 are newcomers. */
export const referees = people.slice(17)
const identities = new Map(people.map(one => [one.peerId, one]))
/** The first of these, two if nothing else is said, tell one lie together. */
export const ring = [1, 2, 5, 6, 7, 8].map(n => people[n]).map(one => one?.peerId ?? '')

/** A volunteer's word on a job. */
export async function answerFrom(
  volunteer: string,
  job: Job,
  liar: boolean,
): Promise<{ envelope: Envelope; rawData: RawData }> {
  const identity: TestIdentity = identities.get(volunteer) ?? testIdentity(volunteer)
  const honest = testRawData({ job })
  const rawData = liar
    ? withTask(honest, 'install', { files: [{ path: '{site}/other', sha256: sha256('a lie') }] })
    : honest
  const statement = rawDataStatement({
    volunteer,
    rawData,
    round: 0,
    startedOn: '2026-11-20T12:01:00Z',
    finishedOn: '2026-11-20T12:02:00Z',
    salt: sha256(volunteer).slice(0, 32),
  })
  return { envelope: await sign(statementType, canonicalBytes(statement), identity), rawData }
}

/** Signed with the key that the report names. */
export function signReport(statement: ReportStatement): Promise<Envelope> {
  const isOther = statement.predicate.verifier.id.endsWith(otherReportKey.peerId)
  return sign(statementType, canonicalBytes(statement), isOther ? otherReportKey : reportKey)
}

/** What most of their machines have in common. */
export const platform = 'uml x86-64-v3'

/** Most have one processor, two founders and a newcomer a newer one. */
export function machinesOf(book: Book): Map<string, Machine> {
  return new Map(
    [...book.members()].map(({ volunteer, operator }) => {
      const isNewer = ['operator-12', 'operator-13', 'operator-15'].includes(operator)
      return [volunteer, { backends: ['uml'], cpu: isNewer ? 'x86-64-v4' : 'x86-64-v3' }]
    }),
  )
}

function vouchedIn({ founders, referees }: PolicyDocument, volunteer: string) {
  if (referees.includes(volunteer)) return 'referee' as const
  return founders.includes(volunteer) ? ('founder' as const) : undefined
}

/**
 * Applies what a new roster changes to the book.
 * @param arrivals numbers of people that may be new
 */
export function changesOf(
  book: Book,
  policy: PolicyDocument,
  arrivals: Iterable<number>,
  day: number,
): Change[] {
  const joined: Change[] = []
  for (const n of arrivals) {
    const { peerId } = people[n] ?? { peerId: '' }
    if (book.member(peerId)) continue
    const vouched = vouchedIn(policy, peerId)
    const network = n === 3 || n === 4 ? '192.0.2' : ''
    const from = { operator: `operator-${n}`, network, ...(vouched && { vouched }) }
    joined.push({ type: 'joined', volunteer: peerId, ...from })
  }
  const anew = [...book.members()].flatMap(({ volunteer, vouched }): Change[] => {
    const as = vouchedIn(policy, volunteer)
    return as && as !== vouched ? [{ type: 'vouched', volunteer, as }] : []
  })
  for (const change of [...joined, ...anew]) book.apply(change, day)
  return [...joined, ...anew, ...graduate(book, day)]
}
