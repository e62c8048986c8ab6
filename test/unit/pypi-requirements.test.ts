import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseMetadata } from '../../src/pypi/core-metadata.ts'
import { parseEggRequires } from '../../src/pypi/egg-info.ts'
import { linesOf, parseIni } from '../../src/pypi/ini.ts'
import { decideExtra, parseMarker, printMarker } from '../../src/pypi/marker.ts'
import { parseRequirement, printRequirement, withExtras } from '../../src/pypi/requirement.ts'
import { collectRequirements } from '../../src/pypi/requirements.ts'

function printed(text: string): string {
  const parsed = parseRequirement(text)
  return parsed.type === 'named' ? printRequirement(parsed.requirement) : parsed.type
}

test('requirements are read strictly and printed in one spelling', () => {
  for (const [text, normal] of [
    ['Requests', 'requests'],
    ['requests [Socks, use_chardet] (>= 2.8.1, == 2.8.*)', 'requests[socks,use-chardet]>=2.8.1,==2.8.*'],
    ['a.b_c~=1.0', 'a-b-c~=1.0'],
    ["tomli >=1 ;python_version<'3.11'", "tomli>=1 ; python_version < '3.11'"],
    ['x===1.0', 'x===1.0'],
    ['x==1.0+local,!=2.*', 'x==1.0+local,!=2.*'],
    ['x[]', 'x'],
    ['demo @ https://files.test/demo-1.0.whl', 'url'],
    ['demo@git+https://git.test/demo', 'url'],
    ['-e .', 'bad'],
    ['', 'bad'],
    ['x y', 'bad'],
    // What uv takes no lock with.
    ...['x===weird+1', 'x>=1.*', 'x~=1', 'x>1.0+local', 'x~=1.*', 'x==1.0.dev1.*', "x ; bar == 'y'"].map(
      text => [text, 'bad'] as const,
    ),
    ['x>=', 'bad'],
    ['x>=1;', 'bad'],
    ['x ; evil()', 'bad'],
    ['x ; python_version', 'bad'],
    ['x>=1 --hash=sha256:00', 'bad'],
    ['x[a;b]', 'bad'],
    ['x\n--index-url https://evil.test', 'bad'],
    ['x>=1\n-r /etc/passwd', 'bad'],
    [`x>=1${',>=1'.repeat(400)}`, 'bad'],
  ] as const)
    assert.equal(printed(text), normal, text)
})

test('markers are decided on extras and kept for the rest', () => {
  const left = (text: string, ...extras: string[]) => {
    const parsed = parseRequirement(text)
    assert.equal(parsed.type, 'named')
    const decided = parsed.type === 'named' ? withExtras(parsed.requirement, extras) : undefined
    return decided && printRequirement(decided)
  }
  assert.equal(left("x ; extra == 'test'"), undefined)
  assert.equal(left("x ; extra == 'test'", 'test'), 'x')
  assert.equal(left("x ; 'Foo.Bar' == extra", 'foo-bar'), 'x')
  assert.equal(left("x ; python_version < '3' and extra == 'test'", 'test'), "x ; python_version < '3'")
  assert.equal(
    left("x ; (os_name == 'nt' or sys_platform == 'x') and extra == 'a'", 'a'),
    "x ; os_name == 'nt' or sys_platform == 'x'",
  )
  assert.equal(left("x ; extra == 'a' or extra == 'b'", 'b'), 'x')
  assert.equal(left("x ; extra != 'a'"), 'x')
  assert.equal(
    left("x ; 'linux' in sys_platform and (os_name == 'a' or os_name == 'b')"),
    "x ; 'linux' in sys_platform and (os_name == 'a' or os_name == 'b')",
  )
})

test('markers that are none are refused, however deep', () => {
  for (const text of [
    '',
    '(',
    'a ==',
    "os_name == 'b' and",
    "os_name 'b'",
    "os_name not 'b'",
    "and == 'b'",
    "os_name == 'b') ",
    "a == 'b'",
  ])
    assert.equal(parseMarker(text), undefined, text)
  assert.equal(parseMarker(`${'('.repeat(100)}os_name == 'b'${')'.repeat(100)}`), undefined)
  assert.equal(parseMarker(Array(3_000).fill("os_name == 'b'").join(' and ')), undefined)
  const nested = parseMarker("os_name not  in 'b'")
  assert.ok(nested)
  assert.equal(printMarker(decideExtra(nested, () => false)), "os_name not in 'b'")
})

test('core metadata ends at the description', () => {
  const metadata = parseMetadata(
    'Metadata-Version: 2.1\r\nName: demo\nSummary: two\n  lines\nRequires-Dist: a\nRequires-Dist: b;\n c\n\nName: other\n',
  )
  assert.equal(metadata.name, 'demo')
  assert.deepEqual(metadata.requiresDist, ['a', 'b; c'])
  assert.equal(metadata.version, undefined)
})

test('ini files: continued lines, comments, and markers that are no comments', () => {
  const ini = parseIni(
    '[options]\ninstall_requires =\n    a>=1 ; python_version < "3"\n    # no\n\n    b # why\nx: 1\n',
  )
  assert.deepEqual(linesOf(ini.get('options')?.get('install_requires')), ['a>=1 ; python_version < "3"', 'b'])
  assert.equal(ini.get('options')?.get('x'), '1')
})

test('egg-info sections carry extras and markers', () => {
  const { run, extras } = parseEggRequires(
    'a\n\n[:python_version < "3"]\nb\n\n[test]\nc\n\n[test:os_name == "nt"]\nd\n',
  )
  assert.deepEqual(run, ['a', 'b ; python_version < "3"'])
  assert.deepEqual(extras.get('test'), ['c', 'd ; os_name == "nt"'])
})

function collect(files: Record<string, string>, kind: 'sdist' | 'wheel' = 'sdist') {
  return collectRequirements(new Map(Object.entries(files)), kind, 'demo')
}
const info = (...lines: string[]) =>
  ['Metadata-Version: 2.2', 'Name: Demo', 'Version: 1', ...lines, ''].join('\n')

test('a wheel: METADATA alone counts', () => {
  const found = collect(
    {
      'demo-1.dist-info/METADATA': info(
        'Requires-Python: >=3.9',
        'Requires-Dist: a>=1',
        "Requires-Dist: t ; extra == 'tests'",
        "Requires-Dist: sphinx ; extra == 'docs'",
        'Provides-Extra: tests',
        'Provides-Extra: docs',
      ),
    },
    'wheel',
  )
  assert.deepEqual(found, {
    build: [],
    run: ['a>=1'],
    test: ['t', 'pytest'],
    requiresPython: '>=3.9',
    refused: [],
    notes: [],
  })
})

test('build requirements: declared, default, and wheel for setuptools', () => {
  assert.deepEqual(collect({ 'PKG-INFO': info() }).build, ['setuptools>=40.8.0', 'wheel'])
  const flit = '[build-system]\nrequires = ["flit-core>=3"]\nbuild-backend = "flit_core.buildapi"\n'
  assert.deepEqual(collect({ 'pyproject.toml': flit }).build, ['flit-core>=3'])
  assert.equal(collect({ 'pyproject.toml': flit }).backend, 'flit_core.buildapi')
  const setuptools = '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
  const cfg = '[options]\nsetup_requires =\n  cython\n'
  assert.deepEqual(collect({ 'pyproject.toml': setuptools, 'setup.cfg': cfg }).build, [
    'setuptools',
    'wheel',
    'cython',
  ])
  assert.deepEqual(collect({ 'pyproject.toml': '[tool.x]\n' }).build, ['setuptools>=40.8.0', 'wheel'])
  const meson = '[build-system]\nrequires = ["meson-python"]\nbuild-backend = "mesonpy"\n'
  assert.ok(collect({ 'pyproject.toml': meson }).build.includes('ninja>=1.8.2'))
  const own = (requires: string) =>
    `[build-system]\nrequires = [${requires}]\nbuild-backend = "hooks"\nbackend-path = ["packaging"]\n`
  const wrapped = own('"setuptools>=47", "expandvars"')
  assert.deepEqual(collect({ 'pyproject.toml': wrapped }).build, ['setuptools>=47', 'expandvars', 'cython'])
  assert.deepEqual(collect({ 'pyproject.toml': own('"other"') }).build, ['other'])
})

test('the subject may build itself with its last release', () => {
  const own = '[build-system]\nrequires = ["demo", "other[x]"]\nbuild-backend = "demo.build"\n'
  assert.deepEqual(collect({ 'pyproject.toml': own }).build, ['demo', 'other[x]'])
})

test('run requirements of an sdist: the first source that says something', () => {
  const old = 'Metadata-Version: 1.2\nName: demo\nVersion: 1\n'
  const project = '[project]\nname = "demo"\ndependencies = ["from-project"]\n'
  const cfg = '[options]\ninstall_requires = from-cfg\n'
  const egg = { 'demo.egg-info/requires.txt': 'from-egg\n', 'demo.egg-info/dependency_links.txt': '\n' }
  const run = (files: Record<string, string>) => collect(files).run
  const all = { 'pyproject.toml': project, 'setup.cfg': cfg, ...egg }
  assert.deepEqual(run({ 'PKG-INFO': info('Requires-Dist: from-info'), ...all }), ['from-info'])
  assert.deepEqual(run({ 'PKG-INFO': info(), ...all }), [])
  assert.deepEqual(run({ 'PKG-INFO': info('Dynamic: Requires-Dist'), ...all }), ['from-egg'])
  assert.deepEqual(run({ 'PKG-INFO': old, ...all }), ['from-egg'])
  assert.deepEqual(run({ 'PKG-INFO': old, 'setup.cfg': cfg, 'demo.egg-info/dependency_links.txt': '' }), [])
  assert.deepEqual(run({ 'PKG-INFO': old, 'pyproject.toml': project, 'setup.cfg': cfg }), ['from-project'])
  assert.deepEqual(run({ 'PKG-INFO': old, 'setup.cfg': cfg }), ['from-cfg'])
  assert.match(collect({ 'setup.py': '' }).notes.join(), /only a build would tell/)
})

test('tests: a dedicated extra keeps dev, docs and lint out', () => {
  const found = collect({
    'PKG-INFO': info(
      "Requires-Dist: t>=1 ; extra == 'test'",
      "Requires-Dist: heavy ; extra == 'dev'",
      'Provides-Extra: test',
      'Provides-Extra: dev',
    ),
    'requirements-dev.txt': 'heavier\n',
  })
  assert.deepEqual(found.test, ['t>=1', 'pytest'])
})

test('tests: without one, dev counts, less what no test needs', () => {
  const found = collect({
    'PKG-INFO': info(),
    'pyproject.toml':
      '[dependency-groups]\ndev = ["hypothesis", "ruff>=1", "Sphinx-RTD", "pre_commit", "sphinx"]\n',
  })
  assert.deepEqual(found.test, ['hypothesis', 'pytest'])
})

test('tests: dependency groups are expanded, cycles refused', () => {
  const groups = [
    '[dependency-groups]',
    'Tests = ["a", {include-group = "more"}, {include-group = "gone"}]',
    'more = ["b", {include-group = "tests"}]',
  ].join('\n')
  const found = collect({ 'PKG-INFO': info(), 'pyproject.toml': groups })
  assert.deepEqual(found.test, ['a', 'b', 'pytest'])
  assert.match(found.notes.join('\n'), /include each other: tests -> more -> tests/)
  assert.match(found.notes.join('\n'), /group gone does not exist/)
})

test('tests: tox, tests_require and requirements files together', () => {
  const found = collect({
    'PKG-INFO': info("Requires-Dist: c ; extra == 'speed'", 'Provides-Extra: speed'),
    'tox.ini':
      '[testenv]\nextras = speed\ndeps =\n  -r{toxinidir}/requirements/base.txt\n  py27: old\n  {[x]deps}\n  d\n  .[speed]\n',
    'setup.cfg': '[options]\ntests_require = e\n',
    'requirements/base.txt': 'f==1 # pinned\n-c constraints.txt\n-r more.txt\n-r ../../escape.txt\n',
    'requirements/more.txt': 'g==2 \\\n  --hash=sha256:00\n-r base.txt\n',
    'requirements-test.txt': 'h==3\n',
    'requirements-test.in': 'h\n-e .\n-e git+https://git.test/x#egg=x\n../local\nhttps://files.test/x.whl\n',
  })
  assert.deepEqual(found.test, ['h', 'c', 'f==1', 'g==2', 'd', 'e', 'pytest'])
  assert.equal(found.notes.filter(note => note.includes('left out')).length, 5)
  assert.match(found.notes.join('\n'), /escape\.txt: not in the archive/)
})

test('pyproject: tox and hatch name test requirements too', () => {
  const text = [
    '[project]\nname = "demo"',
    '[dependency-groups]\nmine = ["m"]',
    '[tool.tox.env_run_base]\ndependency_groups = ["mine"]\ndeps = ["n"]',
    '[tool.hatch.envs.test]\ndependencies = ["o"]',
  ].join('\n')
  assert.deepEqual(collect({ 'PKG-INFO': info(), 'pyproject.toml': text }).test, ['o', 'm', 'n', 'pytest'])
})

test('the subject is replaced by what its extras stand for, cycles and all', () => {
  const found = collect({
    'PKG-INFO': info(
      "Requires-Dist: demo[more] ; extra == 'test' and python_version > '3'",
      "Requires-Dist: demo[test] ; extra == 'more'",
      "Requires-Dist: x ; extra == 'more'",
      "Requires-Dist: y>1 ; extra == 'more' and os_name == 'posix'",
      'Requires-Dist: demo>=1',
      'Provides-Extra: test',
      'Provides-Extra: more',
    ),
  })
  assert.deepEqual(found.run, [])
  assert.deepEqual(found.test, [
    "x ; python_version > '3'",
    "y>1 ; python_version > '3' and os_name == 'posix'",
    'pytest',
  ])
})

test('many extras that name each other do not explode', () => {
  const names = Array.from({ length: 30 }, (_, at) => `e${at}`)
  const lines = names.flatMap(extra => [
    `Provides-Extra: ${extra}`,
    `Requires-Dist: demo[${names.join(',')}] ; extra == '${extra}'`,
  ])
  const found = collect({
    'PKG-INFO': info(
      'Provides-Extra: test',
      `Requires-Dist: demo[${names.join(',')}] ; extra == 'test'`,
      ...lines,
    ),
  })
  assert.deepEqual(found.test, ['pytest'])
})

test('URLs and unreadable lines of run and build are refused, those of tests only noted', () => {
  const found = collect({
    'PKG-INFO': info(
      'Requires-Dist: a @ https://files.test/a.whl',
      "Requires-Dist: b @ https://x.test ; extra == 'test'",
      'Requires-Dist: !!',
      'Provides-Extra: test',
    ),
    'requirements-test.txt': 'c @ https://files.test/c.whl\n',
  })
  assert.deepEqual(found.run, [])
  assert.ok(found.refused.some(({ requirement }) => requirement.startsWith('a @')))
  assert.ok(found.refused.every(({ group }) => group === 'run'))
  assert.ok(found.notes.some(note => note.includes('left out "c @')))
  assert.deepEqual(found.test, ['pytest'])
})

test('broken files are notes, not errors', () => {
  const found = collect({ 'pyproject.toml': '[[[', 'setup.cfg': '\u0000[[', 'tox.ini': '=\n=' })
  assert.match(found.notes.join(), /not TOML/)
  assert.deepEqual(found.build, ['setuptools>=40.8.0', 'wheel'])
  const odd = collect({
    'pyproject.toml':
      'project = 1\nbuild-system = []\ndependency-groups = "x"\n[tool]\ntox = 3\nhatch.envs = []\n',
  })
  assert.deepEqual(odd.test, ['pytest'])
})
