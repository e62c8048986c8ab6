import { Command, Option } from 'commander'
import { systemClock } from '../../clock.ts'
import { messageOf } from '../../errors.ts'
import { silentLogger } from '../../logger.ts'
import { createIndexClient, type IndexClient } from '../../pypi/index-client.ts'
import { findIndex } from '../../pypi/pip-config.ts'
import { chooseBackend } from '../../sandbox/backends.ts'
import type { Backend, DistributionKind, Profile, TaskName } from '../../wire/job.ts'
import { taskNames } from '../../wire/job.ts'
import { findUv } from '../host-tools.ts'
import { ensureImage } from '../image.ts'
import { type CutoffChoice, cutoffOption } from '../index-cutoff.ts'
import {
  backendOption,
  clockDaysOption,
  indexOption,
  jsonOption,
  networkOption,
  positiveInteger,
  pythonOption,
} from '../options.ts'
import { exitCodes, printJson, reportError, useColor } from '../output.ts'
import { findPaths } from '../paths.ts'
import { createProgress } from '../progress.ts'
import { runDistributions } from '../run-distributions.ts'
import { shutdownSignal } from '../shutdown.ts'
import { findTargets, type Target } from '../targets.ts'

interface Flags {
  volunteers: number
  kind: 'sdist' | 'wheel' | 'both'
  tasks?: TaskName[]
  taskSeconds?: number
  indexCutoff: CutoffChoice
  index?: string
  backend?: Backend
  python?: string
  network?: Profile['network']
  clockDays?: number[]
  out: string
  json?: boolean
}

export function testCommand(): Command {
  return new Command('test')
    .summary('the whole way on one machine, for a project or a file')
    .description(
      'Tests a release of a project (its sdist and its best wheel) or a file you are about to upload: a coordinator and volunteers are started on this machine, every volunteer runs the distribution in a VM of its own without a network, the signed raw data is cross-checked and the report verified.',
    )
    .argument('<what...>', 'PROJECT, PROJECT==VERSION, or the path of a .whl, .tar.gz or .zip')
    .option(
      '--volunteers <n>',
      'how many volunteers must agree (a report of fewer than 3 is for your eyes only)',
      positiveInteger,
      3,
    )
    .addOption(
      new Option('--kind <kind>', 'which files of a release')
        .choices(['sdist', 'wheel', 'both'])
        .default('both'),
    )
    .addOption(new Option('--tasks <task...>', 'only these tasks').choices(taskNames))
    .option('--task-seconds <n>', 'ceiling on one task', positiveInteger)
    .addOption(cutoffOption())
    .addOption(indexOption())
    .addOption(backendOption())
    .addOption(pythonOption())
    .addOption(networkOption("what package code finds, instead of the coordinator's own"))
    .addOption(clockDaysOption('run imports and tests again so many days ahead, like 30,365,3650'))
    .option('--out <dir>', 'folder for reports and logs', 'pyti-reports')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Examples:
  pyti test six
  pyti test requests==2.32.3 --kind wheel --json
  pyti test dist/*.whl dist/*.tar.gz
  pyti test six --python 3.11 --backend tcg
  pyti test six --network dead --clock-days 30,3650

Exit code: 0 a report was accepted for each distribution, whatever its verdict; 1 for some none could be; 2 bad usage or
input; 3 this machine cannot run VMs (see pyti doctor).`,
    )
    .action(async (what: string[], flags: Flags) => {
      process.exitCode = await runTest(what, flags)
    })
}

async function runTest(what: string[], flags: Flags): Promise<number> {
  const signal = shutdownSignal()
  const paths = findPaths()
  const progress = createProgress(process.stderr, { quiet: flags.json === true })
  let client: Promise<IndexClient> | undefined
  const openClient = async () => {
    const index = await findIndex({
      env: process.env,
      ...(flags.index !== undefined && { override: flags.index }),
    })
    return createIndexClient({ url: index.url, clock: systemClock, log: silentLogger })
  }
  const image = await ensureImage(paths, {
    signal,
    quiet: flags.json === true,
    ...(flags.python !== undefined && { python: flags.python }),
  })
  const kinds: DistributionKind[] = flags.kind === 'both' ? ['sdist', 'wheel'] : [flags.kind]
  const targets: Target[] = []
  let worst: number = exitCodes.ok
  for (const argument of what) {
    try {
      const lookUp = () => {
        client ??= openClient()
        return client
      }
      targets.push(...(await findTargets(argument, { client: lookUp, guest: image.manifest, kinds, signal })))
    } catch (error) {
      signal.throwIfAborted()
      if (what.length === 1) throw error
      worst = Math.max(worst, reportError(error))
    }
  }
  if (targets.length === 0) return worst
  const driver = await chooseBackend(
    { image, runDir: paths.run, cacheDir: paths.probes, signal },
    flags.backend,
  )
  await findUv(paths, silentLogger, signal)
  try {
    await runDistributions({
      paths,
      targets,
      volunteers: flags.volunteers,
      backend: driver.backend,
      demand: flags.backend ?? 'any',
      python: image.manifest.python,
      tasks: flags.tasks ?? [...taskNames],
      indexCutoff: flags.indexCutoff,
      outDir: flags.out,
      color: useColor(),
      progress,
      signal,
      ...(flags.taskSeconds !== undefined && { taskSeconds: flags.taskSeconds }),
      ...(flags.network !== undefined && { network: flags.network }),
      ...(flags.clockDays !== undefined && { clockDays: flags.clockDays }),
      ...(flags.index !== undefined && { index: flags.index }),
      onResult: ({ target, summary, accepted }) => {
        if (flags.json) printJson(summary)
        else if (accepted) progress.print(accepted.text)
        else progress.print(`${target.subject.filename}: no report could be accepted: ${summary.reason}\n`)
        if (!accepted?.verification.ok) worst = Math.max(worst, exitCodes.negative)
      },
    })
  } catch (error) {
    if (signal.aborted) {
      progress.line(`stopped: ${messageOf(signal.reason)}; nothing is left running`)
      return exitCodes.interrupted
    }
    throw error
  }
  return worst
}
