import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer, text } from 'node:stream/consumers'
import { suite, test } from 'node:test'
import { createGunzip } from 'node:zlib'
import { extract } from 'tar-stream'
import { fromBufferPromise } from 'yauzl'
import { isCode } from '../../src/errors.ts'
import { makeAll, makeDistributions, type SampleDistribution } from '../../src/pypi/make-distribution.ts'
import { parseFilename } from '../../src/pypi/names.ts'
import { sha256 } from '../../src/wire/canonical.ts'
import { withDirectory } from '../helpers/temporary.ts'

const samples = join(import.meta.dirname, '../../samples')
const hostile = join(samples, 'hostile')
const all = [...(await makeAll(samples)), ...(await makeAll(hostile))]

function find(filename: string): SampleDistribution {
  const found = all.find(each => each.filename === filename)
  assert.ok(found, filename)
  return found
}

async function membersOf(made: SampleDistribution): Promise<Map<string, Buffer>> {
  const members = new Map<string, Buffer>()
  if (made.kind === 'wheel') {
    const zip = await fromBufferPromise(Buffer.from(made.bytes), { decodeStrings: true })
    for await (const entry of zip.eachEntry())
      members.set(entry.fileName, await buffer(await zip.openReadStreamPromise(entry)))
    return members
  }
  const tar = extract()
  Readable.from([made.bytes]).pipe(createGunzip()).pipe(tar)
  for await (const entry of tar) {
    assert.equal(entry.header.mtime?.getTime(), Date.UTC(2025, 0, 1))
    members.set(entry.header.name, await buffer(entry))
  }
  return members
}

suite('make-distribution', () => {
  test('gives equal bytes from equal sources', async () => {
    const again = [...(await makeAll(samples)), ...(await makeAll(hostile))]
    assert.deepEqual(
      again.map(each => [each.filename, each.sha256]),
      all.map(each => [each.filename, each.sha256]),
    )
    for (const each of again) assert.equal(sha256(each.bytes), each.sha256)
  })

  test('names files so that project, version and kind can be read back', () => {
    assert.ok(all.length >= 20)
    for (const { filename, project, version, kind } of all) {
      const parsed = parseFilename(filename)
      assert.deepEqual([parsed.project, parsed.version, parsed.kind], [project, version, kind])
    }
  })

  test('writes a RECORD that names every member of a wheel', async () => {
    for (const made of all.filter(each => each.kind === 'wheel')) {
      const members = await membersOf(made)
      const recordPath = [...members.keys()].find(path => path.endsWith('.dist-info/RECORD')) ?? ''
      const lines = (members.get(recordPath)?.toString() ?? '').trimEnd().split('\n')
      assert.equal(lines.at(-1), `${recordPath},,`)
      const expected = [...members]
        .filter(([path]) => path !== recordPath)
        .map(
          ([path, data]) =>
            `${path},sha256=${createHash('sha256').update(data).digest('base64url')},${data.length}`,
        )
      assert.deepEqual(lines.slice(0, -1), expected)
    }
  })

  test('gives an sdist one folder with metadata, sources, tests and the shared backend', async () => {
    const members = await membersOf(find('pyti_sample_with_dependency-1.0.tar.gz'))
    const stem = 'pyti_sample_with_dependency-1.0'
    assert.deepEqual(
      [...members.keys()],
      [
        `${stem}/PKG-INFO`,
        `${stem}/_backend/pyti_backend.py`,
        `${stem}/pyproject.toml`,
        `${stem}/src/pyti_sample_with_dependency/__init__.py`,
        `${stem}/tests/test_cornerstone.py`,
      ],
    )
    assert.match(
      members.get(`${stem}/PKG-INFO`)?.toString() ?? '',
      /^Requires-Dist: pyti-sample-pure>=1\.0$/m,
    )
  })

  test('says the truth about every distribution it makes', () => {
    for (const { filename, kind, truth } of all)
      if (kind === 'wheel') {
        assert.deepEqual(truth.tasks.build, { status: 'not-run', reason: 'is-a-wheel' }, filename)
        assert.deepEqual(truth.tasks.unittest, { status: 'not-run', reason: 'no-tests' }, filename)
      }
    const tests = find('pyti_sample_tested-1.0.tar.gz').truth.tests
    assert.deepEqual([tests?.passed, tests?.failed, tests?.skipped], [8, 2, 1])
  })

  test('lets no hostile sample run outside the guest', async () => {
    const guard =
      'if not (os.path.exists("/etc/pyti-guest") and os.getuid() == 1000):\n    raise RuntimeError("this sample runs only in a PyTI guest")\n'
    const guarded = [join(samples, 'bashrc'), ...(await readdir(hostile)).map(name => join(hostile, name))]
    for (const dir of guarded) {
      const files = (await readdir(dir, { recursive: true })).filter(path => path.endsWith('.py'))
      assert.ok(files.length > 0, dir)
      for (const path of files) {
        const source = await readFile(join(dir, path), 'utf8')
        if (/^"""[^"]*"""\n$/.test(source)) continue
        // Nothing but a docstring and imports of the standard library may come before the guard.
        const [before = '', ...after] = source.split(guard)
        assert.equal(after.length, 1, path)
        assert.match(
          before,
          /^"""[^"]*"""\n\n(?:import (?:ctypes|hashlib|json|os|signal|stat|struct|subprocess|tempfile|time)\n)+\n$/,
          path,
        )
      }
    }
  })

  test('refuses a sample without truth, metadata or backend', async () => {
    const toml = (backend: string) =>
      `[build-system]\nrequires = []\n${backend}\n[project]\nname = "x"\nversion = "1"\ndescription = ""\nrequires-python = ">=3"\ndependencies = []\n`
    const good = { kind: ['sdist'], truth: { sdist: { tasks: {} } } }
    const cases: [sample: unknown, pyproject: string, message: RegExp][] = [
      [{ kind: ['sdist'], truth: {} }, toml(''), /no truth/],
      [{ kind: [], truth: {} }, toml(''), /sample/],
      [{ ...good, truth: { sdist: { tasks: { build: { status: 'fine' } } } } }, toml(''), /status/],
      [good, 'name = "x"', /build-system/],
      [good, '= broken', /sample/],
      [good, toml('backend-path = ["_backend"]'), /backend/],
    ]
    for (const [sample, pyproject, message] of cases)
      await withDirectory(async parent => {
        const dir = join(parent, 'deep', 'sample')
        await mkdir(dir, { recursive: true })
        await writeFile(join(dir, 'sample.json'), JSON.stringify(sample))
        await writeFile(join(dir, 'pyproject.toml'), pyproject)
        await assert.rejects(
          makeDistributions(dir),
          error => isCode(error, 'bad-sample') && message.test(error.message),
        )
      })
    await assert.rejects(makeDistributions(join(samples, 'nothing')), { code: 'bad-sample' })
  })
})

test('a wheel is a zip file that other tools would read: names in UTF-8, mode and time set', async () => {
  const zip = await fromBufferPromise(Buffer.from(find('pyti_sample_pure-1.0-py3-none-any.whl').bytes))
  for await (const entry of zip.eachEntry()) {
    assert.equal(entry.externalFileAttributes >>> 16, 0o100644)
    assert.equal(entry.getLastModDate({ timezone: 'UTC' }).toISOString(), '2025-01-01T00:00:00.000Z')
    assert.ok(await text(await zip.openReadStreamPromise(entry)))
  }
})
