import { readFile, writeFile } from 'node:fs/promises'

/** Linux' limit on the mappings of one process, for all processes of the host alike. */
const file = '/proc/sys/vm/max_map_count'
/** What Ubuntu 24.04 and Fedora 39 begin with; Debian 12 begins with 65,530. */
export const usualMapCount = 1_048_576
const pagesPerMiB = 256

/** Infinity where it cannot be read. */
export async function readMapCount(): Promise<number> {
  const count = Number.parseInt(await readFile(file, 'utf8').catch(() => ''), 10)
  return Number.isNaN(count) ? Number.POSITIVE_INFINITY : count
}

/**
 * A process of a UML guest is one of the host, and each of its pages whose neighbour lies elsewhere in the guest's memory is a mapping
 * there: with 65,530 of them it is killed as soon as it has about 256 MiB in scattered pages. Where we may, the host is asked for
 * enough, until its next start; elsewhere such a run is given up (see `run-guest.ts`).
 */
export async function allowMappings(guestMiB: number): Promise<void> {
  // Some of the guest's pages are its kernel's own, more than what else a process has mapped.
  const wanted = pagesPerMiB * guestMiB
  if ((await readMapCount()) >= wanted) return
  await writeFile(file, String(Math.max(usualMapCount, wanted))).catch(() => {})
}
