import { it } from 'node:test'
import fc from 'fast-check'
import { isCode, PytiError } from '../../src/errors.ts'

/** One seed gives the same inputs on every machine: PYTI_FUZZ_SEED=... repeats a run that failed elsewhere. */
export const fuzzSeed = Number(process.env.PYTI_FUZZ_SEED ?? 20_261_120)
/** How many times as many inputs as in `npm test`. */
const factor = Number(process.env.PYTI_FUZZ_RUNS ?? 1)
/** An input that small takes microseconds; this is how long one takes that would not end. */
const hangMs = 10_000

/** One test: `use` must hold for `runs` inputs (times PYTI_FUZZ_RUNS). A failure names seed, path and smallest input. */
export function fuzz<T>(
  name: string,
  input: fc.Arbitrary<T>,
  runs: number,
  use: (value: T) => void | Promise<void>,
): void {
  const numRuns = Math.ceil(runs * factor)
  it(name, async test => {
    let slowest = 0
    await fc.assert(
      fc.asyncProperty(input, async value => {
        const begun = performance.now()
        await endsInTime(use, value)
        slowest = Math.max(slowest, performance.now() - begun)
      }),
      { seed: fuzzSeed, numRuns, endOnFailure: factor > 1 },
    )
    test.diagnostic(`seed ${fuzzSeed}, ${numRuns} inputs, the slowest took ${slowest.toFixed(0)} ms`)
  })
}

async function endsInTime<T>(use: (value: T) => void | Promise<void>, value: T): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const begun = performance.now()
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${hangMs} ms`)), hangMs)
  })
  try {
    await Promise.race([use(value), late])
  } finally {
    clearTimeout(timer)
  }
  if (performance.now() - begun > hangMs) throw new Error(`took more than ${hangMs} ms`)
}

/** What a parser made of an input: its value, or the code it refused it with. */
export type Outcome<T> = { value: T; refused?: undefined } | { value?: undefined; refused: string }

/** Runs a parser, which may only refuse with one of these codes and a message that fits a log line. */
export async function outcomeOf<T>(codes: string[], parse: () => T | Promise<T>): Promise<Outcome<T>> {
  try {
    return { value: await parse() }
  } catch (error) {
    if (!isCode(error, ...codes)) throw error
    if (error.message.length > 3_000)
      throw new Error(`a refusal of ${error.message.length} characters`, { cause: error })
    return { refused: error.code }
  }
}

/** The code of the refusal, which there must be. */
export async function refusalOf(parse: () => unknown): Promise<string> {
  try {
    await parse()
  } catch (error) {
    if (error instanceof PytiError) return error.code
    throw error
  }
  throw new Error('it was accepted')
}

type Edit = { at: number; kind: number; byte: number; length: number; other: number }

const edits = fc.array(
  fc.record<Edit>({
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    kind: fc.nat(7),
    byte: fc.nat(255),
    length: fc.nat(40),
    other: fc.double({ min: 0, max: 1, noNaN: true }),
  }),
  { minLength: 1, maxLength: 5 },
)

/** Real inputs with bits flipped and pieces cut, inserted, doubled or taken from another one; and some noise. */
export function mutatedBytes(samples: readonly Uint8Array[]): fc.Arbitrary<Uint8Array> {
  const mutated = fc
    .tuple(fc.nat(samples.length - 1), fc.nat(samples.length - 1), edits)
    .map(([index, donor, list]) =>
      list.reduce(
        (bytes, edit) => applyEdit(bytes, edit, samples[donor] ?? bytes),
        samples[index] ?? new Uint8Array(),
      ),
    )
  return fc.oneof(
    { weight: 9, arbitrary: mutated },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }) },
  )
}

const oddBytes = [0, 1, 10, 13, 32, 34, 45, 92, 127, 128, 255]

function applyEdit(
  bytes: Uint8Array,
  { at, kind, byte, length, other }: Edit,
  donor: Uint8Array,
): Uint8Array {
  const start = Math.min(Math.floor(at * bytes.length), Math.max(0, bytes.length - 1))
  const before = bytes.subarray(0, start)
  const piece = bytes.subarray(start, start + length)
  const after = bytes.subarray(start + length)
  switch (kind) {
    case 0: {
      const flipped = Uint8Array.from(bytes)
      flipped[start] = (flipped[start] ?? 0) ^ (1 << (byte % 8))
      return flipped
    }
    case 1:
      return Buffer.concat([before, after])
    case 2:
      return before
    case 3:
      return Buffer.concat([before, Buffer.alloc(length + 1, byte), bytes.subarray(start)])
    case 4:
      return Buffer.concat([before, piece, piece, after])
    case 5: {
      const from = Math.floor(other * donor.length)
      return Buffer.concat([before, donor.subarray(from, from + 8 * length), after])
    }
    case 6: {
      const changed = Uint8Array.from(bytes)
      changed[start] = oddBytes[byte % oddBytes.length] ?? byte
      return changed
    }
    default: {
      const changed = Uint8Array.from(bytes)
      for (let index = start; index < Math.min(start + 4, changed.length); index += 1)
        changed[index] = byte % 2 === 0 ? 255 : 0
      return changed
    }
  }
}

/** The same for text; `tokens` are what the grammar is made of. */
export function mutatedText(samples: readonly string[], tokens: readonly string[]): fc.Arbitrary<string> {
  const buffers = samples.map(text => Buffer.from(text))
  const noise = fc.array(fc.oneof(fc.constantFrom(...tokens), fc.constantFrom(...oddTexts)), {
    maxLength: 60,
  })
  const woven = fc
    .tuple(fc.constantFrom(...samples), fc.double({ min: 0, max: 1, noNaN: true }), noise, fc.nat(30))
    .map(([text, at, inserted, cut]) => {
      const start = Math.floor(at * text.length)
      return text.slice(0, start) + inserted.join('') + text.slice(start + cut)
    })
  return fc.oneof(
    woven,
    mutatedBytes(buffers).map(bytes => Buffer.from(bytes).toString('utf8')),
    noise.map(list => list.join('')),
  )
}

const oddTexts = [
  '\0',
  '\r',
  '\r\n',
  '\n',
  '\u2028',
  '\ufeff',
  '\ud800',
  '😀',
  'é',
  ' '.repeat(50),
  '1'.repeat(300),
]

const oddValues: unknown[] = [
  null,
  true,
  -1,
  0,
  1.5,
  2 ** 53,
  1e300,
  '',
  '-',
  'a'.repeat(1_500),
  '\u0000',
  '\ud800',
  '😀'.repeat(300),
  '__proto__',
  [],
  {},
  [[[[]]]],
]

/** JSON values with fields left out, added, renamed, doubled, and values replaced by odd ones or by those of another field. */
export function mutatedJson(samples: readonly unknown[]): fc.Arbitrary<unknown> {
  const change = fc.record({
    at: fc.nat(10_000),
    kind: fc.nat(5),
    odd: fc.oneof(fc.constantFrom(...oddValues), fc.jsonValue({ maxDepth: 2 })),
    from: fc.nat(10_000),
  })
  return fc
    .tuple(fc.constantFrom(...samples), fc.array(change, { minLength: 1, maxLength: 3 }))
    .map(([sample, changes]) => {
      const root: { value: unknown } = { value: structuredClone(sample) }
      for (const { at, kind, odd, from } of changes) {
        const places = placesIn(root)
        const place = places[at % places.length]
        const donor = places[from % places.length]
        if (place && donor) changeAt(place, kind, structuredClone(kind === 1 ? donor.get() : odd))
      }
      return root.value
    })
}

interface Place {
  get(): unknown
  set(value: unknown): void
  remove(): void
}

function placesIn(holder: object): Place[] {
  const places: Place[] = []
  for (const key of Object.keys(holder)) {
    places.push({
      get: () => Reflect.get(holder, key),
      set: value =>
        Object.defineProperty(holder, key, { value, enumerable: true, writable: true, configurable: true }),
      remove: () => {
        if (Array.isArray(holder)) holder.splice(Number(key), 1)
        else if (key !== 'value' || Object.keys(holder).length > 1) Reflect.deleteProperty(holder, key)
      },
    })
    const value: unknown = Reflect.get(holder, key)
    if (typeof value === 'object' && value !== null) places.push(...placesIn(value))
  }
  return places
}

function changeAt(place: Place, kind: number, value: unknown): void {
  const before = place.get()
  if (kind === 2) place.remove()
  else if (kind === 3 && typeof before === 'object' && before !== null && !Array.isArray(before))
    Object.defineProperty(before, typeof value === 'string' ? value : 'more', {
      value,
      enumerable: true,
      writable: true,
      configurable: true,
    })
  else if (kind === 3 && Array.isArray(before)) before.push(value)
  else if (kind === 4 && typeof before === 'number') place.set(before + 1)
  else if (kind === 4 && typeof before === 'string') place.set(`${before.slice(1)}${before.slice(0, 1)}`)
  else place.set(value)
}

/** Cuts bytes into chunks of odd lengths, as a socket does. */
export async function* chunked(bytes: Uint8Array, lengths: readonly number[]): AsyncGenerator<Buffer> {
  for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
    const length = Math.max(1, lengths[turn % Math.max(1, lengths.length)] ?? 64)
    yield Buffer.from(bytes.subarray(at, at + length))
    at += length
  }
}
