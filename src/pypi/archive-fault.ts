import type { ArchiveFault } from '../wire/raw-data.ts'

/** Ends a look into an archive; never leaves `inspectArchive`. */
export class FaultFound extends Error {
  readonly fault: ArchiveFault
  readonly detail: string

  constructor(fault: ArchiveFault, detail: string) {
    super(`${fault}: ${detail}`)
    this.fault = fault
    this.detail = detail
  }
}
