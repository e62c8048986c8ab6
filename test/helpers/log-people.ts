import { sign, statementType } from '../../src/attest/dsse.ts'
import { rawDataStatement } from '../../src/attest/raw-statement.ts'
import type { ReportStatement } from '../../src/attest/report-statement.ts'
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
/** These two tell one lie together. */
export const ring = [people[1], people[2]].map(one => one?.peerId ?? '')

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
