import assert from 'node:assert/strict'
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { z } from 'zod'
import { isCode, PytiError } from '../../src/errors.ts'
import { openLevelStore } from '../../src/store/level.ts'
import { createMemoryStore } from '../../src/store/memory.ts'
import { createRepository, sortable } from '../../src/store/repository.ts'
import { checkSchemaVersion, schemaVersion } from '../../src/store/version.ts'
import { collect, runStoreContract } from '../helpers/store-contract.ts'
import { withDirectory } from '../helpers/temporary.ts'

runStoreContract('memory', use => use(createMemoryStore()))
runStoreContract('level', use =>
  withDirectory(async dir => {
    const store = await openLevelStore(join(dir, 'db'))
    try {
      await use(store)
    } finally {
      await store.close()
    }
  }),
)

describe('level store', () => {
  it('keeps its data over a restart', () =>
    withDirectory(async dir => {
      const first = await openLevelStore(dir)
      await first.batch([{ type: 'put', key: 'a', value: { n: 1 } }])
      await first.close()
      const second = await openLevelStore(dir)
      assert.deepEqual(await second.get('a'), { n: 1 })
      await second.close()
    }))

  it('tells a second opener that somebody else is running', () =>
    withDirectory(async dir => {
      const first = await openLevelStore(dir)
      await assert.rejects(openLevelStore(dir), error => {
        assert.ok(isCode(error, 'store-locked'))
        assert.equal(error.message, `another process is running on ${dir}`)
        assert.ok(error.hint)
        return true
      })
      await first.batch([{ type: 'put', key: 'a', value: 1 }])
      await first.close()
    }))

  it('says so when the files are damaged', () =>
    withDirectory(async dir => {
      const store = await openLevelStore(dir)
      await store.batch([{ type: 'put', key: 'a', value: 1 }])
      await store.close()
      for (const name of await readdir(dir))
        if (name.startsWith('MANIFEST')) await writeFile(join(dir, name), 'not a manifest at all')
      await assert.rejects(openLevelStore(dir), error => {
        assert.ok(error instanceof PytiError)
        assert.equal(error.code, 'store-damaged')
        assert.ok(error.message.includes(dir))
        return true
      })
    }))

  it('says so when the directory cannot be made', () =>
    withDirectory(async dir => {
      await writeFile(join(dir, 'file'), '')
      await assert.rejects(openLevelStore(join(dir, 'file', 'db')), error =>
        isCode(error, 'store-unavailable'),
      )
    }))
})

describe('schema version', () => {
  const put = async (value: unknown) => {
    const store = createMemoryStore()
    await store.batch([{ type: 'put', key: 'meta/schema', value }])
    return store
  }
  it('marks an empty store and accepts its own mark', async () => {
    const store = createMemoryStore()
    await checkSchemaVersion(store)
    await checkSchemaVersion(store)
    assert.deepEqual(await store.get('meta/schema'), { version: schemaVersion })
  })
  it('refuses a newer store', async () => {
    await assert.rejects(checkSchemaVersion(await put({ version: schemaVersion + 1 })), error =>
      isCode(error, 'store-too-new'),
    )
  })
  it('refuses an older store', async () => {
    await assert.rejects(checkSchemaVersion(await put({ version: 2 }), 3), error =>
      isCode(error, 'store-too-old'),
    )
  })
  it('refuses data of somebody else', async () => {
    const store = createMemoryStore()
    await store.batch([{ type: 'put', key: 'x', value: 1 }])
    await assert.rejects(checkSchemaVersion(store), error => isCode(error, 'store-foreign'))
    for (const mark of [1, 'one', { version: '1' }, { version: 0 }, { version: 1, more: true }, null])
      await assert.rejects(checkSchemaVersion(await put(mark)), error => isCode(error, 'store-foreign'))
  })
})

describe('repository', () => {
  const schema = z.strictObject({ n: z.int() })
  it('writes, reads, lists and removes', async () => {
    const store = createMemoryStore()
    const numbers = createRepository(store, 'number/', schema)
    await store.batch([9, 10, 11].map(n => numbers.put(sortable(n), { n })))
    await store.batch([numbers.remove(sortable(10)), numbers.put('other', { n: 0 })])
    assert.deepEqual(await numbers.get(sortable(9)), { n: 9 })
    assert.equal(await numbers.get(sortable(10)), undefined)
    const listed = await collect(numbers.entries({ under: '0' }))
    assert.deepEqual(
      listed.map(([, value]) => value.n),
      [9, 11],
    )
    assert.deepEqual(await collect(numbers.entries({ reverse: true, limit: 1 })), [['other', { n: 0 }]])
  })
  it('refuses stored values of another form', async () => {
    const store = createMemoryStore()
    await store.batch([{ type: 'put', key: 'number/a', value: { n: 'x' } }])
    const numbers = createRepository(store, 'number/', schema)
    await assert.rejects(
      numbers.get('a'),
      error => isCode(error, 'store-damaged') && /number\/a/.test(error.message),
    )
    await assert.rejects(collect(numbers.entries()), error => isCode(error, 'store-damaged'))
  })
})
