import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseLock } from '../../src/pypi/lock.ts'
import { solve } from '../../src/pypi/solve.ts'

const seed = 20_261_120

/** Resolves sets without a bad requirement and without both halves of a conflict. */
function world(bad: string[], conflicts: [string, string][] = [], explain = true) {
  const asked: string[][] = []
  const attempt = async (set: string[]) => {
    asked.push(set)
    const broken = set.find(name => bad.includes(name))
    if (broken !== undefined)
      return { ok: false as const, reason: explain ? `Because ${broken} was not found` : 'no' }
    const pair = conflicts.find(([a, b]) => set.includes(a) && set.includes(b))
    if (pair) return { ok: false as const, reason: explain ? `${pair[0]} and ${pair[1]} conflict` : 'no' }
    return { ok: true as const, value: [...set] }
  }
  return { asked, attempt }
}

const letters = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']

test('one call when all is well, and for nothing at all', async () => {
  const { asked, attempt } = world([])
  assert.deepEqual(await solve(letters, attempt, 12), { value: letters, dropped: [] })
  assert.deepEqual(await solve([], attempt, 12), { value: [], dropped: [] })
  assert.equal(asked.length, 2)
})

test('what the explanation names alone is dropped at once', async () => {
  const { asked, attempt } = world(['c', 'f'])
  assert.deepEqual((await solve(letters, attempt, 12)).dropped, ['c', 'f'])
  assert.equal(asked.length, 3)
})

test('of two that conflict the later one goes', async () => {
  const { attempt } = world([], [['b', 'g']])
  assert.deepEqual((await solve(letters, attempt, 12)).dropped, ['g'])
})

test('without explanation bisection finds it', async () => {
  const { attempt } = world(['e'], [], false)
  assert.deepEqual((await solve(letters, attempt, 12)).dropped, ['e'])
})

test('a single bad requirement leaves the rest, which is nothing', async () => {
  assert.deepEqual(await solve(['a'], world(['a']).attempt, 12), { value: [], dropped: ['a'] })
})

test('a fixed part that fails by itself gives no value', async () => {
  const attempt = async () => ({ ok: false as const, reason: 'no' })
  assert.deepEqual(await solve(['a', 'b'], attempt, 12), { value: undefined, dropped: ['a', 'b'] })
})

test('the bound holds, the result resolves, and nobody is lost', async () => {
  const name = fc.constantFrom(...letters, 'i', 'j', 'k', 'l', 'm', 'n')
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(name, { maxLength: 14 }),
      fc.uniqueArray(name, { maxLength: 6 }),
      fc.array(fc.tuple(name, name), { maxLength: 4 }),
      fc.boolean(),
      async (requirements, bad, pairs, explain) => {
        const conflicts = pairs.filter(([a, b]) => a !== b)
        const { asked, attempt } = world(bad, conflicts, explain)
        const { value, dropped } = await solve(requirements, attempt, 12)
        assert.ok(asked.length <= 12)
        assert.deepEqual([...(value ?? []), ...dropped].sort(), requirements.toSorted())
        if (value) assert.ok((await attempt(value)).ok)
        if (explain && bad.length <= 6 && conflicts.length === 0)
          assert.deepEqual(
            value,
            requirements.filter(text => !bad.includes(text)),
          )
      },
    ),
    { seed, verbose: true },
  )
})

const digest = 'b'.repeat(64)
const wheel = (name: string, tags: string, hashes = `{ sha256 = "${digest}" }`) =>
  `{ url = "http://me:secret@127.0.0.1/files/${name}-1.0-${tags}.whl", hashes = ${hashes} }`
const lock = (...packages: string[]) => `lock-version = "1.0"\ncreated-by = "uv"\n${packages.join('\n')}`
const entry = (name: string, ...wheels: string[]) =>
  `[[packages]]\nname = "${name}"\nversion = "1.0"\nwheels = [${wheels.join(', ')}]\n`

test('a lock: one wheel each, sorted, without credentials', () => {
  const text = lock(
    entry('zeta', wheel('zeta', 'py3-none-any'), wheel('zeta', 'cp313-cp313-manylinux_2_17_x86_64')),
    entry('Alpha.x', wheel('alpha_x', 'py3-none-any')),
  )
  assert.deepEqual(parseLock(text, { python: '3.13', glibc: '2.41' }), [
    {
      name: 'alpha-x',
      version: '1.0',
      filename: 'alpha_x-1.0-py3-none-any.whl',
      sha256: digest,
      url: 'http://127.0.0.1/files/alpha_x-1.0-py3-none-any.whl',
    },
    {
      name: 'zeta',
      version: '1.0',
      filename: 'zeta-1.0-cp313-cp313-manylinux_2_17_x86_64.whl',
      sha256: digest,
      url: 'http://127.0.0.1/files/zeta-1.0-cp313-cp313-manylinux_2_17_x86_64.whl',
    },
  ])
  assert.deepEqual(parseLock(lock('packages = []'), { python: '3.13', glibc: '2.41' }), [])
})

test('locks that cannot be used', () => {
  for (const [text, code] of [
    ['[', 'bad-lock'],
    ['lock-version = "2.0"', 'bad-lock'],
    [lock(entry('a')), 'bad-lock'],
    [lock(entry('a', wheel('a', 'cp312-cp312-win_amd64'))), 'bad-lock'],
    [lock('[[packages]]\nname = "a"\nversion = "1"\ndirectory = { path = "." }'), 'bad-lock'],
    [lock(entry('a', '{ url = "file:///a-1.0-py3-none-any.whl", hashes = {} }')), 'bad-lock'],
    [lock(entry('a', wheel('a', 'py3-none-any', '{}'))), 'no-hash'],
  ] as const)
    assert.throws(() => parseLock(text, { python: '3.13', glibc: '2.41' }), { code }, text)
})
