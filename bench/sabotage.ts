// How many wrong reports get through when a share of the operators lies: src/consensus beside the rules of BOINC, iExec and
// Sarmenta, on simulated time, with one seed for everything (volunteer-compute.md 7.6, 7.7).
//
//   node bench/sabotage.ts [--jobs 100000] [--seed 1] [--short] [--only F/STRATEGY/SCHEME]... [--targets] [--json]
//
// T6 is judged by refuted answers, not by all: the lazy are right in four jobs of five.
// F in per cent; `*` or nothing for any: `--only 10/A3/ours-N`, `--only //boinc`. --targets runs only what T1 to T6 need.
// Ends with status 1 when a target that could be judged is not met.
import { parseArgs } from 'node:util'
import { type Cell, runCell } from './sabotage/cell.ts'
import { cellOptionsOf, squaresOf } from './sabotage/grid.ts'
import { markdownOf, share } from './sabotage/table.ts'
import { judgeTargets, markdownOfTargets, targetSquares } from './sabotage/targets.ts'

const { values } = parseArgs({
  options: {
    jobs: { type: 'string' },
    seed: { type: 'string', default: '1' },
    short: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true, default: [] },
    targets: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
})
const seed = Number(values.seed)
const jobs = Number(values.jobs ?? (values.short ? 5_000 : 100_000))
if (!Number.isSafeInteger(seed) || !Number.isSafeInteger(jobs) || jobs < 1)
  throw new Error('--seed and --jobs are whole numbers, --jobs at least 1')
const only = [...values.only, ...(values.targets ? targetSquares : [])]
const squares = squaresOf({ jobs, short: values.short, only })
if (squares.length === 0) throw new Error('no such cell: F is 0, 5, 10, 20 or 30')

const cells: Cell[] = []
for (const [index, square] of squares.entries()) {
  const started = performance.now()
  const cell = runCell(cellOptionsOf(square, seed))
  cells.push(cell)
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  process.stderr.write(
    `${index + 1}/${squares.length} ${cell.strategy} f=${cell.hostile} ${cell.scheme}: wrong ${share(cell.wrongAccepted)}, ${seconds} s\n`,
  )
}

const targets = judgeTargets(cells)
if (values.json) process.stdout.write(`${JSON.stringify({ seed, jobs, cells, targets })}\n`)
else
  process.stdout.write(
    [
      `Seed ${seed}, ${jobs} jobs per cell, 1,000 operators.`,
      '',
      markdownOf(cells),
      markdownOfTargets(targets),
      '',
    ].join('\n'),
  )
if (targets.some(({ met }) => met === false)) process.exitCode = 1
