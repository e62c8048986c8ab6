import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { allRecipes, defaultRecipe, findRecipe, lockPath } from '../../src/cli/recipes.ts'
import { isCode } from '../../src/errors.ts'
import { readLock } from '../../src/sandbox/image/lock.ts'
import { parseRecipe, type Recipe, readRecipes } from '../../src/sandbox/image/recipe.ts'
import { stageKeys } from '../../src/sandbox/image/stages.ts'
import { withDirectory } from '../helpers/temporary.ts'

const recipe = await defaultRecipe()
const refused = (change: Record<string, unknown>) => {
  assert.throws(
    () => parseRecipe(JSON.stringify({ ...recipe, ...change }), 'x.json'),
    error => isCode(error, 'recipe-malformed') && error.message.includes('x.json'),
    JSON.stringify(change),
  )
}

describe('recipes of this version', () => {
  it('are one per Python, each locked: every stage, every package once', async () => {
    const recipes = await allRecipes()
    assert.deepEqual(recipes.map(({ python }) => python).sort(), ['3.11', '3.13'])
    for (const one of recipes) {
      const lock = (await readLock(lockPath(one)))?.lock
      assert.equal(lock?.recipe, one.name)
      assert.equal(lock.boot.length, one.boot.length)
      assert.ok(lock.base.some(({ name }) => name === `python${one.python}`))
      for (const packages of [lock.base, ...lock.boot])
        assert.equal(new Set(packages.map(({ name }) => name)).size, packages.length)
    }
  })

  it('take the same kernels, whatever the Python', async () => {
    const [first, second] = await allRecipes()
    assert.deepEqual(first?.boot, second?.boot)
  })

  it('are found by Python; an unknown one is bad usage', async () => {
    assert.equal((await findRecipe('3.11')).suite, 'bookworm')
    assert.equal(recipe.python, '3.13')
    await assert.rejects(
      findRecipe('2.7'),
      error => isCode(error, 'usage') && /3\.11, 3\.13/.test(error.hint ?? ''),
    )
  })

  it('are no lock files', async () => {
    await withDirectory(async dir => assert.deepEqual(await readRecipes(dir), []))
    const found = await readRecipes(join(import.meta.dirname, '../../guest/recipes'))
    assert.equal(found.length, 2)
  })
})

describe('a recipe that is not one', () => {
  it('is refused, with the file named', () => {
    for (const text of ['', '[]', '{', '{"schema":"pyti.recipe/1"}'])
      assert.throws(
        () => parseRecipe(text, 'x.json'),
        error => isCode(error, 'recipe-malformed'),
      )
    refused({ extra: 1 })
    refused({ packages: [] })
    refused({ boot: [] })
    refused({ python: 'three' })
    refused({ settled: 'June' })
    refused({ limits: { baseBytes: 0, initramfsBytes: 1 } })
  })

  it('nothing in it can become a command, an option or another path', () => {
    refused({ packages: ['gcc,evil'] })
    refused({ packages: ['--option'] })
    refused({ suite: '../trixie' })
    refused({ architecture: '-rf' })
    refused({ name: '../../x' })
    for (const pattern of ['relative', '/a b', '/$(id)', '/`id`', '/a"; id; "', '/a/../../etc', '/'])
      refused({ remove: [pattern] })
    refused({ exclude: ['/a\n/b'] })
    refused({ jail: { ...recipe.jail, libc: '/lib/../etc/passwd' } })
    refused({ jail: { ...recipe.jail, loader: '/proc/self/mem' } })
    refused({ boot: [{ ...recipe.boot[0], take: { evil: 'usr/bin/x' } }] })
    refused({ boot: [{ ...recipe.boot[0], take: { uml: '/usr/bin/x' } }] })
  })
})

describe('what a stage is kept under', () => {
  const keys = (change: Partial<Recipe> = {}) => stageKeys({ ...recipe, ...change }, undefined)

  it('is its own inputs: another stage or a description changes nothing', () => {
    const [base, ...boot] = keys()
    assert.deepEqual(keys({ name: 'other', settled: '2000-01-01T00:00:00Z' }), [base, ...boot])
    const [otherBase, ...sameBoot] = keys({ packages: [...recipe.packages, 'strace'] })
    assert.notEqual(otherBase, base)
    assert.deepEqual(sameBoot, boot)
    const [sameBase, ...otherBoot] = keys({ boot: recipe.boot.slice(0, 1) })
    assert.equal(sameBase, base)
    assert.deepEqual(otherBoot, boot.slice(0, 1))
  })

  it('is what it was locked to: a new lock is built anew', async () => {
    const file = await readLock(lockPath(recipe))
    assert.ok(file)
    const locked = stageKeys(recipe, file.lock)
    assert.notEqual(locked[0], keys()[0])
    const [, ...boot] = stageKeys(recipe, { ...file.lock, base: file.lock.base.slice(1) })
    assert.deepEqual(boot, locked.slice(1))
  })
})
