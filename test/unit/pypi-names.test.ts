import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { IndexFile, ProjectPage } from '../../src/pypi/index-page.ts'
import { normalizeName, parseFilename } from '../../src/pypi/names.ts'
import { pickFiles } from '../../src/pypi/pick-files.ts'
import { admitsPython, meetsSpecifiers } from '../../src/pypi/specifiers.ts'
import { bestWheel, fit } from '../../src/pypi/tags.ts'
import { compareVersions, isPrerelease, parseVersion } from '../../src/pypi/version.ts'

const seed = 20_261_120

function version(text: string) {
  const parsed = parseVersion(text)
  assert.ok(parsed, text)
  return parsed
}

const guest = { python: '3.13', glibc: '2.41' }

test('names are normalised as PEP 503 says', () => {
  assert.equal(normalizeName('Foo.Bar__baz--Qux'), 'foo-bar-baz-qux')
})

test('file names of wheels and sdists are read', () => {
  assert.deepEqual(parseFilename('MarkupSafe-3.0.2-1-cp313.py3-abi3.none-any.manylinux2014_x86_64.whl'), {
    project: 'markupsafe',
    version: '3.0.2',
    kind: 'wheel',
    tags: { pythons: ['cp313', 'py3'], abis: ['abi3', 'none'], platforms: ['any', 'manylinux2014_x86_64'] },
    build: '1',
  })
  assert.deepEqual(parseFilename('python-dateutil-2.9.0.post0.tar.gz'), {
    project: 'python-dateutil',
    version: '2.9.0.post0',
    kind: 'sdist',
  })
  assert.equal(parseFilename('demo-1.0+local.1-py3-none-any.whl').version, '1.0+local.1')
  assert.equal(parseFilename('demo-v1.0RC1.zip').version, '1.0rc1')
})

test('a known project settles where the name of an old sdist ends', () => {
  assert.equal(parseFilename('demo-1.0-1.tar.gz', 'demo').version, '1.0.post1')
  assert.throws(() => parseFilename('demo-1.0.tar.gz', 'other'), { code: 'bad-filename' })
})

test('other names are refused', () => {
  for (const name of [
    '',
    'demo.tar.gz',
    'demo-.tar.gz',
    '-1.0.tar.gz',
    'demo-1.0.tar.bz2',
    'demo-1.0-py3-none.whl',
    'demo-1.0-x-py3-none-any.whl',
    'demo-1.0-py3--any.whl',
    'demo-latest-py3-none-any.whl',
    '../demo-1.0.tar.gz',
    `demo-1.0${'0'.repeat(300)}.tar.gz`,
  ])
    assert.throws(() => parseFilename(name), { code: 'bad-filename' }, name)
})

// The order PEP 440 gives, with its own examples.
const ordered = [
  '1.dev0',
  '1.0.dev456',
  '1.0a1',
  '1.0a2.dev456',
  '1.0a12.dev456',
  '1.0a12',
  '1.0b1.dev456',
  '1.0b2',
  '1.0b2.post345.dev456',
  '1.0b2.post345',
  '1.0rc1.dev456',
  '1.0rc1',
  '1.0',
  '1.0+abc.5',
  '1.0+abc.7',
  '1.0+5',
  '1.0.post456.dev34',
  '1.0.post456',
  '1.0.15',
  '1.1.dev1',
  '20261120000000000001',
  '1!0.1',
]

test('versions are ordered as PEP 440 says', () => {
  for (const [at, text] of ordered.entries())
    for (const [other, later] of ordered.entries())
      assert.equal(
        Math.sign(compareVersions(version(text), version(later))),
        Math.sign(at - other),
        `${text} and ${later}`,
      )
})

test('spellings of one version are equal', () => {
  for (const [text, normal] of [
    ['v1.0-ALPHA.1', '1.0a1'],
    ['1.0-1', '1.0.post1'],
    ['1.0.rev', '1.0.post0'],
    ['1.0c2', '1.0rc2'],
    ['01.00', '1.0'],
    ['1.0+Ubuntu_1', '1.0+ubuntu.1'],
    [' 1.0.DEV ', '1.0.dev0'],
  ] as const)
    assert.equal(version(text).text, normal)
  assert.equal(compareVersions(version('1.0'), version('1.0.0')), 0)
  for (const text of ['', 'latest', '1.0-x', '1..0', '1.0+', '1'.repeat(201)])
    assert.equal(parseVersion(text), undefined, text)
})

test('normal forms are fixed points, and order is consistent', () => {
  const part = fc.nat({ max: 30 })
  const text = fc
    .record({
      epoch: fc.option(part),
      release: fc.array(part, { minLength: 1, maxLength: 4 }),
      pre: fc.option(fc.tuple(fc.constantFrom('a', 'b', 'rc', 'alpha', 'c'), part)),
      post: fc.option(part),
      dev: fc.option(part),
      local: fc.option(fc.constantFrom('1', 'abc', 'abc.1')),
    })
    .map(
      ({ epoch, release, pre, post, dev, local }) =>
        `${epoch === null ? '' : `${epoch}!`}${release.join('.')}${pre?.join('') ?? ''}` +
        `${post === null ? '' : `.post${post}`}${dev === null ? '' : `.dev${dev}`}${local === null ? '' : `+${local}`}`,
    )
  fc.assert(
    fc.property(text, text, text, (a, b, c) => {
      const [x, y, z] = [version(a), version(b), version(c)]
      assert.equal(version(x.text).text, x.text)
      assert.equal(compareVersions(x, version(x.text)), 0)
      assert.equal(Math.sign(compareVersions(x, y)), -Math.sign(compareVersions(y, x)))
      if (compareVersions(x, y) <= 0 && compareVersions(y, z) <= 0) assert.ok(compareVersions(x, z) <= 0)
    }),
    { seed, verbose: true },
  )
})

test('specifiers are met or not', () => {
  for (const [text, specifier, met] of [
    ['3.13', '>=3.9', true],
    ['3.13', '>=3.9,<3.13', false],
    ['3.13', '>=2.7, !=3.0.*, !=3.1.*', true],
    ['3.1.4', '!=3.1.*', false],
    ['3.13', '==3.*', true],
    ['3.13', '~=3.8', true],
    ['4.0', '~=3.8', false],
    ['3.9', '~=3.8.1', false],
    ['3.13', '', true],
    ['1.0', '===1.0', true],
    ['1.0', '> 0.9, <= 1.0', true],
    ['3.13', '>=3.*', undefined],
    ['3.13', 'python 3', undefined],
  ] as const)
    assert.equal(meetsSpecifiers(text, specifier), met, `${text} ${specifier}`)
  assert.equal(admitsPython('>=3.13.2', '3.13'), true)
  assert.equal(admitsPython('<3.13', '3.13'), false)
  assert.equal(admitsPython('three', '3.13'), true)
  assert.equal(isPrerelease(version('1.0.dev1')), true)
})

function wheels(...names: string[]) {
  return names.map(name => {
    const filename = `demo-1.0-${name}.whl`
    return { file: { filename }, parsed: parseFilename(filename) }
  })
}

test('wheels that run on CPython 3.13, x86_64 Linux', () => {
  for (const [name, runs] of [
    ['py3-none-any', true],
    ['py2.py3-none-any', true],
    ['py313-none-any', true],
    ['py314-none-any', false],
    ['py2-none-any', false],
    ['cp313-cp313-manylinux_2_17_x86_64.manylinux2014_x86_64', true],
    ['cp313-cp313-manylinux_2_41_x86_64', true],
    ['cp313-cp313-manylinux_2_42_x86_64', false],
    ['cp313-cp313-manylinux1_x86_64', true],
    ['cp313-cp313-linux_x86_64', true],
    ['cp313-cp313t-manylinux2014_x86_64', false],
    ['cp312-cp312-manylinux2014_x86_64', false],
    ['cp39-abi3-manylinux2014_x86_64', true],
    ['cp314-abi3-manylinux2014_x86_64', false],
    ['cp313-none-any', true],
    ['py3-none-manylinux2014_x86_64', true],
    ['cp313-cp313-musllinux_1_2_x86_64', false],
    ['cp313-cp313-manylinux2014_aarch64', false],
    ['cp313-cp313-win_amd64', false],
    ['cp313-cp313-macosx_11_0_arm64', false],
    ['pp310-pypy310_pp73-manylinux2014_x86_64', false],
  ] as const) {
    const [wheel] = wheels(name)
    assert.ok(wheel?.parsed.tags)
    assert.equal(fit(wheel.parsed.tags, guest) !== undefined, runs, name)
  }
})

test('a wheel for a newer glibc than the guest has does not run there', () => {
  const [wheel] = wheels('cp313-cp313-manylinux_2_38_x86_64')
  assert.ok(wheel?.parsed.tags)
  assert.equal(fit(wheel.parsed.tags, { python: '3.13', glibc: '2.36' }), undefined)
  assert.notEqual(fit(wheel.parsed.tags, { python: '3.13', glibc: '2.38' }), undefined)
})

test('the closest wheel wins, whatever the order', () => {
  const names = [
    'cp313-cp313-manylinux_2_28_x86_64',
    'cp313-cp313-manylinux_2_17_x86_64',
    'cp312-abi3-manylinux_2_28_x86_64',
    'cp39-abi3-manylinux_2_28_x86_64',
    'cp313-none-any',
    'py3-none-any',
  ]
  for (let from = 0; from < names.length; from++) {
    const left = names.slice(from)
    for (const order of [left, left.toReversed()])
      assert.equal(bestWheel(wheels(...order), guest)?.filename, `demo-1.0-${names[from]}.whl`)
  }
  assert.equal(
    bestWheel(wheels('1-py3-none-any', '10-py3-none-any', '2-py3-none-any'), guest)?.filename,
    'demo-1.0-10-py3-none-any.whl',
  )
  assert.equal(bestWheel(wheels('py2-none-any'), guest), undefined)
})

function page(...files: (string | Partial<IndexFile>)[]): ProjectPage {
  const full = files.map(file => {
    const given = typeof file === 'string' ? { filename: file } : file
    return { filename: '', url: 'https://index.test/x', yanked: false, ...given }
  })
  return { project: 'demo', format: 'json', files: full }
}

test('the newest release that is neither yanked nor a pre-release is picked', () => {
  const files = page(
    'demo-1.0.tar.gz',
    'demo-1.10.tar.gz',
    'demo-1.10-py3-none-any.whl',
    'demo-1.9.tar.gz',
    'demo-2.0rc1.tar.gz',
    { filename: 'demo-1.11.tar.gz', yanked: true },
  )
  const picked = pickFiles(files, { python: '3.13', glibc: '2.41' })
  assert.equal(picked.version, '1.10')
  assert.equal(picked.sdist?.filename, 'demo-1.10.tar.gz')
  assert.equal(picked.wheel?.filename, 'demo-1.10-py3-none-any.whl')
})

test('a version asked for is picked even when yanked or a pre-release', () => {
  const files = page('demo-1.0.tar.gz', 'demo-2.0rc1.tar.gz', { filename: 'demo-1.1.tar.gz', yanked: true })
  assert.equal(pickFiles(files, { version: '2.0RC1', python: '3.13', glibc: '2.41' }).version, '2.0rc1')
  assert.equal(pickFiles(files, { version: '1.1', python: '3.13', glibc: '2.41' }).sdist?.yanked, true)
  assert.equal(pickFiles(files, { version: '1.0.0', python: '3.13', glibc: '2.41' }).version, '1.0')
})

test('pre-releases count when there is nothing else, and Requires-Python steers', () => {
  assert.equal(
    pickFiles(page('demo-1.0a1.zip', 'demo-1.0b1.zip'), { python: '3.13', glibc: '2.41' }).version,
    '1.0b1',
  )
  const newer = { filename: 'demo-2.0.tar.gz', requiresPython: '>=3.14' }
  assert.equal(pickFiles(page('demo-1.0.tar.gz', newer), { python: '3.13', glibc: '2.41' }).version, '1.0')
  assert.equal(pickFiles(page(newer), { python: '3.13', glibc: '2.41' }).version, '2.0')
})

test('a wheel of another platform is not picked; tar.gz comes before zip; 1.0 and 1.0.0 are one release', () => {
  const picked = pickFiles(page('demo-1.0.zip', 'demo-1.0.0.tar.gz', 'demo-1.0-cp313-cp313-win_amd64.whl'), {
    python: '3.13',
    glibc: '2.41',
  })
  assert.equal(picked.wheel, undefined)
  assert.equal(picked.sdist?.filename, 'demo-1.0.0.tar.gz')
})

test('a version that is not there is an error that names the newest', () => {
  const files = page(...Array.from({ length: 8 }, (_, at) => `demo-1.${at}.tar.gz`))
  assert.throws(() => pickFiles(files, { version: '9', python: '3.13', glibc: '2.41' }), {
    code: 'version-not-found',
    hint: 'the newest are 1.7, 1.6, 1.5, 1.4, 1.3',
  })
  assert.throws(() => pickFiles(files, { version: 'newest', python: '3.13', glibc: '2.41' }), {
    code: 'version-not-found',
  })
  assert.throws(() => pickFiles(page(), { python: '3.13', glibc: '2.41' }), { code: 'version-not-found' })
})
