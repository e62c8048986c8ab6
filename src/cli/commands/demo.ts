import { readFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { Command } from 'commander'
import { verifyBundle } from '../../attest/verify.ts'
import { systemClock } from '../../clock.ts'
import { silentLogger } from '../../logger.ts'
import { startEmbeddedIndex } from '../../pypi/embedded-index.ts'
import { createIndexClient } from '../../pypi/index-client.ts'
import { makeAll } from '../../pypi/make-distribution.ts'
import { chooseBackend } from '../../sandbox/backends.ts'
import { taskNames } from '../../wire/job.ts'
import { findUv } from '../host-tools.ts'
import { ensureImage } from '../image.ts'
import { jsonOption } from '../options.ts'
import { exitCodes, note, print, printJson, useColor } from '../output.ts'
import { findPaths, repositoryDir } from '../paths.ts'
import { createProgress } from '../progress.ts'
import { type DistributionResult, runDistributions } from '../run-distributions.ts'
import { shutdownSignal } from '../shutdown.ts'
import { findTargets } from '../targets.ts'

/** A few samples that show different ends: all well, some tests fail, a test that cannot make up its mind. */
const shown = ['pyti-sample-pure', 'pyti-sample-tested', 'pyti-sample-flaky']

export function demoCommand(): Command {
  return new Command('demo')
    .summary('the whole way of some bundled samples, on this machine')
    .description(
      '1 coordinator and 3 volunteers as processes on loopback, an embedded index with the bundled samples, real VMs without a network, and every report verified at the end.',
    )
    .addOption(jsonOption())
    .addHelpText('after', '\nExamples:\n  pyti demo\n  pyti demo --json')
    .action(async (flags: { json?: boolean }) => {
      process.exitCode = await runDemo(flags.json === true)
    })
}

async function runDemo(json: boolean): Promise<number> {
  const signal = shutdownSignal()
  const paths = findPaths()
  if (!json)
    note(
      'PyTI demo: job -> 3 volunteers over libp2p -> VMs without a network -> signed raw data -> cross-check -> signed report -> verified\n',
    )
  const image = await ensureImage(paths, { signal, quiet: json })
  const driver = await chooseBackend({ image, runDir: paths.run, cacheDir: paths.probes, signal })
  await findUv(paths, silentLogger, signal)
  const index = await startEmbeddedIndex({
    distributions: await makeAll(join(repositoryDir, 'samples')),
    clock: systemClock,
  })
  const outDir = join(repositoryDir, 'pyti-reports', 'demo')
  const results: DistributionResult[] = []
  const progress = createProgress(process.stderr, { quiet: json })
  try {
    const client = createIndexClient({ url: index.url, clock: systemClock, log: silentLogger })
    const targets = []
    for (const project of shown)
      targets.push(
        ...(await findTargets(project, {
          client: async () => client,
          guest: image.manifest,
          kinds: ['sdist', 'wheel'],
          signal,
        })),
      )
    progress.line(
      `${targets.length} distributions on an embedded index: ${targets.map(target => target.subject.filename).join(', ')}`,
    )
    await runDistributions({
      paths,
      targets,
      outDir,
      progress,
      signal,
      volunteers: 3,
      backend: driver.backend,
      python: image.manifest.python,
      tasks: [...taskNames],
      index: index.url,
      color: useColor(),
      onResult: result => {
        results.push(result)
        if (json) printJson(result.summary)
        else
          progress.print(
            result.accepted?.text ??
              `${result.target.subject.filename}: no report: ${result.summary.reason}\n`,
          )
      },
    })
  } catch (error) {
    if (!signal.aborted) throw error
    progress.line('stopped; nothing is left running')
    return exitCodes.interrupted
  } finally {
    await index.close()
  }
  return verifyAll(results, json)
}

/** Every report once more from its file, as anyone would who knows the coordinator's key and has the distribution. */
async function verifyAll(results: DistributionResult[], json: boolean): Promise<number> {
  const say = (line: string) => {
    if (!json) print(line)
  }
  say('verifying every report offline, down to the signed raw data:')
  let code: number = exitCodes.ok
  for (const { target, accepted, summary } of results) {
    const { filename, sha256, size } = target.subject
    const verification =
      accepted &&
      (await verifyBundle(await readFile(accepted.path), {
        distribution: { sha256, size },
        trustedKeys: [accepted.trustedKey],
        logKey: accepted.logKey,
      }))
    if (!verification?.ok) code = exitCodes.negative
    const checks = verification?.checks.map(check => check.state)
    say(
      `  ${verification?.ok ? 'verified' : 'FAILED  '}  ${filename.padEnd(48)} ${summary.verdict.padEnd(10)} ${checks?.filter(state => state === 'ok').length ?? 0} checks hold`,
    )
  }
  say(
    '\nNot checked: witnesses, a root document and consistency with an earlier checkpoint, as this network has none of them.',
  )
  say(
    `\nThe reports are in ${relative(process.cwd(), join(repositoryDir, 'pyti-reports/demo'))}/. Try one yourself:`,
  )
  const [first] = results
  if (first?.accepted) say(`  ./bin/pyti verify ${relative(process.cwd(), first.accepted.path)}`)
  say('  ./bin/pyti test six            # a real project, from the index pip is configured with')
  return code
}
