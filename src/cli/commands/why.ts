import { join } from 'node:path'
import { Command } from 'commander'
import { auditWords } from '../../attest/audit/chronicle.ts'
import {
  type Answer,
  type Audited,
  askWhy,
  type JobAnswer,
  type ReportAnswer,
  type VolunteerAnswer,
} from '../../attest/audit/why.ts'
import { openLogSource } from '../log-source.ts'
import { jsonOption } from '../options.ts'
import { note, print, printJson } from '../output.ts'
import { findPaths } from '../paths.ts'

interface Flags {
  log: string
  key?: string
  json?: boolean
}

export function whyCommand(): Command {
  return new Command('why')
    .summary('ask a log why a volunteer, a job or a report is what it is')
    .description(
      'Replays a log and tells what is in it of one volunteer (what it has earned, strikes, bans, seats), one job (class, draw, seats, answers, decision), or the reports on one file (live or not, and what they rest on).',
    )
    .argument('<subject>', "a volunteer's peer id, a job, or the id, file name or SHA-256 of a report")
    .option('--log <log>', 'folder or http(s) URL of the log', join(findPaths().data, 'coordinator', 'log'))
    .option('--key <vkey>', 'key of the log that you trust')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Examples:
  pyti why 12D3KooW...
  pyti why six-1.17.0-py2.py3-none-any.whl --log https://log.example/pyti

Exit code: 0 answered; 1 the log knows nothing of it, or cannot be read.`,
    )
    .action(async (subject: string, flags: Flags) => {
      const { audit, answers } = await askWhy(openLogSource(flags.log), subject, {
        key: flags.key,
        tail: 256,
      })
      if (flags.json) return printJson({ schema: 'pyti.why/1', logOk: audit.ok, answers })
      if (!audit.ok) note('warning: this log is not as it should be; see `pyti audit`')
      for (const answer of answers) for (const line of linesOf(answer)) print(line)
    })
}

function linesOf(answer: Answer): string[] {
  if (answer.about === 'volunteer') return volunteerLines(answer)
  return answer.about === 'job' ? jobLines(answer) : reportLines(answer)
}

function volunteerLines(one: VolunteerAnswer): string[] {
  const later = one.vouchedLater.at(-1)
  const since = later ? ` since leaf ${later.leaf}` : ''
  const vouched = one.vouched
    ? `, vouched for as ${one.vouched}${since}`
    : one.dismissed === undefined
      ? ''
      : `, no referee any more since leaf ${one.dismissed}`
  return [
    `volunteer ${one.volunteer}`,
    `  operated by ${one.operator}, here since ${dateOf(one.since)}${vouched}`,
    `  ${one.established ? 'its answers count' : 'its answers do not count'}: ${thousandths(one.checks)} checks, weight ${thousandths(one.weight)} as of ${dateOf(one.day)}`,
    one.banned
      ? `  banned (${one.banned.why}) by the end of job ${one.banned.job}, leaf ${one.banned.leaf}`
      : '  not banned',
    `  ${one.votes} answers, ${one.strikes.length} of them refuted${list(one.strikes.map(strike => `job ${strike.job}`))}`,
    ...one.suspected.map(
      suspected => `  suspected with others in job ${suspected.job}: ${runsOf(suspected)}`,
    ),
    ...one.alike.map(tag => `  taken for one with another: ${tag}`),
    `  ${one.seats.length} seats${list(one.seats.map(({ job, role, end, result }) => `job ${job}: ${role}, ${end}${result ? `, ${result}` : ''}`))}`,
    `  passed over ${one.passed.length} times${list(one.passed.map(job => `job ${job}`))}`,
    '',
  ]
}

function jobLines(job: JobAnswer): string[] {
  const { draw, rules } = job
  return [
    `job ${job.job}${job.file ? ` (${job.file})` : ''}: leaf ${job.leaves.task} to ${job.leaves.close}`,
    `  class ${job.jobClass.final}: ${job.jobClass.why}`,
    `  rules: ${rules.quorum} of distinct operators must agree, ${rules.seats} seats, ${rules.spotReferees} spot referees, odds ${rules.odds}`,
    ...(draw
      ? [
          `  drawn from the roster in leaf ${draw.roster} with the beacon in leaf ${draw.beacon}, seed ${draw.seed}, for ${draw.platform}`,
          `  passed over${list(draw.passed)}`,
          ...(draw.skipped.length > 0
            ? [`  ranked better, but neither seated nor passed${list(draw.skipped)}`]
            : []),
        ]
      : ['  not drawn']),
    '  seats, in the order they were given out',
    ...job.seats.map(
      ({ volunteer, role, operator, weight, end, rank }) =>
        `    ${role.padEnd(8)} ${volunteer} (${operator}, weight ${thousandths(weight)}): ${end}${rank ? `, rank ${rank.slice(0, 12)}` : ''}`,
    ),
    '  answers',
    ...job.groups.map(
      ({ answer, accepted, volunteers }) =>
        `    ${answer.slice(0, 12)} ${accepted ? '(accepted) ' : ''}by ${volunteers.length}: ${volunteers.join(', ')}`,
    ),
    `  from these follows ${job.decision}; it ended ${job.outcome}${job.reason ? `: ${job.reason}` : ''}`,
    ...(job.report
      ? [`  report ${job.report}${job.withdrawn ? `, withdrawn because of job ${job.withdrawn}` : ''}`]
      : []),
    `  consequences${list(job.consequences)}`,
    ...auditLines(job.audited),
    ...(job.suspected ? [`  suspected: ${runsOf(job.suspected)}`] : []),
    '',
  ]
}

function runsOf({ refuted, bornOut }: VolunteerAnswer['suspected'][number]): string {
  const runs = `${refuted} referee runs came to another answer`
  return bornOut ? `${runs}, then one to theirs: the job does not repeat` : `${runs}, none to theirs`
}

/** Of a job that no referee was asked to run again there is nothing to say. */
function auditLines({ result, failed }: Audited): string[] {
  if (result !== undefined) return [`  audited: a referee ran it again: ${auditWords[result]}`]
  if (failed.length === 0) return []
  const runs = failed.map(({ job, leaf, reason }) => `job ${job}, leaf ${leaf}: ${reason}`)
  return [`  not audited: ${failed.length} times no referee could run it again${list(runs)}`]
}

function reportLines(one: ReportAnswer): string[] {
  const why =
    one.state === 'live'
      ? ''
      : one.state === 'withdrawn'
        ? ` because of the end of job ${one.because}`
        : ` by report ${one.because}`
  return [
    `report ${one.report} on ${one.file}, number ${one.sequence}: "${one.verdict}" (leaf ${one.leaf})`,
    `  ${one.state}${why}`,
    `  made for job ${one.job}, rests on${list(
      one.restsOn.map(
        ({ volunteer, operator, role, weight, bannedSince }) =>
          `${volunteer} (${operator}, ${role}, weight ${thousandths(weight)})${bannedSince ? ', banned since' : ''}`,
      ),
    )}`,
    ...auditLines(one.audited),
    `  does not count${list(one.excluded.map(({ volunteer, role, reason }) => `${volunteer} (${role}): ${reason}`))}`,
    '',
  ]
}

function list(items: readonly string[]): string {
  return items.length === 0 ? ': none' : `:${items.map(item => `\n    ${item}`).join('')}`
}

function thousandths(value: number): string {
  return (value / 1_000).toFixed(1)
}

function dateOf(day: number): string {
  return new Date(day * 86_400_000).toISOString().slice(0, 10)
}
