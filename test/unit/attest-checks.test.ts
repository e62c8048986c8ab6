import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CheckList, checkNames, Unknown } from '../../src/attest/checks.ts'

const stateOf = (list: CheckList, name: string) => list.list().find(check => check.name === name)

test('checks are listed in their order, whenever they were made', async () => {
  const list = new CheckList()
  await Promise.all([list.check('distribution', async () => 'b'), list.check('bundle-form', () => 'a')])
  assert.deepEqual(
    list.list().map(check => check.name),
    [...checkNames],
  )
  assert.deepEqual(stateOf(list, 'bundle-form'), { name: 'bundle-form', state: 'ok', detail: 'a' })
  assert.equal(stateOf(list, 'subject')?.state, 'unknown')
})

test('a check that throws, rejects or throws while it speaks is a failed one', async () => {
  const list = new CheckList()
  const fail = (what: string) => () => {
    throw new Error(what)
  }
  assert.equal(await list.get('bundle-form', fail('now'), () => ''), undefined)
  assert.equal(
    await list.get(
      'subject',
      async () => fail('later')(),
      () => '',
    ),
    undefined,
  )
  assert.equal(await list.get('nonce', () => 1, fail('speaking')), undefined)
  for (const [name, detail] of [
    ['bundle-form', 'now'],
    ['subject', 'later'],
    ['nonce', 'speaking'],
  ] as const)
    assert.deepEqual(stateOf(list, name), { name, state: 'failed', detail })
})

test('a check that nobody waits for is a failed one until it ends', async () => {
  const list = new CheckList()
  const ending = list.check('evaluation', async () => new Unknown('cannot say'))
  assert.equal(stateOf(list, 'evaluation')?.state, 'failed')
  await ending
  assert.equal(stateOf(list, 'evaluation')?.state, 'unknown')
})

test('foreign text is printable ASCII of a bounded length, whatever the outcome', async () => {
  const list = new CheckList()
  const hostile = `\u001b[2Jverified\u202e${'x'.repeat(5_000)}`
  await list.check('bundle-form', () => hostile)
  await list.check('subject', () => new Unknown(hostile))
  await list.check('nonce', () => {
    throw new Error(hostile)
  })
  for (const name of ['bundle-form', 'subject', 'nonce'])
    assert.match(stateOf(list, name)?.detail ?? '', /^\\u\{1b\}\[2Jverified\\u\{202e\}x+\.\.\.$/)
  assert.ok(list.list().every(({ detail }) => detail.length <= 1_000))
})
