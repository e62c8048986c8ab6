import { PytiError } from '../errors.ts'
import { toJson } from './json.ts'
import type { Store } from './store.ts'

/** Store without a disk, for tests and simulations. Values are kept as JSON text, so that nobody shares objects. */
export function createMemoryStore(): Store {
  const values = new Map<string, string>()
  const keys: string[] = []
  let open = true

  const assertOpen = () => {
    if (!open) throw new PytiError('store-closed', 'the store is closed')
  }
  const put = (key: string, text: string) => {
    if (!values.has(key)) keys.splice(firstAtLeast(keys, key), 0, key)
    values.set(key, text)
  }
  const remove = (key: string) => {
    if (values.delete(key)) keys.splice(firstAtLeast(keys, key), 1)
  }

  return {
    async get(key) {
      assertOpen()
      const text = values.get(key)
      return text === undefined ? undefined : JSON.parse(text)
    },
    async batch(writes) {
      assertOpen()
      // Everything that can fail comes first: a batch happens wholly or not at all.
      const prepared = writes.map(write => ({
        key: write.key,
        text: write.type === 'put' ? toJson(write.key, write.value) : undefined,
      }))
      for (const { key, text } of prepared) text === undefined ? remove(key) : put(key, text)
    },
    async *entries(prefix, options = {}) {
      assertOpen()
      const { after } = options
      const first = firstAtLeast(keys, prefix)
      const next = after === undefined ? 0 : firstAtLeast(keys, after)
      const from = Math.max(first, keys[next] === after ? next + 1 : next)
      let to = from
      while (keys[to]?.startsWith(prefix)) to += 1
      const found = keys.slice(from, to).map(key => [key, values.get(key) ?? 'null'] as const)
      if (options.reverse) found.reverse()
      for (const [key, text] of found.slice(0, options.limit)) yield [key, JSON.parse(text)]
    },
    async close() {
      open = false
    },
  }
}

/** Binary search: index of the first key that is not smaller. */
function firstAtLeast(keys: string[], key: string): number {
  let low = 0
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((keys[middle] ?? '') < key) low = middle + 1
    else high = middle
  }
  return low
}
