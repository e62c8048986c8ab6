import type { CloseDocument } from '../../src/attest/documents.ts'

/** What the log says of jobs and volunteers, as it is written; `pyti audit` computes all of it again at the end. */
export interface BookModel {
  /** @param raw attestations that the log has for the job of a `close` document */
  onClose(document: CloseDocument, raw: ReadonlySet<string>): void
  /** Jobs that have ended, by the log. */
  readonly closed: ReadonlyMap<string, CloseDocument>
  readonly withdrawn: ReadonlySet<string>
  readonly banned: ReadonlySet<string>
}

export interface BookModelOptions {
  fault(what: string): void
  /** Whether this volunteer, or another one of its operator, ever told a lie. */
  isLiar(volunteer: string): boolean
}

export function createBookModel({ fault, isLiar }: BookModelOptions): BookModel {
  const closed = new Map<string, CloseDocument>()
  const withdrawn = new Set<string>()
  const banned = new Set<string>()

  const onClose = (document: CloseDocument, raw: ReadonlySet<string>) => {
    const { job, seats, changes } = document
    if (closed.has(job)) fault(`job ${job} is closed twice`)
    closed.set(job, document)
    const named = new Set(seats.flatMap(({ attestation }) => attestation ?? []))
    for (const attestation of raw)
      if (!named.has(attestation)) fault(`the end of job ${job} leaves out ${attestation}`)
    for (const attestation of named)
      if (!raw.has(attestation)) fault(`the end of job ${job} names ${attestation}, which is not in the log`)
    for (const change of changes) {
      if (change.type === 'banned' && !isLiar(change.volunteer))
        fault(`${change.volunteer} is banned for nothing`)
      if (change.type === 'banned') banned.add(change.volunteer)
      if (change.type === 'withdrawn') withdrawn.add(change.job)
    }
  }

  return {
    closed,
    withdrawn,
    banned,
    onClose,
  }
}
