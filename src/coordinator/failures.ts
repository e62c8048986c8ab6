import type { SeatEnd, StoredJob } from './state.ts'

const words: Record<SeatEnd, string> = {
  'vm-crash': 'guests crashed',
  'vm-unavailable': 'volunteers could not start a guest',
  'image-unavailable': 'volunteers lacked the guest image',
  'host-out-of-memory': 'hosts ran out of memory',
  'host-out-of-disk': 'hosts ran out of disk',
  'index-unavailable': 'volunteers could not reach the index',
  'file-missing': 'volunteers did not find the file',
  'hash-mismatch': 'volunteers got other bytes',
  'dependency-unavailable': 'volunteers could not get a dependency',
  shutdown: 'volunteers shut down',
  internal: 'volunteers failed',
  deadline: 'deadlines passed',
  disconnected: 'volunteers disconnected',
  restarted: 'volunteers restarted',
  dismissed: 'referees were none any more',
  'job-ended': 'seats were no longer needed',
}

/** Sums up, most frequent first, why seats of a job gave no raw data: `3 of 4 guests crashed; 1 of 4 ...`. */
export function describeFailures(record: StoredJob): string {
  const counts = new Map<SeatEnd, number>()
  let last: string | undefined
  for (const seat of record.seats)
    if (seat.state === 'lost' || seat.state === 'released') {
      counts.set(seat.end, (counts.get(seat.end) ?? 0) + 1)
      last = seat.detail ?? last
    }
  const summary = [...counts]
    .sort(([a, m], [b, n]) => n - m || a.localeCompare(b))
    .map(([end, count]) => `${count} of ${record.seats.length} ${words[end]}`)
    .join('; ')
  return last === undefined ? summary : `${summary}; the last one said: ${last.slice(0, 300)}`
}

/** A complaint about the file itself that enough distinct volunteers share. */
export function sharedComplaint(record: StoredJob, enough: number): SeatEnd | undefined {
  return (['hash-mismatch', 'file-missing'] as const).find(complaint => {
    const by = new Set<string>()
    for (const seat of record.seats)
      if (seat.state === 'released' && seat.end === complaint) by.add(seat.volunteer)
    return by.size >= enough
  })
}
