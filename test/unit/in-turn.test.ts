import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { z } from 'zod'
import { inTurn } from '../../src/coordinator/in-turn.ts'
import { createMemoryStore } from '../../src/store/memory.ts'
import { createRepository } from '../../src/store/repository.ts'

async function notes(count: number) {
  const store = createMemoryStore()
  const repository = createRepository(store, 'note/', z.number())
  const ids = Array.from({ length: count }, (_, n) => `n${n}`)
  await store.batch(ids.map((id, n) => repository.put(id, n)))
  return { store, repository, ids: ids.sort() }
}

describe('taking notes in turn', () => {
  it('looks at every one before it looks at one again, whether they go or stay', async () => {
    const { store, repository, ids } = await notes(10)
    const next = inTurn(repository, 4)
    const seen: string[] = []
    for (let look = 0; look < 3; look += 1)
      for (const [id] of await next()) {
        seen.push(id)
        if (id === 'n2') await store.batch([repository.remove(id)])
      }
    assert.deepEqual(seen, ids)
    assert.deepEqual(await next(), [
      ['n0', 0],
      ['n1', 1],
      ['n3', 3],
      ['n4', 4],
    ])
  })

  it('comes round after a last look that was full, and finds what came meanwhile', async () => {
    const { store, repository, ids } = await notes(4)
    const next = inTurn(repository, 4)
    assert.equal((await next()).length, ids.length)
    await store.batch([repository.put('m', 9)])
    assert.deepEqual(await next(), [])
    assert.deepEqual((await next())[0], ['m', 9])
  })
})
