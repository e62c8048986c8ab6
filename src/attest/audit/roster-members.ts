import { type Book, tagsOf } from '../../consensus/book.ts'
import { checksOn, weightOf } from '../../consensus/credibility.ts'
import type { Machine } from '../../consensus/platform.ts'
import type { RosterMember } from '../documents.ts'

/**
 * Who may be drawn according to the book, sorted by volunteer.
 * @param machines what volunteers say of their machines, which the book does not know
 * @param today whole days since the Unix epoch
 */
export function membersOf(book: Book, machines: ReadonlyMap<string, Machine>, today: number): RosterMember[] {
  return [...book.members()]
    .filter(member => member.banned === undefined)
    .map(member => ({
      volunteer: member.volunteer,
      operator: member.operator,
      tags: tagsOf(member),
      backends: [...(machines.get(member.volunteer)?.backends ?? [])],
      cpu: machines.get(member.volunteer)?.cpu ?? '',
      weight: weightOf(checksOn(member.standing, today)),
      established: book.isEstablished(member, today),
      referee: member.vouched === 'referee',
    }))
    .sort((a, b) => (a.volunteer < b.volunteer ? -1 : 1))
}
