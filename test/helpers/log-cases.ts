import type { AuditCheckName } from '../../src/attest/audit/audit-checks.ts'
import type { Fault } from '../../src/attest/faults.ts'
import { sha256 } from '../../src/wire/canonical.ts'
import type { MakerOptions, Tampering } from './log-parts.ts'
import { answerFrom, otherReportKey, people, ring } from './log-people.ts'

export interface Case extends Tampering {
  check: AuditCheckName
  proof?: Fault['kind']
  /** What it must say of it. */
  says?: RegExp
  options?: Partial<MakerOptions>
  /** What must have happened before it can be seen, as `makeLogWith` takes it. */
  needs?: string[]
  /** How many jobs it takes. */
  jobs?: number
}

/** What a coordinator can do, and the check that must show it. */
export const dishonest: Record<string, Case> = {
  'leaves a volunteer out of a report': {
    check: 'completeness',
    proof: 'dropped-dissent',
    voters: (voters, job) => (job === 5 ? voters.slice(0, -1) : voters),
  },
  'logs an answer and hides it for ever': {
    check: 'completeness',
    voters: (voters, job) => (job === 5 ? voters.slice(1) : voters),
    close(close, job) {
      const hidden = close.seats.findIndex(seat => seat.attestation !== undefined)
      return job === 5 ? { ...close, seats: close.seats.filter((_, at) => at !== hidden) } : close
    },
    after(maker, { answers }, job) {
      if (job === 5) maker.files.delete(`document/${answers[0]?.attestation}`)
    },
  },
  'chooses the seed': {
    check: 'draws',
    proof: 'steered-draw',
    draw(draw, { job }) {
      if (job === 5) draw.seed = sha256('mine')
    },
  },
  'draws again from a second beacon': {
    check: 'draws',
    proof: 'steered-draw',
    async draw(draw, { maker, job, id }) {
      if (job === 5) Object.assign(draw, await maker.logBeacon(draw.roster, id))
    },
  },
  'draws from an old roster': {
    check: 'draws',
    proof: 'steered-draw',
    before(maker, job) {
      if (job === 5) maker.refresh()
    },
    draw(draw, { maker, job }) {
      if (job === 5) draw.roster = maker.rosterBelow(draw.roster)
    },
  },
  'draws again from a second roster': {
    check: 'draws',
    proof: 'steered-draw',
    says: /though that in leaf \d+ came first/,
    async draw(draw, { maker, job, id }) {
      if (job !== 5) return
      maker.refresh()
      Object.assign(draw, await maker.logBeacon(maker.rosterBelow(), id))
    },
  },
  'draws for a platform that few have': {
    check: 'draws',
    proof: 'steered-draw',
    says: /drawn for uml x86-64-v4, but most operators of the roster have uml x86-64-v3/,
    draw(draw, { job }) {
      if (job === 5) draw.platform = 'uml x86-64-v4'
    },
  },
  'seats somebody on another platform': {
    jobs: 20,
    check: 'seats',
    proof: 'steered-draw',
    says: /sits on uml x86-64-v4, but the job was drawn for uml x86-64-v3/,
    candidates: order => order.map(one => ({ ...one, cpu: 'x86-64-v3' })),
  },
  'has a job run again by one that ran it': {
    jobs: 20,
    check: 'seats',
    proof: 'steered-draw',
    options: { known: 1_000, lies: 0, wobbles: 0 },
    says: /sits as seat, which the roster does not let it/,
    candidates: order => order.map(one => ({ ...one, operator: `-${one.operator}` })),
    without: operators => operators.map(operator => operator.slice(1)),
    voters: voters => voters.map(one => ({ ...one, operator: one.operator.slice(1) })),
    close: close => ({
      ...close,
      seats: close.seats.map(seat => ({ ...seat, operator: seat.operator.slice(1) })),
    }),
  },
  'does not say who ran a job that is run again': {
    check: 'seats',
    says: /are not the operators that had a seat in job/,
    options: { known: 1_000, lies: 0, wobbles: 0 },
    without: (operators, job) => (job === 5 ? operators.slice(1) : operators),
  },
  'leaves somebody out of a job that is run again': {
    check: 'seats',
    says: /are not the operators that had a seat in job/,
    options: { known: 1_000, lies: 0, wobbles: 0 },
    without: (operators, job) => (job === 5 ? [...operators, 'nobody'] : operators),
  },
  'vouches for a member the policy does not name': {
    jobs: 20,
    check: 'rosters',
    says: /the policy does not vouch anew for/,
    roster: (roster, number) =>
      number === 2
        ? {
            ...roster,
            changes: [
              { type: 'vouched', volunteer: people[15]?.peerId ?? '', as: 'founder' },
              ...roster.changes,
            ],
          }
        : roster,
  },
  'does not vouch for a member the policy names': {
    check: 'rosters',
    says: /who counts from here on/,
    before(maker, job) {
      if (job !== 5) return
      maker.vouch({ founders: [...maker.policy.founders, people[15]?.peerId ?? ''] })
      maker.refresh()
    },
    roster: roster => ({ ...roster, changes: roster.changes.filter(change => change.type !== 'vouched') }),
  },
  'keeps a referee that the policy names no more': {
    check: 'rosters',
    says: /is not what the book says of it/,
    before(maker, job) {
      if (job !== 5) return
      maker.vouch({ referees: maker.policy.referees.slice(1) })
      maker.refresh()
    },
    roster: roster => ({
      ...roster,
      members: roster.members.map(one =>
        one.volunteer === people[17]?.peerId ? { ...one, referee: true } : one,
      ),
    }),
  },
  'has a job refereed by whom the policy names no more': {
    jobs: 20,
    check: 'seats',
    says: /answered as a referee after the policy named it no more/,
    options: { lies: 1_000, sleeps: 0, ring: 4 },
    before(maker, job) {
      if (job !== 5) return
      maker.policy = { ...maker.policy, referees: [] }
      maker.appendDocument('policy', maker.policy)
    },
  },
  'names a leaf as roster that is none': {
    check: 'draws',
    proof: 'steered-draw',
    close: (close, job) =>
      job === 5 && close.draw ? { ...close, draw: { ...close.draw, roster: close.task } } : close,
  },
  'names no draw at all': {
    check: 'draws',
    proof: 'steered-draw',
    close({ draw, ...close }, job) {
      return job === 5 || !draw ? close : { ...close, draw }
    },
  },
  'gives away no hidden seats': {
    jobs: 20,
    check: 'draws',
    proof: 'steered-draw',
    rules: rules => ({ ...rules, seats: rules.quorum, maxSeats: rules.quorum + 4 }),
  },
  'never lets one volunteer sit': {
    jobs: 20,
    check: 'seats',
    proof: 'steered-draw',
    options: { lies: 0 },
    candidates: order => order.filter(one => one.operator !== 'operator-5'),
    after(maker, _done, job) {
      if (job === 19) maker.refresh()
    },
  },
  'seats newcomers': {
    check: 'seats',
    proof: 'steered-draw',
    candidates: order => order.map(one => (one.referee ? one : { ...one, established: true })),
  },
  'gives a friend more weight': {
    check: 'seats',
    proof: 'steered-draw',
    close: (close, job) =>
      job === 5
        ? {
            ...close,
            seats: close.seats.map((seat, at) => (at === 0 ? { ...seat, weight: 1_000_000 } : seat)),
          }
        : close,
  },
  'numbers two reports alike': {
    jobs: 20,
    check: 'sequence',
    proof: 'double-sequence',
    report(statement) {
      const { supersedes, ...predicate } = statement.predicate
      return supersedes === undefined ? statement : { ...statement, predicate: { ...predicate, sequence: 1 } }
    },
  },
  'leaves numbers out': {
    check: 'sequence',
    report: (statement, job) =>
      job === 5 ? { ...statement, predicate: { ...statement.predicate, sequence: 9 } } : statement,
  },
  'signs with another key': {
    check: 'reports',
    report: (statement, job) =>
      job === 5
        ? {
            ...statement,
            predicate: {
              ...statement.predicate,
              verifier: {
                ...statement.predicate.verifier,
                id: `urn:pyti:coordinator:${otherReportKey.peerId}`,
              },
            },
          }
        : statement,
  },
  'says in the report that a friend is a referee': {
    check: 'reports',
    report(statement, job) {
      const { inputAttestations } = statement.predicate
      if (job !== 5) return statement
      const changed = inputAttestations.map(one => ({
        ...one,
        annotations: { ...one.annotations, role: 'referee' as const },
      }))
      return { ...statement, predicate: { ...statement.predicate, inputAttestations: changed } }
    },
  },
  'forgives a strike': {
    jobs: 20,
    check: 'book',
    options: { lies: 1_000 },
    close: close => ({
      ...close,
      changes: close.changes.map(change =>
        change.type === 'answered' ? { ...change, result: 'checked' as const } : change,
      ),
    }),
  },
  'spares a ring': {
    jobs: 30,
    needs: ['banned: ring'],
    check: 'book',
    says: /it leaves out .*"ring"/,
    options: { lies: 1_000, sleeps: 12, ring: 6 },
    close: close => ({
      ...close,
      changes: close.changes.filter(
        ({ type }) => close.outcome !== 'trial' || (type !== 'banned' && type !== 'withdrawn'),
      ),
    }),
  },
  'suspects nobody of being a ring': {
    jobs: 30,
    needs: ['suspected'],
    check: 'book',
    says: /it leaves out .*"suspected"/,
    options: { lies: 1_000, sleeps: 12, ring: 6 },
    close: close => ({ ...close, changes: close.changes.filter(change => change.type !== 'suspected') }),
  },
  'says that a referee bears a ring out': {
    jobs: 30,
    needs: ['tried'],
    check: 'book',
    says: /it says .*"tried"/,
    options: { lies: 1_000, sleeps: 12, ring: 6 },
    close: close => ({
      ...close,
      changes: close.changes.map(change =>
        change.type === 'tried' ? { ...change, result: 'borne-out' as const } : change,
      ),
    }),
  },
  'lets the pool grow too fast': {
    jobs: 20,
    check: 'rosters',
    roster: (roster, number) =>
      number === 2
        ? {
            ...roster,
            changes: roster.members
              .filter(member => !member.established && !member.referee)
              .map(({ volunteer }) => ({ type: 'graduated' as const, volunteer })),
          }
        : roster,
  },
  'leaves a volunteer out of the roster': {
    jobs: 20,
    check: 'rosters',
    roster: (roster, number) => (number === 2 ? { ...roster, members: roster.members.slice(1) } : roster),
  },
  'vouches for a stranger': {
    check: 'rosters',
    roster: (roster, number) =>
      number === 0
        ? {
            ...roster,
            changes: roster.changes.map(change =>
              change.type === 'joined' ? { ...change, vouched: 'founder' as const } : change,
            ),
          }
        : roster,
  },
  'checks volunteers by another job than it says': {
    jobs: 20,
    check: 'decisions',
    says: /it does not ask for what job [0-9a-f]{64} asked for/,
    options: { known: 1_000, lies: 0, wobbles: 0 },
    again: task => ({ ...task, job: { ...task.job, profile: { ...task.job.profile, hashSeed: 1 } } }),
  },
  'hides a report by calling its file a sample': {
    check: 'policy',
    says: /a file of the index is said to be a bundled sample/,
    task: (task, job) => (job === 5 ? { ...task, sample: true } : task),
  },
  'says that a job was on a sample': {
    check: 'decisions',
    says: /it ended sample, and its task is not on a sample/,
    close: (close, job) => (job === 5 ? { ...close, outcome: 'sample' } : close),
  },
  'hides that a referee did not bear a report out': {
    jobs: 30,
    needs: ['audited'],
    check: 'book',
    says: /its consequences are not what follows/,
    options: { lies: 1_000, sleeps: 12, ring: 6, audits: 1_000 },
    close: close => ({ ...close, changes: close.changes.filter(change => change.type !== 'audited') }),
  },
  'accepts another answer': {
    check: 'decisions',
    close: (close, job) => (job === 5 ? { ...close, accepted: sha256('other') } : close),
  },
  'accepts one answer of a job that does not repeat': {
    jobs: 20,
    check: 'decisions',
    options: { wobbles: 1_000 },
    close({ ...close }) {
      const [seat] = close.seats
      return close.outcome === 'flaky' && seat?.answer
        ? { ...close, outcome: 'accepted', accepted: seat.answer }
        : close
    },
  },
  'ends a job twice': {
    check: 'decisions',
    after(maker, { close }, job) {
      if (job === 5) maker.appendDocument('close', { ...close, reason: 'again' })
    },
  },
  'withholds a job that has ended': {
    check: 'documents',
    after(maker, { close }, job) {
      if (job === 5) maker.files.delete(`document/${maker.entries[close.task]?.id}`)
    },
  },
  'shows another document': {
    check: 'documents',
    after(maker, { close }, job) {
      if (job === 5) maker.files.set(`document/${maker.entries[close.task]?.id}`, Buffer.from('{}'))
    },
  },
  'takes an answer after the end': {
    check: 'completeness',
    async after(maker, { task }, job) {
      if (job !== 5) return
      const { envelope } = await answerFrom(ring[0] ?? '', task.job, true)
      maker.appendRaw('raw', envelope, task.job)
      maker.showEnvelope(envelope)
    },
  },
  'withdraws a report without cause': {
    check: 'withdrawals',
    after(maker, { close }, job) {
      const { report } = close
      if (job === 5 && report)
        maker.appendDocument('withdrawal', {
          schema: 'pyti.withdrawal/1',
          job: close.job,
          report,
          because: close.job,
        })
    },
  },
  'swaps the answers of two volunteers': {
    check: 'raw-data',
    close(close, job) {
      const [one, other, ...rest] = close.seats
      if (job !== 5 || !one?.attestation || !other?.attestation) return close
      const swapped = [
        { ...one, attestation: other.attestation },
        { ...other, attestation: one.attestation },
      ]
      return { ...close, seats: [...swapped, ...rest] }
    },
  },
}
