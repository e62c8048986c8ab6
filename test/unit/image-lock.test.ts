import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isCode } from '../../src/errors.ts'
import { checkLock } from '../../src/sandbox/image/drift.ts'
import {
  compareLock,
  type Lock,
  type LockedPackage,
  parseLock,
  parsePackageSums,
  printDrift,
  printLock,
} from '../../src/sandbox/image/lock.ts'
import { sha256 } from '../../src/wire/canonical.ts'

const entry = (name: string, version: string, content = `${name} ${version}`): LockedPackage => ({
  name,
  version,
  architecture: 'amd64',
  sha256: sha256(content),
})
const recipe = { name: 'debian-99-python-3.99', python: '3.99' }
const lock: Lock = {
  schema: 'pyti.lock/1',
  recipe: recipe.name,
  base: [entry('dash', '0.5'), entry('libc6', '2.41-12')],
  boot: [[entry('user-mode-linux', '6.12')], [entry('linux-image', '6.1')]],
}
const lockFile = parseLock(printLock(lock), 'x.lock.json')
const asLocked = [lock.base, ...lock.boot]

describe('lock files', () => {
  it('read back as they were written, one line per package', () => {
    const text = printLock(lock)
    assert.deepEqual(lockFile.lock, lock)
    assert.equal(lockFile.sha256, sha256(text))
    assert.equal(text.split('\n').filter(line => line.includes('"version"')).length, 4)
  })

  it('refuses what is not one', () => {
    const bad = [
      '',
      'null',
      '{"schema":"pyti.lock/1"}',
      printLock(lock).replace('lock/1', 'lock/2'),
      printLock(lock).replace(sha256('dash 0.5'), 'ABC'),
      printLock(lock).replace('"version"', '"extra":1,"version"'),
    ]
    for (const text of bad)
      assert.throws(
        () => parseLock(text, 'x.lock.json'),
        error => isCode(error, 'lock-malformed'),
      )
  })
})

describe('sums of package files', () => {
  it('gives name, version with its epoch, architecture and digest, sorted', () => {
    const sum = sha256('x')
    const packages = parsePackageSums(
      `${sum}  zlib1g_1%3a1.2.13.dfsg-1_amd64.deb\n${sum}  adduser_3.134_all.deb\n`,
    )
    assert.deepEqual(packages, [
      { name: 'adduser', version: '3.134', architecture: 'all', sha256: sum },
      { name: 'zlib1g', version: '1:1.2.13.dfsg-1', architecture: 'amd64', sha256: sum },
    ])
  })

  it('refuses lines it cannot read', () => {
    const sum = sha256('x')
    for (const line of [
      `${sum}  *.deb`,
      `${sum}  a_1.deb`,
      `${sum.slice(1)}  a_1_all.deb`,
      `${sum}  ../a_1_all.deb`,
    ])
      assert.throws(
        () => parsePackageSums(line),
        error => isCode(error, 'image-incomplete'),
        line,
      )
  })
})

describe('drift', () => {
  it('is nothing when all agrees, in any order', () => {
    assert.deepEqual(compareLock(lock.base, lock.base.toReversed()), [])
  })

  it('names packages that are newer, gone, or not locked', () => {
    assert.deepEqual(compareLock(lock.base, [entry('libc6', '2.41-13'), entry('strace', '6.13')]), [
      { package: 'dash:amd64', locked: '0.5', found: undefined },
      { package: 'libc6:amd64', locked: '2.41-12', found: '2.41-13' },
      { package: 'strace:amd64', locked: undefined, found: '6.13' },
    ])
  })

  it('sees other bytes under the same version', () => {
    const [drift, ...more] = compareLock([entry('dash', '0.5')], [entry('dash', '0.5', 'another build')])
    assert.deepEqual(more, [])
    assert.match(drift?.locked ?? '', /^0\.5 \([0-9a-f]{12}\)$/)
    assert.notEqual(drift?.locked, drift?.found)
  })

  it('takes another architecture for another package', () => {
    assert.equal(
      compareLock([entry('dash', '0.5')], [{ ...entry('dash', '0.5'), architecture: 'all' }]).length,
      2,
    )
  })

  it('prints a few and counts the rest', () => {
    const drifts = compareLock(
      [],
      Array.from({ length: 13 }, (_, index) => entry(`p${index}`, '1')),
    )
    assert.match(printDrift(drifts), /^p0:amd64: locked not at all, found 1; .*; and 3 more$/)
  })
})

describe('a build compared with its lock', () => {
  const warnings: string[] = []
  const check = (
    onDrift: 'fail' | 'warn',
    found: LockedPackage[][],
    file: typeof lockFile | undefined = lockFile,
  ) => checkLock({ recipe, lock: file, onDrift, onWarning: line => warnings.push(line) }, found)
  const drifted = [lock.base, [entry('user-mode-linux', '6.13')], lock.boot[1] ?? []]

  it('is the locked one when every stage agrees', () => {
    assert.equal(check('fail', asLocked), true)
    assert.deepEqual(warnings, [])
  })

  it('fails on drift in any stage and says what to do', () => {
    assert.throws(
      () => check('fail', drifted),
      error =>
        isCode(error, 'image-drift') &&
        /1 package differs.*user-mode-linux:amd64: locked 6\.12, found 6\.13/.test(error.message) &&
        /pyti image lock --python 3\.99/.test(error.hint ?? ''),
    )
  })

  it('or warns in one line and is not the locked one', () => {
    assert.equal(check('warn', drifted), false)
    assert.equal(warnings.length, 1)
    assert.match(warnings.pop() ?? '', /^1 package differs .*user-mode-linux/)
  })

  it('sees stages the lock lacks', () => {
    assert.throws(
      () => check('fail', [...asLocked, [entry('extra', '1')]]),
      error => isCode(error, 'image-drift'),
    )
  })

  it('takes a missing lock file for drift', () => {
    const without = { recipe, lock: undefined, onWarning: (line: string) => warnings.push(line) }
    assert.throws(
      () => checkLock({ ...without, onDrift: 'fail' }, asLocked),
      error => isCode(error, 'image-drift'),
    )
    assert.equal(checkLock({ ...without, onDrift: 'warn' }, asLocked), false)
    assert.match(warnings.pop() ?? '', /no lock file/)
  })
})
