import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { isIPv6 } from 'node:net'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { distributionsOf, isRight, loadMimics, type Mimic, missingEvidence } from '../helpers/mimics.ts'

const pairs = loadMimics()
const roles = ['mimic', 'twin'] as const
const guard = 'if not os.path.exists("/etc/pyti-guest"):\n    raise SystemExit('

function filesOf(dir: string): string[] {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile() && !/__pycache__|\.pyc$/.test(join(entry.parentPath, entry.name)))
    .map(entry => join(entry.parentPath, entry.name))
}

const files = pairs.flatMap(pair => filesOf(pair.dir))
const read = (path: string) => readFileSync(path, 'utf8')

describe('samples/mimics', () => {
  it('has enough pairs, each with both sides and a name of its own', () => {
    assert.ok(pairs.length >= 44, `${pairs.length} pairs`)
    for (const { name, dir, mimic, twin } of pairs) {
      const folders = readdirSync(dir, { withFileTypes: true }).filter(entry => entry.isDirectory())
      const wanted = [
        ...(mimic.companion ? [`mimic-${mimic.companion}`] : []),
        ...(twin.companion ? [`twin-${twin.companion}`] : []),
      ]
      assert.deepEqual(folders.map(entry => entry.name).sort(), ['mimic', 'twin', ...wanted].sort(), name)
    }
    assert.equal(new Set(pairs.map(pair => pair.imitates)).size, pairs.length)
  })

  it('makes every distribution, twice the same', async () => {
    const all = async () => (await Promise.all(pairs.map(madeOf))).flat()
    const [first, second] = [await all(), await all()]
    assert.deepEqual(
      first.map(made => [made.filename, made.sha256]),
      second.map(made => [made.filename, made.sha256]),
    )
    assert.equal(new Set(first.map(made => made.filename)).size, first.length)
    assert.ok(first.length >= 2 * pairs.length)
  })

  it('names projects after their pair, and says what is judged where it acts', async () => {
    for (const pair of pairs)
      for (const role of roles) {
        const { judged, companions } = await distributionsOf(pair, role)
        for (const made of [...judged, ...companions])
          assert.equal(made.project, `pyti-${role}-${pair.name}`, pair.name)
        const { acts, evidence } = pair[role]
        for (const { task } of evidence) assert.ok(acts.includes(task), `${pair.name} acts in ${task}`)
        if (acts.includes('build') || acts.includes('unittest'))
          assert.deepEqual([...new Set(judged.map(made => made.kind))], ['sdist'], pair.name)
      }
  })

  it('wants a bait that left wherever it says confirmed, and evidence under each last clock', () => {
    for (const { name, mimic, clocks } of pairs) {
      if (mimic.verdict === 'confirmed') assert.ok(mimic.rules.includes('bait-left'), name)
      const used = mimic.evidence.flatMap(({ clock }) => clock ?? [])
      assert.deepEqual([...new Set(used)], clocks.slice(-1), name)
      for (const { kind, what } of mimic.evidence)
        if (kind === 'bait-left') assert.match(what, /^\^/, `${name} names the bait that leaves`)
    }
  })

  it('runs no mimic outside the guest', () => {
    for (const path of files.filter(path => /\/mimic(?:-\w+)?\/.*\.py$/.test(path))) {
      const source = read(path)
      const inert = /^"""[^"]*"""\n(?:\nfrom \. import \w+\n)?$|\/test_name\.py$/
      if (inert.test(source) || inert.test(path)) continue
      assert.ok(source.includes(guard), path)
      const [before = ''] = source.split(guard)
      assert.doesNotMatch(
        before,
        /^(?!"""|import |from |\s*$)[^\n]*$/m,
        `${path}: only imports before the guard`,
      )
    }
    for (const path of files.filter(path => /\/mimic\/.*\.(?:c|pth)$/.test(path)))
      assert.match(read(path), /"\/etc\/pyti-guest"|^import \w+\.boot; \w+\.boot\.main\(\)\n$/, path)
  })

  it('names only documentation addresses, loopback, the metadata address and .test names', () => {
    for (const path of files)
      for (const text of decodings(read(path))) assert.deepEqual(strangers(text), [], path)
    const bad = ['https://example.com/x', '"8.8.8.8"', 'evil.example.net', '"2a00:1450::1"', 'a@mail.ru']
    for (const text of bad) assert.notDeepEqual(strangers(text), [], text)
    const hidden = Buffer.from('get("http://evil.example.com/")').toString('base64')
    assert.ok(decodings(`exec("${hidden}")`).some(text => strangers(text).length > 0))
  })

  it('has small files, and Python that compiles', () => {
    for (const path of files) assert.ok(readFileSync(path).length <= 20_000, path)
    const compile =
      'import sys\nfor p in sys.stdin.read().split("\\0"): compile(open(p, "rb").read(), p, "exec", dont_inherit=True)'
    const python = files.filter(path => path.endsWith('.py'))
    assert.ok(python.length > 100)
    execFileSync('python3', ['-c', compile], { input: python.join('\0') })
  })
})

describe('holding a report against a pair', () => {
  const pair = pairs.find(({ name }) => name === 'machine-gate') as Mimic

  it('takes a mimic at its verdict or above, a twin at its verdict or below', () => {
    assert.deepEqual(
      ['clean', 'observed', 'suspicious', 'confirmed', 'unresolved'].map(word =>
        isRight(pair, 'mimic', word),
      ),
      [false, false, false, true, false],
    )
    assert.deepEqual(
      ['clean', 'observed', 'suspicious', 'confirmed', 'bad-input'].map(word => isRight(pair, 'twin', word)),
      [true, true, false, false, false],
    )
  })

  it('finds the evidence that is missing', () => {
    const wanted = [
      { task: 'import' as const, kind: 'request' as const, what: '^POST ', at: 'x\\.py:\\d+$', clock: 30 },
    ]
    const seen = {
      task: 'import',
      kind: 'request',
      what: 'POST http://a.test/',
      at: '{site}/x.py:3',
      clock: 30,
    }
    assert.deepEqual(missingEvidence(wanted, [seen]), [])
    for (const wrong of [
      { ...seen, task: 'start' },
      { ...seen, kind: 'connect' },
      { ...seen, what: 'GET http://a.test/' },
      { ...seen, at: undefined },
      { ...seen, clock: undefined },
    ])
      assert.deepEqual(missingEvidence(wanted, [wrong]), wanted)
  })
})

async function madeOf(pair: Mimic) {
  const sides = await Promise.all(roles.map(role => distributionsOf(pair, role)))
  return sides.flatMap(({ judged, companions }) => [...judged, ...companions])
}

/** A text and what base64, hex, numbers, and spaces with tabs in it stand for. */
function decodings(text: string): string[] {
  const matches = (pattern: RegExp) => [...text.matchAll(pattern)].map(([match]) => match)
  return [
    text,
    ...matches(/[A-Za-z0-9+/]{24,}={0,2}/g).flatMap(run => [
      Buffer.from(run, 'base64').toString('latin1'),
      Buffer.from([...run].reverse().join(''), 'base64').toString('latin1'),
    ]),
    ...matches(/(?:[0-9a-f]{2}){12,}/g).map(run => Buffer.from(run, 'hex').toString('latin1')),
    ...matches(/\d+(?:, \d+){8,}/g).map(list => String.fromCharCode(...list.split(', ').map(Number))),
    matches(/(?<=^words)[ \t]{8}$/gm)
      .map(bits =>
        String.fromCharCode(
          Number.parseInt(
            bits.replace(/./gs, bit => (bit === '\t' ? '1' : '0')),
            2,
          ),
        ),
      )
      .join(''),
  ]
}

/** Addresses and host names in a text that are somebody's. */
function strangers(text: string): string[] {
  const addresses = [...text.matchAll(/(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w.])/g)].map(([found]) => found)
  const versionSix = [...text.matchAll(/(?<![\w:])[0-9a-f:]+:[0-9a-f]+(?![\w:])/gi)]
    .map(([found]) => found)
    .filter(isIPv6)
  const hosts = [...text.matchAll(/(?:https?:\/\/|(?<=\w)@)([^\s/"'`:]+)/g)].map(([, host = '']) => host)
  const names = [
    ...text.matchAll(
      /(?<![\w.-])[a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?:com|net|org|io|dev|ru|cn|info|xyz|me|app|cloud|de|uk)(?![\w.(])/g,
    ),
  ]
  const own = /^(?:127\.|192\.0\.2\.|198\.51\.100\.|203\.0\.113\.|169\.254\.169\.254$|0\.0\.0\.0$)/
  return [
    ...addresses.filter(found => !own.test(found)),
    ...versionSix.filter(found => !/^(?:2001:db8:|::1$)/i.test(found)),
    ...hosts
      .filter(host => !/(?:^|\.)[a-z0-9-]+\.test$/.test(host) && !own.test(host))
      .filter(host => /\w\.\w/.test(host)),
    ...names.map(([found]) => found),
  ]
}
