// The coordinator's log on a real disk: durable appends per second (every commit is synced), beside one batch per entry without
// group commit in turns in the same run; then proofs per second out of the tiles on disk and the time of a checkpoint over
// 1,000 new leaves, in a log of a million. Witnesses are not asked; their network decides how long they take.
//
//   node bench/log.ts [--leaves 1000000] [--seconds 3] [--rounds 3] [--checkpoints 15] [--folder DIR] [--json]
import { generateKeyPairSync, hash, sign } from 'node:crypto'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Entry, formatEntry } from '../src/attest/log/entry.ts'
import { createLedger, type Ledger } from '../src/coordinator/ledger.ts'
import { createSequencer, type Sequencer } from '../src/coordinator/sequencer.ts'
import { openLevelStore } from '../src/store/level.ts'
import { sortable } from '../src/store/repository.ts'
import type { Store } from '../src/store/store.ts'
import { openTileFiles } from '../src/store/tile-files.ts'
import { align, median, percentile } from './figures.ts'
import { describeMachine, withFolder } from './machine.ts'

const { values } = parseArgs({
  options: {
    leaves: { type: 'string', default: '1000000' },
    seconds: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '3' },
    checkpoints: { type: 'string', default: '15' },
    folder: { type: 'string', default: join(tmpdir(), 'pyti-bench-log') },
    json: { type: 'boolean', default: false },
  },
})
const leaves = Number(values.leaves)
const windowMs = Number(values.seconds) * 1_000
const rounds = Number(values.rounds)
/** Leaves of one commit while the log is filled, and between two checkpoints. */
const thousand = 1_000
const goal = 1_000

interface Line {
  what: string
  unit: '/s' | 'ms' | 's'
  n: number
  p50: number
  p95: number
  note: string
}

const lines: Line[] = []
const say = (text: string) => process.stderr.write(`${text}\n`)
let made = 0
const { publicKey, privateKey } = generateKeyPairSync('ed25519')
const signer = {
  name: 'log.example/bench',
  publicKey: Uint8Array.from(publicKey.export({ format: 'der', type: 'spki' }).subarray(-32)),
  sign: (message: Uint8Array) => Uint8Array.from(sign(null, message, privateKey)),
}

await withFolder(values.folder, async dir => {
  await measureSyncs(dir)
  await measureAppends(dir)
  await measureLog(dir)
})
if (values.json)
  console.log(JSON.stringify({ schema: 'pyti.bench.log/1', machine: describeMachine(), leaves, lines }))
else show()

/** What the disk itself gives: the bound of everything below. */
async function measureSyncs(dir: string): Promise<void> {
  const file = await open(join(dir, 'syncs'), 'w')
  const block = Buffer.alloc(4_096)
  const rates: number[] = []
  for (let round = 0; round < rounds; round += 1)
    rates.push(
      await rateOf(1, async () => {
        await file.write(block)
        await file.datasync()
      }),
    )
  await file.close()
  add('append of 4 KB and fdatasync', '/s', rates, 'the disk alone')
}

async function measureAppends(dir: string): Promise<void> {
  const stores = await Promise.all(['grouped', 'alone'].map(name => openLevelStore(join(dir, name))))
  const [grouped, alone] = stores
  if (!grouped || !alone) throw new Error('no store')
  const ledger = await openLedger(grouped)
  for (const committers of [1, 16, 256]) {
    const ours: number[] = []
    const theirs: number[] = []
    for (let round = 0; round < rounds; round += 1) {
      ours.push(await rateOf(committers, () => ledger.commit([], [newEntry()])))
      theirs.push(await rateOf(committers, () => putAlone(alone, newEntry())))
      say(`${committers} committers, round ${round + 1} of ${rounds}`)
    }
    const ratio = median(ours) / median(theirs)
    add(`appends, ${committers} at once`, '/s', ours, `${ratio.toFixed(1)} times without group commit`)
    add(`  without group commit, ${committers} at once`, '/s', theirs, 'one Level batch per entry')
  }
  for (const store of stores) await store.close()
}

async function measureLog(dir: string): Promise<void> {
  const store = await openLevelStore(join(dir, 'store'))
  const ledger = await openLedger(store)
  const filling = await timed(async () => {
    while (ledger.size() < leaves) await commitMany(ledger, Math.min(thousand, leaves - ledger.size()))
  })
  add(`fill the store with ${leaves} leaves`, 's', [filling / 1_000], `${thousand} per commit`)
  say(`${leaves} leaves are in the store`)
  const first = await openSequencer(store, ledger, dir)
  const whole = await timed(() => first.request())
  add('first checkpoint over all of them', 's', [whole / 1_000], 'every tile and bundle written and synced')

  await measureProofs(store, ledger, dir)
  const restart: number[] = []
  const checkpoints: number[] = []
  for (let round = 0; round < Number(values.checkpoints); round += 1) {
    await commitMany(ledger, thousand)
    checkpoints.push(await timed(() => first.request()))
  }
  for (let round = 0; round < 3; round += 1)
    restart.push(await timed(() => openSequencer(store, ledger, dir)))
  add(`checkpoint over ${thousand} more leaves`, 'ms', checkpoints, 'tiles, syncs, consistency, signature')
  add('load after a restart', 'ms', restart, 'tiles checked against what was signed')
  await store.close()
}

async function measureProofs(store: Store, ledger: Ledger, dir: string): Promise<void> {
  const spread: Record<string, (log: Sequencer) => Promise<unknown>> = {
    'inclusion proofs, any leaf': log => log.inclusion(somewhere()),
    'inclusion proofs, newest 10,000': log =>
      log.inclusion(log.size() - 1 - (somewhere() % Math.min(10_000, leaves))),
    'consistency proofs, any size': log => log.consistency(1 + somewhere()),
  }
  for (const [what, prove] of Object.entries(spread)) {
    const rates: number[] = []
    for (let round = 0; round < rounds; round += 1) {
      // A new one, with no tile in memory yet.
      const log = await openSequencer(store, ledger, dir)
      rates.push(await rateOf(1, () => prove(log)))
    }
    add(what, '/s', rates, 'from tiles on disk, each checked')
    say(what)
  }
}

async function openLedger(store: Store): Promise<Ledger> {
  const ledger = createLedger({ store })
  await ledger.load()
  return ledger
}

async function openSequencer(store: Store, ledger: Ledger, dir: string): Promise<Sequencer> {
  const files = await openTileFiles(join(dir, 'log'))
  const sequencer = createSequencer({ store, ledger, files, signer })
  await sequencer.load()
  return sequencer
}

function newEntry(): Entry {
  made += 1
  const id = hash('sha256', `entry ${made}`)
  return { kind: 'raw', id, subject: id, purl: `pkg:pypi/project-${made}@1.0` }
}

async function commitMany(ledger: Ledger, count: number): Promise<void> {
  await ledger.commit([], Array.from({ length: count }, newEntry))
}

async function putAlone(store: Store, entry: Entry): Promise<void> {
  const index = made
  await store.batch([
    { type: 'put', key: `leaf/${sortable(index)}`, value: Buffer.from(formatEntry(entry)).toString() },
    { type: 'put', key: `leaf-of/${entry.id}`, value: index },
  ])
}

/** The same walk over the leaves in every run. */
function somewhere(): number {
  made += 1
  return Number.parseInt(hash('sha256', `place ${made}`).slice(0, 12), 16) % leaves
}

/** Per second, with so many at once for the length of the window. */
async function rateOf(workers: number, work: () => Promise<unknown>): Promise<number> {
  const started = performance.now()
  let done = 0
  await Promise.all(
    Array.from({ length: workers }, async () => {
      while (performance.now() - started < windowMs) {
        await work()
        done += 1
      }
    }),
  )
  return (done * 1_000) / (performance.now() - started)
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now()
  await work()
  return performance.now() - started
}

function add(what: string, unit: Line['unit'], samples: number[], note: string): void {
  // The slow end of a rate is its low one.
  const tail = unit === '/s' ? 0.05 : 0.95
  lines.push({ what, unit, n: samples.length, p50: median(samples), p95: percentile(samples, tail), note })
}

function show(): void {
  const number = (value: number) => (value >= 100 ? value.toFixed(0) : value.toPrecision(3))
  const rows = lines.map(({ what, unit, n, p50, p95, note }) => [
    what,
    unit,
    String(n),
    number(p50),
    number(p95),
    note,
  ])
  console.log(align([['', 'unit', 'n', 'p50', 'p95', ''], ...rows]))
  const best = Math.max(...lines.filter(({ what }) => what.startsWith('appends')).map(({ p50 }) => p50))
  console.log(`\n>= ${goal} durable appends/s: ${best >= goal ? 'met' : 'NOT MET'}`)
  console.log(
    Object.entries(describeMachine())
      .map(entry => entry.join(' '))
      .join(', '),
  )
}
