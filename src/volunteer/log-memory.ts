import { z } from 'zod'
import { parseCheckpoint } from '../attest/log/checkpoint.ts'
import { parseNote } from '../attest/log/note.ts'
import { PytiError } from '../errors.ts'

/** What a volunteer remembers over restarts; every store of ours fits. A batch is atomic and on disk when it resolves. */
export interface Memory {
  get(key: string): Promise<unknown>
  batch(
    writes: ({ type: 'put'; key: string; value: unknown } | { type: 'delete'; key: string })[],
  ): Promise<void>
  entries(prefix: string): AsyncIterable<[string, unknown]>
}

/** Where evidence is put for people to find and send on. */
export interface Evidence {
  /**
   * A new file, on disk when the promise resolves.
   * @returns its path; undefined when there is one of that name already
   */
  write(name: string, text: string): Promise<string | undefined>
}

/** A checkpoint of the log that the log itself signed; `note` is empty for the tree without leaves. */
export interface Head {
  readonly note: string
  readonly size: number
  readonly root: Uint8Array
}

/** Why nothing is done for this coordinator any more. `key` is that of the log it was about. */
const Fault = z.strictObject({ key: z.string(), code: z.string(), message: z.string(), hint: z.string() })
export type Fault = z.infer<typeof Fault>

/** An attestation handed in and not proven to be in the log yet. `receipt` is left out when what came was none. */
const Promised = z.strictObject({
  entry: z.string(),
  receipt: z.string().optional(),
  /** Seconds since 1970. */
  mergeBy: z.int(),
  warned: z.boolean(),
})
export type Promised = z.infer<typeof Promised>

/** The part of the memory that is about one coordinator's log. */
export interface LogMemory {
  key(): Promise<string | undefined>
  head(): Promise<Head | undefined>
  fault(): Promise<Fault | undefined>
  /** Another key than before; the head goes with the key unless `continues`. */
  pin(key: string, continues: boolean): Promise<void>
  keepHead(note: string): Promise<void>
  keepFault(fault: Fault): Promise<void>
  promised(): AsyncIterable<[attestation: string, Promised]>
  promise(attestation: string, promised: Promised): Promise<void>
  /** The proof takes the place of the receipt. */
  honoured(attestation: string, proof: string): Promise<void>
  /** Evidence of it was written. */
  broken(attestation: string, promised: Promised): Promise<void>
  proof(attestation: string): Promise<string | undefined>
}

const Text = z.string()

/** Reading throws PytiError `store-damaged` for what cannot have been written here. */
export function openLogMemory(memory: Memory, coordinator: string): LogMemory {
  const at = (name: string) => `log/${coordinator}/${name}`
  const read = async <T>(name: string, schema: z.ZodType<T>): Promise<T | undefined> => {
    const value = await memory.get(at(name))
    return value === undefined ? undefined : checked(at(name), value, schema)
  }
  const put = (name: string, value: unknown) => ({ type: 'put' as const, key: at(name), value })
  const remove = (name: string) => ({ type: 'delete' as const, key: at(name) })
  return {
    key: () => read('key', Text),
    fault: () => read('fault', Fault),
    proof: attestation => read(`proof/${attestation}`, Text),
    async head() {
      const note = await read('head', Text)
      return note === undefined ? undefined : headOf(note)
    },
    async pin(key, continues) {
      const old = continues ? undefined : await read('head', Text)
      const moved = old === undefined ? [] : [remove('head'), put(`former/${headOf(old).size}`, old)]
      await memory.batch([put('key', key), ...moved])
    },
    keepHead: note => memory.batch([put('head', note)]),
    keepFault: fault => memory.batch([put('fault', fault)]),
    async *promised() {
      const prefix = at('receipt/')
      for await (const [key, value] of memory.entries(prefix))
        yield [key.slice(prefix.length), checked(key, value, Promised)]
    },
    promise: (attestation, promised) => memory.batch([put(`receipt/${attestation}`, promised)]),
    honoured: (attestation, proof) =>
      memory.batch([remove(`receipt/${attestation}`), put(`proof/${attestation}`, proof)]),
    broken: (attestation, promised) =>
      memory.batch([remove(`receipt/${attestation}`), put(`broken/${attestation}`, promised)]),
  }
}

/** Its signature was checked before it was kept. */
function headOf(note: string): Head {
  return { note, ...parseCheckpoint(parseNote(note).text) }
}

function checked<T>(key: string, value: unknown, schema: z.ZodType<T>): T {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  throw new PytiError('store-damaged', `the stored value of ${key} does not have the expected form`, {
    hint: 'put back a copy of the data folder; a program of another version may have written this one',
    cause: parsed.error,
  })
}
