import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { runCell } from '../../bench/sabotage/cell.ts'
import { cellOptionsOf, squaresOf } from '../../bench/sabotage/grid.ts'
import { judgeTargets, targetSquares } from '../../bench/sabotage/targets.ts'

const seed = 1
/** Not met today: docs/results.md says by how much and why. */
const open = ['T3', 'T4, patient']

describe(`targets of the sabotage bench, 100,000 jobs a cell, seed ${seed}`, () => {
  const cells = squaresOf({ jobs: 100_000, only: targetSquares }).map(square =>
    runCell(cellOptionsOf(square, seed)),
  )
  for (const { name, target, met, figure } of judgeTargets(cells))
    it(`${name}: ${target}`, { skip: open.includes(name) && met !== true && figure }, () =>
      assert.equal(met, true, figure),
    )
})
