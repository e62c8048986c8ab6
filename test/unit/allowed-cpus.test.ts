import assert from 'node:assert/strict'
import { availableParallelism } from 'node:os'
import { test } from 'node:test'
import { allowedCpus } from '../../src/sandbox/allowed-cpus.ts'

const listed = (text: string) =>
  allowedCpus(() => `Name:\tnode\nCpus_allowed:\tff\nCpus_allowed_list:\t${text}\n`)

test('the CPUs are those the kernel lists, whatever their numbers', () => {
  assert.deepEqual(listed('0-1'), [0, 1])
  assert.deepEqual(listed('2,5-7,9'), [2, 5, 6, 7, 9])
  assert.deepEqual(listed('3'), [3])
  assert.equal(allowedCpus().length, availableParallelism())
})

test('without a list they are counted from 0', () => {
  const counted = Array.from({ length: availableParallelism() }, (_, cpu) => cpu)
  assert.deepEqual(listed('?'), counted)
  assert.deepEqual(
    allowedCpus(() => {
      throw new Error('no /proc')
    }),
    counted,
  )
})
