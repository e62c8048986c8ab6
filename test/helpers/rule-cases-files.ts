import type { FindingLevel } from '../../src/report/evaluation.ts'
import type { TaskName } from '../../src/wire/job.ts'
import type { FileChange, RawData } from '../../src/wire/raw-data.ts'
import { clocksJob, fileChange, testRawData, withTask } from './raw-data.ts'

/** Raw data that meets a rule in a phase, at the rule's own level or a lower one. */
export type RuleExample = [rule: string, what: string, rawData: RawData, phase: string, level?: FindingLevel]
/** Raw data that does not meet a rule above the level that is named; not at all when none is. */
export type RuleCounterExample = [rule: string, what: string, rawData: RawData, atMost?: FindingLevel]

export const base = testRawData({ job: clocksJob() })

export function left(task: TaskName, path: string, change: Partial<FileChange> = {}): RawData {
  return withTask(base, task, { changes: [fileChange(path, change)] })
}

/** The distribution installs these files beside its module. */
export function installing(rawData: RawData, ...paths: string[]): RawData {
  const files = rawData.tasks.install?.stable.files ?? []
  return withTask(rawData, 'install', {
    files: [...files, ...paths.map(path => ({ path, sha256: '0'.repeat(64) }))],
  })
}

const own = '{site}/sample/__init__.py'
const withModule = (outcome: 'error' | 'signal' | 'timeout' | 'killed', signal?: string) =>
  withTask(base, 'import', { modules: [{ name: 'sample', outcome, ...(signal ? { signal } : {}) }] })

export const fileExamples: RuleExample[] = [
  [
    'tamper',
    'an agent that was ended',
    withTask(base, 'import', { status: 'failed', reason: 'tampered' }),
    'import',
  ],
  ['persistence', 'a shell start file', left('import', '{home}/.bashrc', { kind: 'changed' }), 'import'],
  ['persistence', 'another shell start file', left('build', '{home}/.zshrc'), 'build'],
  ['persistence', 'an autostart entry', left('import', '{home}/.config/autostart/x.desktop'), 'import'],
  ['persistence', 'a systemd user unit', left('import', '{home}/.config/systemd/user/x.service'), 'import'],
  ['persistence', 'a crontab', left('import', '/var/spool/cron/crontabs/user'), 'import'],
  ['persistence', 'an SSH key', left('import', '{home}/.ssh/authorized_keys'), 'import'],
  ['persistence', 'a git hook', left('import', '{home}/project/.git/hooks/pre-commit'), 'import'],
  ['persistence', 'the configuration of pip', left('build', '{home}/.config/pip/pip.conf'), 'build'],
  ['persistence', 'upload credentials', left('import', '{home}/.pypirc'), 'import'],
  ['persistence', 'a .pth at import', left('import', '{site}/hook.pth'), 'import'],
  ['persistence', 'a .start at import', left('import', '{site}/hook.start'), 'import'],
  ['persistence', 'a sitecustomize', left('import', '{site}/sitecustomize.py'), 'import'],
  [
    'persistence',
    'a usercustomize of the user',
    left('import', '{home}/.local/lib/python3.13/site-packages/usercustomize.py'),
    'import',
  ],
  [
    'persistence',
    'a .pth that the installation added but does not own',
    left('install', '{site}/hook.pth'),
    'install',
  ],
  [
    'persistence',
    'a change to its own .pth later',
    left('import', '{site}/own.pth', { kind: 'changed' }),
    'import',
  ],
  [
    'foreign-file-changed',
    'an overwritten module',
    left('install', '{site}/other/api.py', { kind: 'changed' }),
    'install',
  ],
  [
    'foreign-file-changed',
    'a deleted module',
    left('unittest', '{site}/other/api.py', { kind: 'deleted', type: 'other' }),
    'unittest',
    'observed',
  ],
  [
    'foreign-file-changed',
    'an overwritten program',
    left('import', '{scripts}/pip', { kind: 'changed' }),
    'import',
  ],
  [
    'foreign-file-changed',
    'a file it claims but that was there before',
    installing(left('install', '{site}/other/api.py', { kind: 'changed' }), '{site}/other/api.py'),
    'install',
  ],
  ['start-hook', 'a .pth of its own', installing(base, '{site}/own.pth'), 'install'],
  [
    'fatal-signal',
    'a crash of the tests',
    withTask(base, 'unittest', { status: 'failed', reason: 'signal', signal: 'SIGSEGV' }),
    'unittest',
  ],
  ['fatal-signal', 'a crash of a module', withModule('signal', 'SIGILL'), 'import'],
  ['resource-limit', 'a timeout', withTask(base, 'build', { status: 'failed', reason: 'timeout' }), 'build'],
  [
    'resource-limit',
    'too little memory',
    withTask(base, 'unittest', { status: 'failed', reason: 'out-of-memory' }),
    'unittest',
  ],
  [
    'resource-limit',
    'a full disk',
    withTask(base, 'build', { status: 'failed', reason: 'disk-full' }),
    'build',
  ],
  [
    'resource-limit',
    'too many processes',
    withTask(base, 'import', { status: 'failed', reason: 'process-limit' }),
    'import',
  ],
  [
    'resource-limit',
    'too much output',
    withTask(base, 'import', { status: 'failed', reason: 'output-limit' }),
    'import',
  ],
  ['resource-limit', 'a module that takes for ever', withModule('timeout'), 'import'],
  ['changes-outside', 'a file in the home folder', left('import', '{home}/.cache/sample/model'), 'import'],
  ['changes-outside', 'a shell start file written by a test', left('unittest', '{home}/.bashrc'), 'unittest'],
  ['changes-outside', 'a change to its own module', left('import', own, { kind: 'changed' }), 'import'],
  ['changes-cut', 'changes left out', withTask(base, 'build', { changesOmitted: 4 }), 'build'],
]

export const fileCounterExamples: RuleCounterExample[] = [
  [
    'tamper',
    'an ordinary failure',
    withTask(base, 'import', { status: 'failed', reason: 'exit-code', exitCode: 1 }),
  ],
  ['persistence', 'a shell start file written by a test', left('unittest', '{home}/.bashrc'), 'observed'],
  ['persistence', 'a sample .bashrc in the sources', left('build', '{build}/source/.bashrc')],
  ['persistence', 'a file whose name only looks alike', left('import', '{home}/.bashrc.d.txt')],
  [
    'persistence',
    'a deleted start file',
    left('import', '{home}/.profile', { kind: 'deleted', type: 'other' }),
  ],
  ['persistence', 'model weights named .pth', left('import', '{home}/.cache/torch/model.pth')],
  [
    'persistence',
    'its own .pth at installation',
    installing(left('install', '{site}/own.pth'), '{site}/own.pth'),
  ],
  [
    'persistence',
    'its own .pth that is no start hook',
    installing(left('install', '{site}/sample/model.pth'), '{site}/sample/model.pth'),
  ],
  ['persistence', 'an empty folder', left('import', '{home}/.ssh/', { type: 'directory' })],
  ['foreign-file-changed', 'a new file', left('import', '{site}/other/new.py')],
  ['foreign-file-changed', 'a change to its own module', left('import', own, { kind: 'changed' })],
  [
    'foreign-file-changed',
    'the environment of the build',
    left('build', '{build-venv}/lib/x.py', { kind: 'changed' }),
  ],
  ['start-hook', 'weights named .pth in its module', installing(base, '{site}/sample/model.pth')],
  [
    'fatal-signal',
    'a process that was killed from outside',
    withTask(base, 'unittest', { status: 'failed', reason: 'signal', signal: 'SIGKILL' }),
  ],
  ['fatal-signal', 'a module with an exception', withModule('error')],
  [
    'resource-limit',
    'failing tests',
    withTask(base, 'unittest', { status: 'failed', reason: 'tests-failed' }),
  ],
  ['changes-outside', 'its own files at installation', left('install', own)],
  [
    'changes-outside',
    'the metadata an installer adds',
    installing(
      left('install', '{site}/sample-1.0.dist-info/INSTALLER'),
      '{site}/sample-1.0.dist-info/METADATA',
    ),
  ],
  ['changes-outside', 'work in the build folder', left('build', '{build}/source/build/lib/sample.py')],
  ['changes-outside', 'work in the folder of the tests', left('unittest', '{tests}/out.txt')],
  [
    'changes-outside',
    'compiled modules',
    left('import', '{site}/sample/__pycache__/__init__.cpython-313.pyc'),
  ],
  ['changes-cut', 'a short list of changes', left('import', '{home}/x')],
]
