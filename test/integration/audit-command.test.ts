import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { dirname, join } from 'node:path'
import { describe, it } from 'node:test'
import { wrongEvaluation } from '../../src/attest/audit/prove.ts'
import { encodeFault } from '../../src/attest/faults.ts'
import { sha256 } from '../../src/wire/canonical.ts'
import { bundleOf, makeLog } from '../helpers/log-maker.ts'
import type { MadeLog } from '../helpers/log-parts.ts'
import { withDirectory } from '../helpers/temporary.ts'

const main = join(import.meta.dirname, '../../src/cli/main.ts')

interface Ran {
  code: number | null
  out: string
  err: string
}

function run(home: string, ...parameters: string[]): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [main, ...parameters], { env: { ...process.env, PYTI_HOME: home } })
    const texts = { out: '', err: '' }
    child.stdout.on('data', chunk => {
      texts.out += chunk
    })
    child.stderr.on('data', chunk => {
      texts.err += chunk
    })
    child.on('error', reject)
    child.on('close', code => resolve({ code, ...texts }))
  })
}

async function save(made: MadeLog, dir: string): Promise<void> {
  await rm(dir, { recursive: true, force: true })
  for (const [path, bytes] of made.files) {
    await mkdir(dirname(join(dir, path)), { recursive: true })
    await writeFile(join(dir, path), bytes)
  }
}

describe('pyti audit, why, verify', () => {
  it('audits a folder, remembers its head, and sees a fork the next time', () =>
    withDirectory(async home => {
      const log = join(home, 'log')
      await save(await makeLog(51, 4), log)
      const honest = await makeLog(51, 4)
      const first = await run(home, 'audit', log, '--key', honest.key, '--witness', honest.witness)
      assert.equal(first.code, 0, first.out + first.err)
      assert.match(first.out, /ok {7}completeness/)
      assert.match(first.out, /unknown {2}consistency/)
      assert.match(first.out, /audited: nothing is wrong/)
      assert.match((await run(home, 'audit', log, '--key', honest.key)).out, /ok {7}consistency/)

      await save(await makeLog(52, 6), log)
      const proofs = join(home, 'proofs')
      const forked = await run(home, 'audit', log, '--key', honest.key, '--json', '--faults', proofs)
      assert.equal(forked.code, 1)
      const { ok, faults } = JSON.parse(forked.out)
      assert.equal(ok, false)
      assert.equal(faults[0].provable, 'fork')
      const [file] = await readdir(proofs)
      const proved = await run(home, 'verify', join(proofs, file ?? ''), '--log-key', honest.key)
      assert.equal(proved.code, 0, proved.out + proved.err)
      assert.match(proved.out, /proved against .*, which you trust/)
    }))

  it('writes proofs that verify takes, and takes no changed one', () =>
    withDirectory(async home => {
      const log = join(home, 'log')
      const made = await makeLog(53, 6, {
        draw(draw, { job }) {
          if (job === 3) draw.seed = sha256('mine')
        },
      })
      await save(made, log)
      const proofs = join(home, 'proofs')
      const found = await run(home, 'audit', log, '--key', made.key, '--faults', proofs)
      assert.equal(found.code, 1)
      assert.match(found.out, /FAILED {3}draws/)
      const [file] = await readdir(proofs)
      const path = join(proofs, file ?? '')
      assert.match((await run(home, 'verify', path)).out, /ok {7}steered-draw/)
      const bytes = await readFile(path)
      bytes[bytes.indexOf('"seed":"') + 10] =
        0x30 ^ 1 ^ (bytes[bytes.indexOf('"seed":"') + 10] === 0x31 ? 1 : 0)
      await writeFile(path, bytes)
      const changed = await run(home, 'verify', path, '--json')
      assert.equal(changed.code, 1)
      assert.equal(JSON.parse(changed.out).ok, false)
    }))

  it('makes a proof of a report that does not hold, and none of a damaged one', () =>
    withDirectory(async home => {
      const made = await makeLog(54, 2, {
        report: statement => ({
          ...statement,
          predicate: { ...statement.predicate, flaky: ['tests/x.py::test_a'] },
        }),
      })
      const done = made.done.find(one => one.report) ?? assert.fail()
      const report = join(home, 'report.intoto.jsonl')
      const proof = join(home, 'proof.json')
      await writeFile(report, bundleOf(done))
      assert.equal((await run(home, 'verify', report, '--fault', proof)).code, 1)
      assert.deepEqual(await readFile(proof), Buffer.from(encodeFault(wrongEvaluation(bundleOf(done)))))
      assert.equal((await run(home, 'verify', proof)).code, 0)
      const [first = ''] = Buffer.from(bundleOf(done)).toString().split('\n')
      await writeFile(report, `${first}\n`)
      await rm(proof)
      assert.equal((await run(home, 'verify', report, '--fault', proof)).code, 1)
      await assert.rejects(readFile(proof))
    }))

  it('answers why over HTTP', () =>
    withDirectory(async home => {
      const made = await makeLog(55, 3)
      const server = createServer((request, response) => {
        const bytes = made.files.get((request.url ?? '').replace('/log/', ''))
        response.writeHead(bytes ? 200 : 404).end(bytes)
      })
      await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
      const address = server.address()
      const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/log`
      const { close, task } = made.done[0] ?? assert.fail()
      const job = await run(home, 'why', close.job, '--log', url, '--key', made.key)
      assert.equal(job.code, 0, job.err)
      assert.match(job.out, /drawn from the roster in leaf/)
      const report = await run(
        home,
        'why',
        task.job.subject.filename,
        '--log',
        url,
        '--key',
        made.key,
        '--json',
      )
      assert.equal(JSON.parse(report.out).answers[0].about, 'report')
      const nobody = await run(home, 'why', 'nobody', '--log', url, '--key', made.key)
      assert.equal(nobody.code, 1)
      assert.match(nobody.err, /knows nothing/)
      const none = await run(home, 'audit', `${url}/nothing`, '--key', made.key)
      server.close()
      assert.equal(none.code, 1)
    }))
})
