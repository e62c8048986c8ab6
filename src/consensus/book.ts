/**
 * What volunteers have earned, as a sequence of changes: whoever replays the changes of the log has the same book
 * (volunteer-compute.md 7.3). Credibility only excludes and weighs; it never makes a seat superfluous.
 */
import { addCheck, afterStrike, checksOn, type Standing } from './credibility.ts'
import type { RunResult } from './run-result.ts'

export type Vouched = 'founder' | 'referee'

export interface Member {
  readonly volunteer: string
  readonly operator: string
  /** Network it was first seen in: IPv4 /24, IPv6 /48; empty when that says nothing, as for loopback. */
  readonly network: string
  readonly vouched?: Vouched | undefined
  /** Day it came: whole days since the Unix epoch. */
  readonly since: number
  readonly standing: Standing
  /** Answers of settled jobs. */
  readonly votes: number
  readonly strikes: number
  /** Whether its answers count. */
  readonly graduated: boolean
  readonly banned?: 'ring' | 'strikes' | undefined
  /** Shared with others it answered alike with where both were refuted or alone. */
  readonly alike: readonly string[]
}

export type Change =
  | { type: 'joined'; volunteer: string; operator: string; network: string; vouched?: Vouched | undefined }
  /** Somebody vouches for a volunteer that was here before. */
  | { type: 'vouched'; volunteer: string; as: Vouched }
  /** `checked`: others bore it out; `open`: nobody can say. */
  | { type: 'answered'; volunteer: string; result: 'checked' | 'refuted' | 'open' }
  | { type: 'graduated'; volunteer: string }
  | { type: 'banned'; volunteer: string; why: 'ring' | 'strikes' }
  /** Two volunteers stood alone together; from the second time on they are taken for one. */
  | { type: 'alike'; pair: readonly [string, string] }
  /**
   * They gave one refuted answer that would have been a report had nobody else been asked, or that is one and a referee did not
   * come to it: a ring, or a job that does not repeat.
   */
  | { type: 'suspected'; job: string; answer: string; intake: string; volunteers: readonly string[] }
  /** A referee ran a suspected job again, or could not. */
  | { type: 'tried'; job: string; result: RunResult | 'unresolved'; referee?: string }
  /** A live report, or what is said of a sample: the volunteers it rests on, their answer and its intake, comparable across jobs. */
  | { type: 'rests-on'; job: string; winners: readonly string[]; answer: string; intake: string }
  /** A referee ran the job of a live report again. */
  | { type: 'audited'; job: string; result: RunResult }
  | { type: 'withdrawn'; job: string }

/** What a founder is credited with; without work it falls below `establishedChecks` in 90 days. */
const vouchedChecks = 40_000
export const establishedChecks = 20_000
export const establishedDays = 14
/** The established pool may grow by this much a week, in per cent of what it was at first, and by one in any case. */
const growthPerCent = 5
const strikesMax = 4
/** A ban for strikes needs more than this share of refuted answers: 1 in 25. */
const strikeShare = 25
/** Times two volunteers stand alone together until they are taken for one. */
export const aloneTogetherMax = 2
/** Newest tags of a member that are kept: a roster holds 100 with operator and network. */
const alikeMax = 90

/** A group that may be a ring, while referees run its job again. */
export interface Suspicion {
  readonly job: string
  /** Comparable across jobs: `acrossJobs`. */
  readonly answer: string
  /** Digest of what went into the guest where nobody is suspected. */
  readonly intake: string
  readonly volunteers: readonly string[]
  /** Whose run did not bear it out, once for each. */
  readonly refutedBy: readonly string[]
  /** Runs that came to nothing. */
  readonly unresolved: number
}

/**
 * Referee runs, besides those of the job, that must all refute a group before it counts as a ring: of a job that gives its
 * other answer three times in ten, five runs miss it once in six times, thirty once in forty thousand.
 */
export const ringRuns = 25
/** Runs that may come to nothing, as when the index has the file no more, until nobody is suspected any longer. */
const unresolvedMax = 10

export interface LiveReport {
  readonly winners: readonly string[]
  /** Comparable across jobs: `acrossJobs`. */
  readonly answer: string
  /** Digest of what went into the guest. */
  readonly intake: string
  /** Place among all reports. */
  readonly order: number
  readonly audited: boolean
}

export class Book {
  readonly #members = new Map<string, Member>()
  readonly #byOperator = new Map<string, Set<string>>()
  readonly #reports = new Map<string, LiveReport>()
  readonly #won = new Map<string, Set<string>>()
  readonly #aloneTogether = new Map<string, number>()
  readonly #risky = new Map<string, number>()
  readonly #suspicions = new Map<string, Suspicion>()
  #reportsMade = 0
  #week = 0
  #graduatedThisWeek = 0
  /** Established before anybody graduated this week. */
  #poolThisWeek = 0

  member(volunteer: string): Member | undefined {
    return this.#members.get(volunteer)
  }

  members(): IterableIterator<Member> {
    return this.#members.values()
  }

  /** Members of one operator, itself included. */
  operatedWith(volunteer: string): string[] {
    const operator = this.#members.get(volunteer)?.operator
    return operator === undefined ? [volunteer] : [...(this.#byOperator.get(operator) ?? [])]
  }

  /** Whether its answers count today. */
  isEstablished({ graduated, banned, standing }: Member, today: number): boolean {
    return graduated && banned === undefined && checksOn(standing, today) >= establishedChecks
  }

  /** Live reports that rest on any of the volunteers, with how many of their winners are banned. */
  restingOn(volunteers: readonly string[]): { job: string; winners: readonly string[]; banned: number }[] {
    const jobs = new Set(volunteers.flatMap(volunteer => [...(this.#won.get(volunteer) ?? [])]))
    return [...jobs].sort().flatMap(job => {
      const report = this.#reports.get(job)
      return report ? [{ job, winners: report.winners, banned: this.#bannedOf(report.winners) }] : []
    })
  }

  /**
   * The live report with the largest share of banned winners that no referee has run again nor is `asked` to, if there is one.
   * Among equals the oldest: then most of those who are banned by now still had seats.
   */
  riskiest(asked: ReadonlySet<string> = new Set()): string | undefined {
    let worst: { job: string; share: number; order: number } | undefined
    for (const [job, share] of this.#risky) {
      if (asked.has(job) || (worst && share < worst.share)) continue
      const order = this.#reports.get(job)?.order ?? 0
      if (!worst || share > worst.share || order < worst.order) worst = { job, share, order }
    }
    return worst?.job
  }

  /** The report of a job, while it holds. */
  report(job: string): LiveReport | undefined {
    return this.#reports.get(job)
  }

  aloneTogether(pair: readonly [string, string]): number {
    return this.#aloneTogether.get(pair.join()) ?? 0
  }

  /** Whether the policy names it as a referee. */
  isReferee(volunteer: string): boolean {
    return this.#members.get(volunteer)?.vouched === 'referee'
  }

  /**
   * A policy was logged: whoever it does not name is a referee no more. It begins as a newcomer, as nobody vouches for it, and
   * what it said convicts nobody who was not convicted by then. Everything else it did stays.
   * @param named all referees of the policy
   * @returns whom it no longer names
   */
  keepReferees(named: readonly string[]): string[] {
    const gone = [...this.#members.keys()].filter(one => this.isReferee(one) && !named.includes(one))
    for (const volunteer of gone)
      this.#update(volunteer, ({ standing: { day }, ...member }) => ({
        ...member,
        vouched: undefined,
        graduated: false,
        standing: { checks: 0, day },
      }))
    for (const [job, suspicion] of this.#suspicions)
      this.#suspicions.set(job, {
        ...suspicion,
        refutedBy: suspicion.refutedBy.filter(one => !gone.includes(one)),
      })
    return gone
  }

  /** Groups that may be rings and are being looked into. */
  suspicions(): IterableIterator<Suspicion> {
    return this.#suspicions.values()
  }

  suspicion(job: string): Suspicion | undefined {
    return this.#suspicions.get(job)
  }

  /** How many newcomers may still graduate in the week of `today`. */
  graduationsLeft(today: number): number {
    const isSameWeek = this.#week === weekOf(today)
    const pool = isSameWeek ? this.#poolThisWeek : this.#establishedOn(today)
    const used = isSameWeek ? this.#graduatedThisWeek : 0
    return Math.max(0, Math.max(1, Math.floor((pool * growthPerCent) / 100)) - used)
  }

  /** @param today whole days since the Unix epoch */
  apply(change: Change, today: number): void {
    switch (change.type) {
      case 'joined':
        this.#join(change, today)
        break
      case 'vouched':
        this.#update(change.volunteer, member => ({
          ...member,
          vouched: change.as,
          graduated: true,
          standing: { checks: Math.max(vouchedChecks, checksOn(member.standing, today)), day: today },
        }))
        break
      case 'answered':
        this.#update(change.volunteer, member => answered(member, change.result, today))
        break
      case 'graduated':
        this.#graduate(change.volunteer, today)
        break
      case 'banned':
        this.#ban(change.volunteer, change.why)
        break
      case 'alike':
        this.#sawAlone(change.pair)
        break
      case 'suspected': {
        const { type: _, ...of } = change
        this.#suspicions.set(change.job, { ...of, refutedBy: [], unresolved: 0 })
        break
      }
      case 'tried':
        this.#tryAgain(change)
        break
      case 'rests-on':
        this.#addReport(change)
        break
      case 'audited':
        this.#audit(change.job)
        break
      case 'withdrawn':
        for (const winner of this.#reports.get(change.job)?.winners ?? [])
          this.#wonBy(winner).delete(change.job)
        this.#reports.delete(change.job)
        this.#risky.delete(change.job)
        break
    }
  }

  #join({ volunteer, operator, network, vouched }: Extract<Change, { type: 'joined' }>, today: number): void {
    if (this.#members.has(volunteer)) return
    const graduated = vouched !== undefined
    const standing = { checks: graduated ? vouchedChecks : 0, day: today }
    const member = { volunteer, operator, network, vouched, since: today, standing, graduated }
    this.#members.set(volunteer, { ...member, votes: 0, strikes: 0, alike: [] })
    const others = this.#byOperator.get(operator) ?? new Set()
    this.#byOperator.set(operator, others.add(volunteer))
  }

  #graduate(volunteer: string, today: number): void {
    if (this.#week !== weekOf(today)) {
      this.#poolThisWeek = this.#establishedOn(today)
      this.#week = weekOf(today)
      this.#graduatedThisWeek = 0
    }
    this.#graduatedThisWeek += 1
    this.#update(volunteer, member => ({ ...member, graduated: true }))
  }

  #ban(volunteer: string, why: 'ring' | 'strikes'): void {
    const member = this.#members.get(volunteer)
    if (!member || member.banned !== undefined) return
    this.#members.set(volunteer, { ...member, banned: why })
    for (const { job, winners, banned } of this.restingOn([volunteer])) this.#weighRisk(job, winners, banned)
  }

  #tryAgain({ job, result, referee = '' }: Extract<Change, { type: 'tried' }>): void {
    const suspicion = this.#suspicions.get(job)
    if (!suspicion) return
    const next = {
      ...suspicion,
      refutedBy: result === 'refuted' ? [...suspicion.refutedBy, referee] : suspicion.refutedBy,
      unresolved: suspicion.unresolved + (result === 'unresolved' ? 1 : 0),
    }
    const isOver =
      result === 'borne-out' ||
      result === 'other-intake' ||
      next.refutedBy.length >= ringRuns ||
      next.unresolved >= unresolvedMax
    if (isOver) this.#suspicions.delete(job)
    else this.#suspicions.set(job, next)
  }

  #addReport({ job, winners, answer, intake }: Extract<Change, { type: 'rests-on' }>): void {
    this.#reports.set(job, { winners, answer, intake, order: this.#reportsMade++, audited: false })
    for (const winner of winners) this.#wonBy(winner).add(job)
    this.#weighRisk(job, winners, this.#bannedOf(winners))
  }

  #audit(job: string): void {
    const report = this.#reports.get(job)
    if (report) this.#reports.set(job, { ...report, audited: true })
    this.#risky.delete(job)
  }

  #sawAlone(pair: readonly [string, string]): void {
    const times = this.aloneTogether(pair) + 1
    this.#aloneTogether.set(pair.join(), times)
    if (times !== aloneTogetherMax) return
    for (const volunteer of pair)
      this.#update(volunteer, member => ({
        ...member,
        alike: [...member.alike, `alike:${pair.join()}`].slice(-alikeMax),
      }))
  }

  /** Notes a live report that rests on somebody who is banned. */
  #weighRisk(job: string, winners: readonly string[], banned: number): void {
    if (banned > 0 && this.#reports.get(job)?.audited === false) this.#risky.set(job, banned / winners.length)
  }

  /** Referees have no ordinary seats, so they are none of the pool. */
  #establishedOn(today: number): number {
    let count = 0
    for (const member of this.#members.values())
      if (member.vouched !== 'referee' && this.isEstablished(member, today)) count += 1
    return count
  }

  #bannedOf(winners: readonly string[]): number {
    return winners.filter(winner => this.#members.get(winner)?.banned !== undefined).length
  }

  #wonBy(volunteer: string): Set<string> {
    const jobs = this.#won.get(volunteer) ?? new Set()
    this.#won.set(volunteer, jobs)
    return jobs
  }

  #update(volunteer: string, change: (member: Member) => Member): void {
    const member = this.#members.get(volunteer)
    if (member) this.#members.set(volunteer, change(member))
  }
}

function answered(member: Member, result: 'checked' | 'refuted' | 'open', today: number): Member {
  const votes = member.votes + 1
  if (result === 'open') return { ...member, votes }
  if (result === 'checked') return { ...member, votes, standing: addCheck(member.standing, today) }
  return { ...member, votes, strikes: member.strikes + 1, standing: afterStrike(member.standing, today) }
}

/** What two volunteers may not share to sit in one job. The operator's comes first. */
export function tagsOf({ operator, network, alike }: Member): string[] {
  return [`operator:${operator}`, ...(network === '' ? [] : [`network:${network}`]), ...alike]
}

/** Whether this member's strikes are too many. */
export function strikesOut({ strikes, votes }: Member): boolean {
  return strikes >= strikesMax && strikes * strikeShare > votes
}

/** Whether a newcomer has done enough for its answers to count, once the growth of the pool leaves room. */
export function mayGraduate({ graduated, banned, since, standing }: Member, today: number): boolean {
  if (graduated || banned !== undefined || today - since < establishedDays) return false
  return checksOn(standing, today) >= establishedChecks
}

function weekOf(day: number): number {
  return Math.floor(day / 7)
}
