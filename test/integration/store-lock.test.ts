import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { describe, it } from 'node:test'
import { promisify } from 'node:util'
import { openLevelStore } from '../../src/store/level.ts'
import { withDirectory } from '../helpers/temporary.ts'

const store = new URL('../../src/store/level.ts', import.meta.url).href

describe('two coordinators on one data directory', () => {
  it('the second process is told and the first goes on', () =>
    withDirectory(async dir => {
      const first = await openLevelStore(dir)
      const program = `import { openLevelStore } from ${JSON.stringify(store)}
        await openLevelStore(${JSON.stringify(dir)}).then(
          () => console.log('opened'),
          error => console.log(JSON.stringify([error.code, error.message])))`
      const { stdout } = await promisify(execFile)(process.execPath, [
        '--input-type=module',
        '--eval',
        program,
      ])
      assert.deepEqual(JSON.parse(stdout), ['store-locked', `another process is running on ${dir}`])
      await first.batch([{ type: 'put', key: 'a', value: 1 }])
      assert.equal(await first.get('a'), 1)
      await first.close()
    }))
})
