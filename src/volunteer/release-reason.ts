import { PytiError } from '../errors.ts'
import { diskTrouble } from '../host-disk.ts'
import type { ReleaseReason } from '../wire/commands.ts'

/** Error codes of the rooms below -> what the coordinator is told. Anything else is `internal`. */
const reasonOf: Record<string, ReleaseReason> = {
  'guest-silent': 'vm-crash',
  'guest-ended': 'vm-crash',
  'guest-timeout': 'vm-crash',
  'bad-frame': 'vm-crash',
  'output-too-large': 'vm-crash',
  'vm-unavailable': 'vm-unavailable',
  'image-missing': 'image-unavailable',
  'image-corrupt': 'image-unavailable',
  'image-unreachable': 'image-unavailable',
  'blob-missing': 'file-missing',
  'blob-corrupt': 'hash-mismatch',
  'file-missing': 'file-missing',
  'project-not-found': 'file-missing',
  'version-not-found': 'file-missing',
  'hash-mismatch': 'hash-mismatch',
  'too-large': 'file-missing',
  'dependency-unavailable': 'dependency-unavailable',
  'index-unreachable': 'index-unavailable',
  'bad-index-page': 'index-unavailable',
  'host-out-of-memory': 'host-out-of-memory',
  shutdown: 'shutdown',
}

export function releaseReasonOf(error: unknown): ReleaseReason {
  if (diskTrouble(error)) return 'host-out-of-disk'
  return (error instanceof PytiError && reasonOf[error.code]) || 'internal'
}
