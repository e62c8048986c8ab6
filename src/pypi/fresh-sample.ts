import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { isCode } from '../errors.ts'
import type { Profile } from '../wire/job.ts'
import { Truth } from '../wire/truth.ts'
import { makeDistributions, type SampleDistribution } from './make-distribution.ts'

type Network = Profile['network']
type Random = (bytes: number) => Uint8Array

interface Source {
  readonly folder: string
  /** Which network its truth holds for. */
  readonly network: Network | 'any'
  readonly verdict?: Truth['verdict']
}

/** `pair.json` of a mimic and its twin, as far as it says what a report must say: of a twin only what it may say at most. */
const Pair = z.object({
  network: z.enum(['any', 'dead', 'sinkhole']),
  mimic: z.object({ verdict: Truth.shape.verdict }),
  /** Other clocks it shows itself under, other projects it has to find. */
  clocks: z.unknown().optional(),
  projects: z.unknown().optional(),
})

/**
 * Bundled samples as files nobody can look up: known-answer jobs are made of them (volunteer-compute.md 7.3). Name and digest
 * are drawn each time; who compares names or code with this repository can still tell.
 * @param samplesDir `samples` of the repository: samples, and below `mimics` pairs of harmful behaviour and its twin
 */
export async function openSamples(
  samplesDir: string,
): Promise<(network: Network, random: Random) => Promise<SampleDistribution>> {
  const sources = [...(await samplesIn(samplesDir)), ...(await pairsIn(join(samplesDir, 'mimics')))]
  return async (network, random) => {
    const fit = sources.filter(source => source.network === 'any' || source.network === network)
    const { folder, verdict } = pick(fit, random)
    const name = freshName(random)
    const description = `${name.replaceAll('-', ' ')}, a small library`
    const made = pick(await makeDistributions(folder, { name, description }), random)
    return verdict === undefined ? made : { ...made, truth: { ...made.truth, verdict } }
  }
}

/** Samples that need no other project and do the same in every run. */
async function samplesIn(dir: string): Promise<Source[]> {
  const sources: Source[] = []
  for (const name of await foldersIn(dir)) {
    const folder = join(dir, name)
    const made = await makeDistributions(folder).catch(error => {
      if (isCode(error, 'bad-sample')) return []
      throw error
    })
    const isPlain = ({ dependencies, truth }: SampleDistribution) =>
      dependencies.length === 0 && Object.values(truth.tasks).every(({ status }) => status !== 'flaky')
    if (made.length > 0 && made.every(isPlain)) sources.push({ folder, network: 'any' })
  }
  return sources
}

async function pairsIn(dir: string): Promise<Source[]> {
  const sources: Source[] = []
  for (const name of await foldersIn(dir)) {
    const text = await readFile(join(dir, name, 'pair.json'), 'utf8').catch(() => undefined)
    if (text === undefined) continue
    const { network, mimic, clocks, projects } = Pair.parse(JSON.parse(text))
    if (clocks !== undefined || projects !== undefined) continue
    sources.push({ folder: join(dir, name, 'mimic'), network, verdict: mimic.verdict })
    sources.push({ folder: join(dir, name, 'twin'), network })
  }
  return sources
}

async function foldersIn(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { withFileTypes: true })
  return entries
    .filter(entry => entry.isDirectory())
    .map(({ name }) => name)
    .sort()
}

const first =
  'async base blue clear core deep fast flat grid lazy lite mini neat open plain quick rapid safe soft tiny'
const second =
  'batch cache chart cipher clock column config cursor deck draft field frame graph index layer ledger lock mapper'
const third =
  'box bridge client forge helper hub kit lib parser pool queue router store sync tools utils view worker'

/** Three words, which a project on the index might have as well. */
function freshName(random: Random): string {
  return [first, second, third].map(words => pick(words.split(' '), random)).join('-')
}

function pick<T>(from: readonly T[], random: Random): T {
  const picked = from[Buffer.from(random(4)).readUInt32BE() % from.length]
  if (picked === undefined) throw new Error('there is nothing to pick from')
  return picked
}
