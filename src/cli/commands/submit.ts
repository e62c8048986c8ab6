import { Command, Option } from 'commander'
import { systemClock } from '../../clock.ts'
import { silentLogger } from '../../logger.ts'
import { createIndexClient } from '../../pypi/index-client.ts'
import { findIndex } from '../../pypi/pip-config.ts'
import { BackendDemand, type Profile, taskNames } from '../../wire/job.ts'
import { connectClient } from '../client.ts'
import { type CutoffChoice, cutoffFor, cutoffOption } from '../index-cutoff.ts'
import { clockDaysOption, indexOption, jsonOption, networkOption, pythonOption } from '../options.ts'
import { exitCodes, note, print, printJson } from '../output.ts'
import { defaultRecipe, findRecipe } from '../recipes.ts'
import { shutdownSignal } from '../shutdown.ts'
import { findTargets } from '../targets.ts'

interface Flags {
  coordinator: string
  python?: string
  network?: Profile['network']
  clockDays?: number[]
  backend?: BackendDemand
  wait?: boolean
  indexCutoff: CutoffChoice
  index?: string
  json?: boolean
}

export function submitCommand(): Command {
  return new Command('submit')
    .summary('ask a coordinator to have a project or file tested')
    .argument('<what>', 'PROJECT, PROJECT==VERSION, or the path of a .whl, .tar.gz or .zip')
    .requiredOption('--coordinator <multiaddr>', 'with its /p2p/PEERID')
    .addOption(pythonOption())
    .addOption(networkOption("what package code finds, instead of the coordinator's own"))
    .addOption(clockDaysOption('run imports and tests again so many days ahead, like 30,365,3650'))
    .addOption(new Option('--backend <name>', 'what the VMs must run on').choices(BackendDemand.options))
    .option('--wait', 'until every job has ended')
    .addOption(cutoffOption())
    .addOption(indexOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Examples:
  pyti submit six --coordinator /ip4/192.0.2.7/tcp/4001/p2p/12D3KooW... --wait
  pyti submit dist/mine-1.0.tar.gz --coordinator /ip4/192.0.2.7/tcp/4001/p2p/12D3KooW...
  pyti submit six --python 3.11 --backend tcg --coordinator /ip4/192.0.2.7/tcp/4001/p2p/12D3KooW...

A local file is sent to the coordinator while this command runs.
Exit code: 0 taken (with --wait: reported); 1 ended unresolved; 2 bad usage or input.`,
    )
    .action(async (what: string, flags: Flags) => {
      const signal = shutdownSignal()
      // Always said to the coordinator: the wheel is picked for this Python and no other.
      const { python, glibc, settled } = await (flags.python === undefined
        ? defaultRecipe()
        : findRecipe(flags.python))
      const lookUp = async () => {
        const index = await findIndex({
          env: process.env,
          ...(flags.index !== undefined && { override: flags.index }),
        })
        return createIndexClient({ url: index.url, clock: systemClock, log: silentLogger })
      }
      const targets = await findTargets(what, {
        client: lookUp,
        guest: { python, glibc },
        kinds: ['sdist', 'wheel'],
        signal,
      })
      const client = await connectClient(flags.coordinator, signal)
      try {
        for (const target of targets) {
          const indexCutoff = cutoffFor(
            flags.indexCutoff,
            target.uploadTime,
            Date.parse(settled),
            systemClock.now(),
          )
          const job = await client.submit(target, {
            tasks: [...taskNames],
            python,
            ...(flags.backend !== undefined && { backend: flags.backend }),
            ...(flags.network !== undefined && { network: flags.network }),
            ...(flags.clockDays !== undefined && { clockDays: flags.clockDays }),
            ...(indexCutoff !== undefined && { indexCutoff }),
          })
          const { filename, sha256 } = target.subject
          if (!flags.wait) {
            if (flags.json) printJson({ schema: 'pyti.submit/1', job, filename, sha256 })
            else print(`${job}  ${filename}`)
            continue
          }
          let status = await client.status(job)
          let shown = ''
          while (!['reported', 'unresolved', 'checked'].includes(status.phase)) {
            const seats = status.seats.map(seat => seat.state).join(', ')
            const lack = status.reason === undefined ? '' : `: ${status.reason}`
            const line = `${filename}: ${status.phase}${seats ? ` (${seats})` : ''}${lack}`
            if (line !== shown) note(line)
            shown = line
            await systemClock.sleep(1_000, signal)
            status = await client.status(job)
          }
          if (flags.json)
            printJson({
              schema: 'pyti.submit/1',
              job,
              filename,
              sha256,
              phase: status.phase,
              reason: status.reason,
            })
          else print(`${job}  ${filename}  ${status.phase}${status.reason ? `: ${status.reason}` : ''}`)
          if (status.phase === 'unresolved') process.exitCode = exitCodes.negative
        }
      } finally {
        await client.close()
      }
    })
}
