import { MemberCheck } from '../../src/pypi/archive-members.ts'
import { limits } from '../../src/wire/limits.ts'

/** Members as deep as a path may go, and one link: as many as this number. @returns how many were seen */
export function checkDeepMembers(count: number): number {
  const check = new MemberCheck(limits)
  check.add({ name: 'top/link', type: 'symlink', target: 'file', size: 0 })
  for (let number = 0; number < count; number += 1)
    check.add({ name: `top/${'a/'.repeat(2_000)}${number}`, type: 'file', size: 0 })
  check.finish()
  return check.count
}
