import assert from 'node:assert/strict'
import fc from 'fast-check'
import { parseMetadata } from '../../src/pypi/core-metadata.ts'
import { parseAnchors } from '../../src/pypi/html-anchors.ts'
import { parseHtmlPage, parseJsonPage } from '../../src/pypi/index-page.ts'
import { parseIni } from '../../src/pypi/ini.ts'
import { parseLock as parsePylock } from '../../src/pypi/lock.ts'
import { parseMarker, printMarker } from '../../src/pypi/marker.ts'
import { tryParseFilename } from '../../src/pypi/names.ts'
import { parsePyproject } from '../../src/pypi/pyproject.ts'
import { parseRequirement, printRequirement } from '../../src/pypi/requirement.ts'
import { collectRequirements } from '../../src/pypi/requirements.ts'
import { meetsSpecifiers } from '../../src/pypi/specifiers.ts'
import { compareVersions, parseVersion } from '../../src/pypi/version.ts'
import { parseXml } from '../../src/pypi/xml.ts'
import { callXmlRpc } from '../../src/pypi/xml-rpc.ts'
import { parseLock as parseImageLock } from '../../src/sandbox/image/lock.ts'
import { IntakeStable } from '../../src/wire/raw-data.ts'
import { fuzz, mutatedJson, mutatedText, outcomeOf } from '../helpers/fuzz.ts'

const metadata = [
  'Metadata-Version: 2.2',
  'Name: sample',
  'Version: 1.0',
  'Requires-Python: >=3.9,!=3.10.*',
  'Requires-Dist: six>=1.0 ; python_version < "3.13" and (extra == "Test" or extra == "all")',
  'Requires-Dist: other[x,y] (~=2.0)',
  'Requires-Dist: local @ https://files.test/a.whl ; extra == "url"',
  'Requires-Dist: sample[test]; extra == "all"',
  'Provides-Extra: test',
  'Provides-Extra: all',
  'Dynamic: License',
  '',
  'A description: long.',
].join('\n')
const pyproject = `
[build-system]
requires = ["setuptools>=61", "wheel"]
build-backend = "setuptools.build_meta"
[project]
name = "sample"
dependencies = ["six>=1"]
dynamic = ["version"]
[project.optional-dependencies]
test = ["pytest", "sample[other]"]
[dependency-groups]
test = ["coverage", {include-group = "base"}]
base = ["six"]
[tool.tox.env_run_base]
deps = ["-r requirements/test.txt"]
dependency_groups = ["test"]
[tool.hatch.envs.test]
dependencies = ["hypothesis"]
[tool.pdm.dev-dependencies]
test = ["mock"]
`
const setupCfg =
  '[options]\ninstall_requires =\n  six >= 1 ; python_version<"3"\n  other # why\n[options.extras_require]\ntest = pytest\n'
const tox =
  '[tox]\nenvlist = py3\n[testenv]\ndeps =\n  pytest\n  -rrequirements/test.txt\n  py38: mock\nextras = test, all\n'
const requirementFile =
  '-r other.txt\nsix==1.0 --hash=sha256:00 \\\n  --hash=sha256:11\n-e .[test]\n./local\n# note\npytest # runner\n'
const eggRequires = 'six\n\n[test]\npytest\n\n[other:python_version<"3"]\nmock\n'
const tokens = [
  ...[
    '[',
    ']',
    '(',
    ')',
    '{',
    '}',
    '"',
    "'",
    '"""',
    '=',
    '==',
    '===',
    '~=',
    '!=',
    '<',
    '>',
    ',',
    ';',
    ':',
    '.',
    '-r ',
    '@',
    '*',
  ],
  ...[
    ' #',
    '#',
    '\\',
    '\\\n',
    '\n',
    '\n  ',
    '\n[',
    'extra',
    ' and ',
    ' or ',
    'not in ',
    'in ',
    'python_version',
    '1!2.0rc1.post2.dev3+a.b',
  ],
  ...[
    '<a href="',
    '</a>',
    '<!--',
    '-->',
    '<![CDATA[',
    '<?',
    '&#x',
    '&amp;',
    '<!DOCTYPE a [',
    '<value>',
    '</value>',
    '<int>',
  ],
  ...[
    'include-group',
    '[dependency-groups]\n',
    'Requires-Dist: ',
    'Provides-Extra: ',
    '\\uD800',
    '\\U0001F600',
    ' --hash=',
  ],
]

const requirementText = mutatedText(
  [
    'six',
    'other[x,Y] (>=1.0,<2) ; python_version < "3.13"',
    'a~=1.0;extra=="b" or (os_name=="nt" and extra!="c")',
    'a @ https://b.test/c ; extra == "d"',
  ],
  tokens,
)

fuzz(
  'requirements of a distribution are read or refused, whatever its texts hold',
  fc.record({
    info: mutatedText([metadata], tokens),
    pyproject: mutatedText([pyproject], tokens),
    setupCfg: mutatedText([setupCfg], tokens),
    tox: mutatedText([tox], tokens),
    lines: mutatedText([requirementFile], tokens),
    egg: mutatedText([eggRequires], tokens),
    isWheel: fc.boolean(),
    hasEgg: fc.boolean(),
  }),
  300,
  texts => {
    const files = new Map([
      ['pyproject.toml', texts.pyproject],
      ['setup.cfg', texts.setupCfg],
      ['tox.ini', texts.tox],
      ['requirements/test.txt', texts.lines],
      ['requirements/other.txt', requirementFile],
      [texts.isWheel ? 'sample.dist-info/METADATA' : 'PKG-INFO', texts.hasEgg ? 'Name: sample' : texts.info],
      ...(texts.hasEgg ? [['sample.egg-info/requires.txt', texts.egg] as const] : []),
    ])
    const found = collectRequirements(files, texts.isWheel ? 'wheel' : 'sdist', 'sample')
    for (const group of ['build', 'run', 'test'] as const)
      for (const text of found[group]) assert.equal(parseRequirement(text).type, 'named', text)
  },
)

fuzz(
  'each text format has an answer for every text',
  fc.oneof(...[metadata, pyproject, setupCfg, eggRequires].map(text => mutatedText([text], tokens))),
  500,
  text => {
    parseMetadata(text)
    parsePyproject(text)
    parseIni(text)
    parseAnchors(text)
    tryParseFilename(text)
    tryParseFilename(text, 'sample')
  },
)

fuzz(
  'a requirement that is read is printed in a form that is read the same',
  requirementText,
  1_000,
  text => {
    const first = parseRequirement(text)
    if (first.type !== 'named') return
    const printed = printRequirement(first.requirement)
    const second = parseRequirement(printed)
    // Spaces around operators may take it over the length limit.
    if (printed.length > 1_000) return
    assert.equal(second.type, 'named', printed)
    if (second.type === 'named') assert.equal(printRequirement(second.requirement), printed)
  },
)

fuzz('a marker that is read is printed in a form that is read the same', requirementText, 1_000, text => {
  const marker = parseMarker(text)
  if (marker) assert.deepEqual(parseMarker(printMarker(marker)), marker)
})

const versionText = mutatedText(
  ['1.0', '1!2.0rc1.post2.dev3+a.b-7', 'v2.0-alpha.1', '1.0-2', '2024.10.11', '1.0.dev0'],
  ['0', '9', '.', '-', '_', '+', '!', 'a', 'rc', 'post', 'dev', 'v', ' '],
)
fuzz(
  'versions have a normal form and one order',
  fc.tuple(versionText, versionText, versionText),
  1_000,
  texts => {
    const [a, b, c] = texts.map(parseVersion)
    if (a) {
      const again = parseVersion(a.text)
      if (a.text.length <= 200) assert.equal(again?.text, a.text)
      assert.equal(compareVersions(a, a), 0)
    }
    if (a && b) assert.equal(Math.sign(compareVersions(a, b)) + Math.sign(compareVersions(b, a)), 0)
    if (a && b && c && compareVersions(a, b) <= 0 && compareVersions(b, c) <= 0)
      assert.ok(compareVersions(a, c) <= 0, texts.join(' '))
  },
)

fuzz(
  'specifier sets hold, do not hold, or cannot be read',
  fc.tuple(versionText, mutatedText(['>=3.9,!=3.10.*', '~=1.4.2', '===abc', '<2'], tokens)),
  1_000,
  ([version, set]) => {
    assert.ok([true, false, undefined].includes(meetsSpecifiers(version, set)))
  },
)

const sha = 'a'.repeat(64)
const jsonPage = {
  meta: { 'api-version': '1.1' },
  name: 'sample',
  files: [
    {
      filename: 'sample-1.0.tar.gz',
      url: '/f/sample-1.0.tar.gz',
      hashes: { sha256: sha },
      size: 5,
      'upload-time': '2024-01-02T03:04:05Z',
    },
    {
      filename: 'sample-1.0-py3-none-any.whl',
      url: 'https://files.test/s.whl',
      hashes: {},
      yanked: 'why',
      'requires-python': '>=3',
      'core-metadata': { sha256: sha },
    },
  ],
}
const htmlPage = `<!DOCTYPE html><html><head><base href="https://files.test/"><meta name="pypi:repository-version" content="1.1"></head><body>
<!-- note --><a href="sample-1.0.tar.gz#sha256=${sha}" data-requires-python="&gt;=3" data-size=5>sample-1.0.tar.gz</a><br/>
<a href='../sample-1.0-py3-none-any.whl' data-yanked>x</a></body></html>`
const checkFiles = (files: { url: string; filename: string }[]) => {
  for (const { url, filename } of files) {
    assert.match(url, /^https?:/)
    assert.equal(tryParseFilename(filename, 'sample')?.project, 'sample')
  }
}
fuzz(
  'a JSON index page is read or refused',
  fc.oneof(
    mutatedJson([jsonPage]).map(page => JSON.stringify(page) ?? ''),
    mutatedText([JSON.stringify(jsonPage)], tokens),
  ),
  500,
  async text => {
    const { value } = await outcomeOf(['bad-index-page'], () =>
      parseJsonPage(text, 'sample', 'https://index.test/simple/sample/'),
    )
    checkFiles(value?.files ?? [])
  },
)
fuzz('an HTML index page is read or refused', mutatedText([htmlPage], tokens), 500, async text => {
  const { value } = await outcomeOf(['bad-index-page'], () =>
    parseHtmlPage(text, 'sample', 'https://index.test/simple/sample/'),
  )
  checkFiles(value?.files ?? [])
})

const answer =
  '<?xml version="1.0"?><methodResponse><params><param><value><array><data><value><array><data><value><string>six</string></value><value><nil/></value><value><int>-5</int></value></data></array></value></data></array></value></param></params></methodResponse>'
const fault =
  '<methodResponse><fault><value><struct><member><name>faultCode</name><value><int>-32601</int></value></member></struct></value></fault></methodResponse>'
const feed =
  '<?xml version="1.0"?><!DOCTYPE rss PUBLIC "-//N//DTD RSS 0.91//EN" "http://n.test/rss.dtd"><rss version="0.91"><channel><item><title>six 1.0</title><link>http://i.test/project/six/1.0/</link></item></channel></rss>'
fuzz('XML is read or refused', mutatedText([answer, fault, feed], tokens), 400, async text => {
  await outcomeOf(['bad-feed'], () => parseXml(text))
  const http = { xml: () => Promise.resolve(text) }
  await outcomeOf(['bad-feed', 'feed-absent'], () =>
    callXmlRpc(http, 'changelog', [1], new AbortController().signal),
  )
})

const pylock = `lock-version = "1.0"\n[[packages]]\nname = "six"\nversion = "1.0"\nwheels = [{url = "https://files.test/six-1.0-py3-none-any.whl", size = 5, hashes = {sha256 = "${sha}"}}]\n`
const imageLock = {
  schema: 'pyti.lock/1',
  recipe: 'debian',
  base: [{ name: 'a', version: '1', architecture: 'amd64', sha256: sha }],
  boot: [[]],
}
fuzz(
  'lock files are read or refused',
  fc.tuple(mutatedText([pylock], tokens), mutatedJson([imageLock])),
  500,
  async ([text, lock]) => {
    await outcomeOf(['bad-lock', 'no-hash'], () => parsePylock(text, { python: '3.13', glibc: '2.41' }))
    await outcomeOf(['lock-malformed'], () => parseImageLock(JSON.stringify(lock) ?? '', 'a.lock'))
  },
)

const intake = {
  archive: 'ok',
  cutoff: 'none',
  packages: {
    build: [],
    run: [{ name: 'six', version: '1.0', filename: 'six-1.0.zip', sha256: sha }],
    test: [],
  },
  unresolved: [{ group: 'run', requirement: 'x' }],
}
fuzz('what a volunteer found out on the host is read or refused', mutatedJson([intake]), 500, value => {
  assert.equal(typeof IntakeStable.safeParse(value).success, 'boolean')
})
