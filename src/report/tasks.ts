import type { RawData, TestOutcome } from '../wire/raw-data.ts'
import { endsByOutcomes } from './agreed.ts'
import { listLength, type TaskResults } from './evaluation.ts'
import { pylintScoreX100 } from './pylint-score.ts'

type Tasks = RawData['tasks']
type Stable<T extends keyof Tasks> = NonNullable<Tasks[T]>['stable']

const notRequested = { status: 'not-run', reason: 'not-requested' } as const
/** Counts come from a guest: beyond this they say nothing, and their sum must stay a safe integer. */
const countCeiling = 1_000_000_000

/**
 * Results of all tasks from one raw data, with the outcomes its agreeing volunteers settled on.
 * @param coverage see `coverageOf`
 * @param sameEnd whether they all saw `unittest` end alike; otherwise its status is worked out from the outcomes
 */
export function taskResults(
  rawData: RawData,
  outcomes: ReadonlyMap<string, TestOutcome>,
  sameEnd: boolean,
  coverage?: TaskResults['unittest']['coverage'],
): TaskResults {
  const { static: looked, build, install, start, import: imported, scripts } = rawData.tasks
  const { unittest, quality, clocks, idle, uninstall } = rawData.tasks
  const absent =
    rawData.intake.stable.archive === 'ok' ? notRequested : { ...notRequested, reason: 'bad-input' as const }
  return {
    static: looked
      ? staticResult(looked.stable)
      : { ...absent, ruleset: '', findings: 0, topRules: [], checks: 0, checksFailed: [] },
    build: build ? buildResult(build.stable) : absent,
    install: install
      ? installResult(install.stable)
      : { ...absent, files: 0, conflicts: [], conflictCount: 0 },
    start: start ? outcomeOf(start.stable) : absent,
    import: imported
      ? importResult(imported.stable)
      : { ...absent, modules: 0, passed: 0, failed: 0, failedModules: [] },
    scripts: scripts
      ? scriptsResult(scripts.stable)
      : { ...absent, scripts: 0, passed: 0, failed: 0, failedScripts: [] },
    unittest: unittest
      ? { ...unittestResult(unittest.stable, outcomes, sameEnd), ...(coverage && { coverage }) }
      : { ...absent, ...countTests(outcomes), omitted: 0 },
    quality: quality ? qualityResult(quality.stable) : { ...absent, tools: [], messages: 0, linesOfCode: 0 },
    clocks: clocks ? clocksResult(clocks.stable) : { ...absent, shifts: [] },
    idle: idle ? outcomeOf(idle.stable) : absent,
    uninstall: uninstall ? uninstallResult(uninstall.stable) : { ...absent, left: 0, leftFiles: [] },
  }
}

function outcomeOf({ status, reason, exitCode, signal }: Stable<'start'>) {
  return {
    status,
    ...(reason === undefined ? {} : { reason }),
    ...(exitCode === undefined ? {} : { exitCode }),
    ...(signal === undefined ? {} : { signal }),
  }
}

function staticResult(stable: Stable<'static'>): TaskResults['static'] {
  const byRule = Map.groupBy(stable.findings, finding => finding.rule)
  const ranked = [...byRule]
    .map(([rule, found]) => ({ rule, count: found.length }))
    .sort((a, b) => b.count - a.count || (a.rule < b.rule ? -1 : 1))
  const grades = Object.entries(stable.grades).sort(([a], [b]) => (a < b ? -1 : 1))
  const failed = grades.filter(([, why]) => why !== 'passed')
  return {
    ...outcomeOf(stable),
    ruleset: stable.ruleset,
    findings: stable.findings.length + Math.min(stable.findingsOmitted, countCeiling),
    topRules: ranked.slice(0, listLength),
    checks: grades.length,
    checksFailed: failed.slice(0, listLength).map(([check, why]) => ({ check, why })),
    ...(stable.metadataScore === undefined ? {} : { metadataScore: stable.metadataScore }),
    ...(stable.declared === undefined ? {} : { declared: stable.declared }),
  }
}

function scriptsResult(stable: Stable<'scripts'>): TaskResults['scripts'] {
  const failed = stable.scripts.filter(script => script.outcome !== 'passed')
  return {
    ...outcomeOf(stable),
    scripts: stable.scripts.length + Math.min(stable.scriptsOmitted, countCeiling),
    passed: stable.scripts.length - failed.length,
    failed: failed.length,
    failedScripts: failed.slice(0, listLength),
  }
}

function clocksResult(stable: Stable<'clocks'>): TaskResults['clocks'] {
  const shifts = stable.shifts.map(({ days, modules, tests, events }) => ({
    days,
    modules: modules.length,
    tests: tests.length,
    events: events.length,
  }))
  return { ...outcomeOf(stable), shifts }
}

function uninstallResult(stable: Stable<'uninstall'>): TaskResults['uninstall'] {
  return {
    ...outcomeOf(stable),
    left: stable.left.length,
    leftFiles: stable.left.slice(0, listLength),
  }
}

function buildResult(stable: Stable<'build'>): TaskResults['build'] {
  return { ...outcomeOf(stable), ...(stable.wheel ? { wheel: stable.wheel.filename } : {}) }
}

function installResult(stable: Stable<'install'>): TaskResults['install'] {
  return {
    ...outcomeOf(stable),
    files: stable.files.length + Math.min(stable.filesOmitted, countCeiling),
    conflicts: stable.conflicts.slice(0, listLength),
    conflictCount: stable.conflicts.length,
  }
}

function importResult(stable: Stable<'import'>): TaskResults['import'] {
  const failed = stable.modules.filter(module => module.outcome !== 'passed')
  return {
    ...outcomeOf(stable),
    modules: stable.modules.length + Math.min(stable.modulesOmitted, countCeiling),
    passed: stable.modules.length - failed.length,
    failed: failed.length,
    failedModules: failed.slice(0, listLength),
  }
}

function unittestResult(
  stable: Stable<'unittest'>,
  outcomes: ReadonlyMap<string, TestOutcome>,
  sameEnd: boolean,
): TaskResults['unittest'] {
  const { exitCode: _, ...withoutCode } = stable
  const own = outcomeOf(endsByOutcomes(stable) ? withoutCode : stable)
  const found = statusOf(new Set(outcomes.values()))
  // The worse of the two: a guest that says `passed` over failed tests, or `failed` over passed ones, does not pass.
  const outweighs = found.status !== 'passed' && (own.status === 'passed' || endsByOutcomes(stable))
  const end = outweighs || !sameEnd ? found : own
  return {
    ...end,
    ...(stable.runner === undefined ? {} : { runner: stable.runner }),
    ...countTests(outcomes),
    omitted: Math.min(stable.testsOmitted, countCeiling),
  }
}

/** A flaky test can end the task differently for each volunteer: the end is worked out from the merged outcomes. */
function statusOf(seen: ReadonlySet<TestOutcome>): Pick<TaskResults['unittest'], 'status' | 'reason'> {
  if (seen.has('failed') || seen.has('error')) return { status: 'failed', reason: 'tests-failed' }
  if (seen.has('flaky')) return { status: 'flaky' }
  const ran = seen.has('passed') || seen.has('xfailed') || seen.has('xpassed')
  if (seen.has('needs-network') && !ran) return { status: 'unsupported', reason: 'needs-network' }
  return { status: 'passed' }
}

function countTests(outcomes: ReadonlyMap<string, TestOutcome>) {
  const by = Map.groupBy(outcomes.keys(), test => outcomes.get(test) ?? 'error')
  const count = (outcome: TestOutcome) => by.get(outcome)?.length ?? 0
  const list = (...wanted: TestOutcome[]) =>
    wanted.flatMap(outcome => by.get(outcome) ?? []).slice(0, listLength)
  return {
    passed: count('passed'),
    failed: count('failed'),
    errors: count('error'),
    skipped: count('skipped') + count('xfailed'),
    xpassed: count('xpassed'),
    flakyCount: count('flaky'),
    flaky: list('flaky'),
    needsNetworkCount: count('needs-network'),
    needsNetwork: list('needs-network'),
    failedTests: list('failed', 'error'),
  }
}

function qualityResult(stable: Stable<'quality'>): TaskResults['quality'] {
  const tools = stable.tools.map(row => {
    const { tool, version, status, counts } = row
    const scoreX100 = pylintScoreX100(row)
    const ranked = Object.entries(counts).sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))
    const topCodes = ranked
      .slice(0, 5)
      .map(([code, count]) => ({ code, count: Math.min(count, countCeiling) }))
    const score = scoreX100 === undefined ? {} : { scoreX100 }
    return { tool, version, status, messages: sum(ranked.map(([, count]) => count)), ...score, topCodes }
  })
  const messages = sum(tools.map(tool => tool.messages))
  const lines = Math.min(stable.linesOfCode, countCeiling)
  return {
    ...outcomeOf(stable),
    tools,
    messages,
    linesOfCode: lines,
    ...(lines === 0 ? {} : { messagesPerKlocX100: Math.round((messages * 100_000) / lines) }),
  }
}

function sum(counts: number[]): number {
  return counts.reduce((total, count) => Math.min(total + count, countCeiling), 0)
}
