import { canonicalJson } from '../wire/canonical.ts'
import type { RawData } from '../wire/raw-data.ts'
import { demand } from './checks.ts'
import { observationsOf } from './raw-statement.ts'
import { readRawData, type Testimony } from './testimony.ts'

/**
 * Raw data of the release before, as one volunteer vouches for it. That it is of an accepted report is the coordinator's word,
 * which its log bears out.
 * @throws PytiError `check-failed` | `bad-raw-data`
 */
export function baselineRawData(
  { statement, volunteer }: Testimony,
  blob: Uint8Array | undefined,
  current: RawData['subject'],
): RawData {
  demand(blob !== undefined, 'the raw data of the release before is missing or was changed')
  const rawData = readRawData(blob)
  demand(
    canonicalJson(observationsOf(rawData)) === canonicalJson(statement.predicate.observations),
    `the observations of ${volunteer} are not those of its raw data`,
  )
  const { project, kind, version } = rawData.subject
  demand(
    project === current.project && kind === current.kind && version !== current.version,
    'what the report is compared with is not another release of the same project and kind',
  )
  return rawData
}
