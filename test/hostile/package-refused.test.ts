import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { onEveryBackend } from '../helpers/hostile-backends.ts'
import { assertPoweredOff, runPackage } from '../helpers/hostile-package.ts'
import { smallSdist } from '../helpers/small-wheel.ts'

const program = await readFile(join(import.meta.dirname, 'packages/refused.py'), 'utf8')
const setup = 'from setuptools import setup\nsetup(name="evil", version="1.0", py_modules=["evil"])\n'

const isRefusal = (result: string) => /^E[A-Z0-9]+$/.test(result) || result === 'ValueError'

onEveryBackend('a package that reaches for what is not its own', (arena, test) => {
  test('is refused, one try after another, while it is built, imported and tested', async context => {
    const file = await smallSdist('evil', '1.0', [], {
      'setup.py': program + setup,
      'evil.py': program,
      'tests/test_evil.py': `def test_evil():\n    import subprocess, sys\n    subprocess.run([sys.executable, "-c", ${JSON.stringify(program)}], check=True)\n    assert False, "for its output"\n`,
    })
    const { tasks, logs, exit } = await runPackage(arena, file, {
      tasks: ['build', 'install', 'import', 'unittest'],
      taskSeconds: 40,
    })
    const shown = JSON.stringify(tasks)
    assert.equal(tasks.build?.stable.status, 'passed', shown)
    assert.equal(tasks.import?.stable.status, 'passed', shown)
    assert.deepEqual(tasks.unittest?.stable.tests, { 'tests/test_evil.py::test_evil': 'failed' })
    for (const task of ['build', 'import', 'unittest']) {
      const log = logs.get(`logs/${task}.txt`) ?? ''
      const tries = [...log.matchAll(/TRY (\{.*\})/g)].flatMap(match =>
        Object.entries(JSON.parse(match[1] ?? '{}') as Record<string, string>),
      )
      assert.match(log, /TRIED ALL/, `${task}: the program came to its end: ${log.slice(-500)}`)
      assert.ok(tries.length > 200, `${task}: ${tries.length} tries`)
      const allowed = tries
        .filter(([, result]) => !isRefusal(result))
        .map(([name, result]) => `${name}: ${result}`)
      context.diagnostic(`${arena.backend} ${task}: ${tries.length} tries`)
      assert.deepEqual(allowed, [], `${task} may do this`)
      const facts = JSON.parse(/FACTS (\{.*\})/.exec(log)?.[1] ?? '{}')
      for (const set of ['CapEff', 'CapPrm', 'CapInh', 'CapBnd', 'CapAmb'])
        assert.equal(facts[set], '0000000000000000', `${task} ${set}`)
      assert.equal(facts.NoNewPrivs, '1')
      assert.equal(facts.Uid, '1000\t1000\t1000\t1000')
      assert.equal(facts.Groups, '')
      assert.deepEqual(facts['/srv'], [file.filename])
      assert.deepEqual(facts.interfaces, ['lo'])
      if (task === 'build') continue
      // A build sees pip's own files there.
      for (const folder of ['/tmp', '/var/tmp', '/dev/shm']) assert.deepEqual(facts[folder], [], folder)
      if (task === 'import') assert.deepEqual(facts.descriptors, [0, 1, 2, 3])
    }
    assertPoweredOff(exit)
  })
})
