import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { CloseDocument, TaskDocument } from '../../src/attest/documents.ts'
import { type StoredJob, submittedSeats } from '../../src/coordinator/state.ts'
import type { Write } from '../../src/store/store.ts'
import type { SimShape } from '../helpers/sim-people.ts'
import { report, shapes } from '../helpers/sim-run.ts'
import { checkSignaturesAtOnce } from '../helpers/sim-signatures.ts'
import { type SimOptions, simulate } from '../helpers/sim-world.ts'

checkSignaturesAtOnce()

const small: SimShape = { ...shapes.open, volunteers: 20, jobs: 2, minutes: 2 }

/** Shows the checks another value wherever a key begins so, as often as `change` gives one. */
function instead(prefix: string, change: (value: unknown, key: string) => unknown): SimOptions {
  return {
    shown: writes =>
      writes.flatMap((write): Write[] => {
        if (write.type === 'delete' || !write.key.startsWith(prefix)) return [write]
        const value = change(write.value, write.key)
        return value === undefined ? [] : [{ ...write, value }]
      }),
  }
}

const sampled: SimShape = { ...shapes.sampled, volunteers: 22, jobs: 3, minutes: 2 }
const watched: SimShape = { ...shapes.witnessed, volunteers: 20, jobs: 2, minutes: 2 }

const ofJob = (change: (job: StoredJob) => StoredJob) => instead('job/', value => change(value as StoredJob))
const twoAnswers = (same: 'volunteer' | 'operator') =>
  ofJob(job => {
    const [first, second] = submittedSeats(job)
    if (!first || !second) return job
    const seats = job.seats.map(seat =>
      seat.lease === second.lease ? { ...seat, [same]: first[same] } : seat,
    )
    return { ...job, seats }
  })

/** Another letter in the third line. */
function changedRoot(note: string): string {
  const lines = note.split('\n')
  const [, , root = ''] = lines
  lines[2] = (root.startsWith('A') ? 'B' : 'A') + root.slice(1)
  return lines.join('\n')
}

async function notices(options: SimOptions, what: RegExp, shape = small, seed = 5): Promise<void> {
  const result = await simulate(seed, shape, options)
  assert.ok(
    result.faults.some(fault => what.test(fault)),
    report('noticing', result),
  )
}

describe('checks of the simulation', () => {
  it('find nothing where nothing was changed', async () => {
    const result = await simulate(5, small)
    assert.deepEqual(result.faults, [], report('noticing', result))
    assert.ok(result.reported > 0)
  })

  it('notice a leaf that is written again, or left out', async () => {
    await notices(
      instead('log/signed/', value => ({
        ...Object(value),
        note: changedRoot((value as { note: string }).note),
      })),
      /signed: the root of \d+ leaves is not that of the log/,
    )
    let earlier: unknown
    await notices(
      instead('leaf/', (value, key) => {
        earlier ??= value
        return key.endsWith('5') ? earlier : value
      }),
      /root of \d+ leaves|has no|not in the log/,
    )
    await notices(
      instead('leaf/', (value, key) => (key.endsWith('5') ? undefined : value)),
      /a checkpoint of \d+ leaves, but \d+ were written|not in the log/,
    )
  })

  it('notice a volunteer and an operator that are counted twice', async () => {
    await notices(twoAnswers('volunteer'), /two counted answers have one volunteer|another owner/)
    await notices(twoAnswers('operator'), /two counted answers have one operator/)
  })

  it('notice an answer that is changed or was never logged', async () => {
    await notices(
      instead('attestation/', () => undefined),
      /has no attestation/,
    )
    await notices(
      ofJob(job => ({
        ...job,
        seats: job.seats.map(seat =>
          seat.state === 'submitted' && job.phase === 'reported' ? { ...seat, endedAt: 0 } : seat,
        ),
      })),
      /an answer is changed/,
    )
  })

  it('notice an agreement that comes too early, and a dissent that is passed over', async () => {
    await notices(
      ofJob(job => (submittedSeats(job).length === 1 ? { ...job, phase: 'agreed' } : job)),
      /it is agreed, but that does not follow/,
    )
    let count = 0
    await notices(
      instead('ballot/', ballot => {
        count += 1
        return count % 2 === 0 ? { sections: { other: 'x' }, tests: {} } : ballot
      }),
      /it is agreed, but that does not follow/,
    )
  })

  it('notice a job that is lost, or given up', async () => {
    await notices(
      instead('unfinished/', () => undefined),
      /listed as the other/,
    )
    await notices(
      instead('job/', () => undefined),
      /was accepted and is not in the store/,
    )
    await notices(
      ofJob(job =>
        submittedSeats(job).length === 2 ? { ...job, phase: 'unresolved', reason: 'no more interest' } : job,
      ),
      /it was given up while it could go on/,
    )
  })

  it('notice an end that leaves raw data out', () =>
    notices(
      instead('document/', value => {
        const document = value as CloseDocument
        return document.schema === 'pyti.close/1' ? { ...document, seats: document.seats.slice(1) } : document
      }),
      /the end of job \w+ leaves out/,
    ))

  it('notice a report that rests on a ring', async () => {
    const shape = { ...small, ring: small.volunteers, jobs: 6 }
    for (let seed = 1; seed <= 10; seed += 1) {
      const { faults } = await simulate(seed, shape, { ring: 0 })
      if (faults.some(fault => fault.includes('it rests on the lie of'))) return
    }
    assert.fail('ten worlds of liars, and no report that rests on a lie')
  })

  it('notice a sample that gets a report, is repeated twice, or is not logged as one', async () => {
    await notices(
      ofJob(job => (job.sample && job.phase === 'agreed' ? { ...job, report: job.task } : job)),
      /sample job \w+: it gets a report/,
      sampled,
    )
    const firsts = new Map<string, string>()
    await notices(
      ofJob(job => {
        if (!job.known || firsts.size > 1) return job
        firsts.set(job.id, job.known.of)
        return { ...job, known: { ...job.known, of: [...firsts.values()][0] ?? '' } }
      }),
      /is repeated once more/,
      sampled,
    )
    await notices(
      ofJob(job => (job.sample ? { ...job, repeatedBy: undefined } : job)),
      /another job repeats it/,
      sampled,
    )
    await notices(
      instead('document/', value => {
        const { sample: _, ...document } = value as TaskDocument
        return document
      }),
      /the log says undefined of it/,
      sampled,
    )
    await notices(
      ofJob(job => {
        const { subject } = job.job
        const other = { ...job.job, subject: { ...subject, size: subject.size + 1 } }
        return job.sample ? { ...job, job: other } : job
      }),
      /sample job \w+: its file is not there/,
      sampled,
    )
  })

  it('notice somebody honest who is refuted because of a sample', () =>
    notices(
      instead('document/', value => {
        const document = value as CloseDocument
        if (document.schema !== 'pyti.close/1' || document.outcome !== 'sample') return document
        const changes = document.changes.map(change =>
          change.type === 'answered' ? { ...change, result: 'refuted' as const } : change,
        )
        return { ...document, changes }
      }),
      /is refuted for nothing/,
      sampled,
    ))

  it('notice a checkpoint that lacks a witness', async () => {
    await simulate(5, watched).then(({ faults }) => assert.deepEqual(faults, []))
    await notices(
      { threshold: 6 },
      /published: \d witnesses signed the checkpoint of \d+ leaves, 6 must/,
      watched,
    )
  })
})
