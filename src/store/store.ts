/** One change of a batch. Keys are text; values are JSON. */
export type Write = { type: 'put'; key: string; value: unknown } | { type: 'delete'; key: string }

/** Ordered key-value store. A batch is atomic and on disk when its promise resolves. */
export interface Store {
  get(key: string): Promise<unknown>
  batch(writes: Write[]): Promise<void>
  /** Entries whose key starts with `prefix`, in key order; of these only such as come after the key `after`. */
  entries(
    prefix: string,
    options?: { reverse?: boolean; limit?: number; after?: string },
  ): AsyncIterable<[string, unknown]>
  close(): Promise<void>
}

/** Content-addressed bytes on disk, named by SHA-256. */
export interface BlobStore {
  size(sha256: string): Promise<number | undefined>
  read(sha256: string, offset: number, length: number): Promise<Uint8Array>
  /**
   * Stores what the source yields under `sha256`; an interrupted write leaves nothing behind.
   * @throws PytiError `blob-corrupt` when the bytes do not have that digest
   */
  put(sha256: string, source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void>
  /** Absolute path of a stored blob, for handing to a VM or a parser. */
  path(sha256: string): string
  delete(sha256: string): Promise<void>
}
