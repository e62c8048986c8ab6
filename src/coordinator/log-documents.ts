import { type Document, documentId, readDocument } from '../attest/documents.ts'
import type { Entry, EntryKind } from '../attest/log/entry.ts'
import { parseEntry } from '../attest/log/entry.ts'
import { PytiError } from '../errors.ts'
import type { Write } from '../store/store.ts'
import { canonicalBytes } from '../wire/canonical.ts'
import type { Ledger } from './ledger.ts'
import type { Records } from './records.ts'

/** What goes into the log, and into the same batch of the store. */
export interface Logged {
  writes: Write[]
  entries: Entry[]
}

/**
 * A document as a leaf.
 * @param shown whether anybody may see it at once; else `showing` has to follow
 */
export function logged(
  records: Records,
  kind: Exclude<EntryKind, 'raw' | 'report'>,
  document: Document,
  shown = true,
): Logged {
  const id = documentId(document)
  const writes = [records.documents.put(id, document)]
  return { writes: shown ? [...writes, showing(records, id)] : writes, entries: [{ kind, id }] }
}

/** Lets everybody see a document or an attestation from now on. */
export function showing(records: Records, id: string): Write {
  return records.outbox.put(id, {})
}

/** Documents of these kinds, in the order of the log. */
export async function* documentsOf(
  ledger: Ledger,
  records: Records,
  kinds: readonly EntryKind[],
): AsyncGenerator<{ index: number; document: Document }> {
  let index = 0
  for await (const bytes of ledger.entries(0, ledger.size())) {
    const { kind, id } = parseEntry(bytes)
    if (kinds.includes(kind)) yield { index, document: await documentFrom(records, id) }
    index += 1
  }
}

/** @throws PytiError `store-damaged` */
export async function documentFrom(records: Records, id: string): Promise<Document> {
  const value = await records.documents.get(id)
  if (value === undefined)
    throw new PytiError('store-damaged', `the document ${id} of the log is not there`, {
      hint: 'put back a copy of the data directory',
    })
  return readDocument(canonicalBytes(value))
}
