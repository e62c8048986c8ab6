import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { formatVkey } from '../../src/attest/log/note.ts'
import { verifyBundle } from '../../src/attest/verify.ts'
import { type ChildNode, startChildNode } from '../../src/cli/child-node.ts'
import { type Client, connectClient } from '../../src/cli/client.ts'
import type { Target } from '../../src/cli/targets.ts'
import { systemClock } from '../../src/clock.ts'
import { logNameOf } from '../../src/coordinator/public-log.ts'
import { loadOrCreateIdentity } from '../../src/identity.ts'
import { type EmbeddedIndex, startEmbeddedIndex } from '../../src/pypi/embedded-index.ts'
import { makeDistributions } from '../../src/pypi/make-distribution.ts'
import type { JobStatus } from '../../src/wire/commands.ts'
import { alive, pyti, strayFolders, targetsOn, testDriver } from '../helpers/local-network.ts'

const anywhere = '/ip4/127.0.0.1/tcp/0'
const founders = ['founder-1', 'founder-2', 'founder-3', 'founder-4', 'founder-5', 'founder-6', 'founder-7']

/**
 * Processes as people would start them: two witnesses and one that is gone, a coordinator that names founders, and volunteers
 * with real VMs.
 */
describe('a weighed network of which two of three witnesses are there', () => {
  let dir: string
  let index: EmbeddedIndex
  let client: Client
  let target: Target
  let witnesses: { key: string; url: string }[]
  let keys: { report: string; log: string }
  let bundle: string
  const nodes: ChildNode[] = []
  const vms = new Set<number>()
  const jobs = new Map<string, PromiseWithResolvers<void>>()
  const endOf = (job: string) => {
    const end = jobs.get(job) ?? Promise.withResolvers<void>()
    jobs.set(job, end)
    return end
  }

  const start = async (name: string, args: string[]) => {
    const node = startChildNode(name, [...args, '--data', join(dir, name)], event => {
      if (event.event === 'vm') vms.add(event.pid)
      if (event.event === 'job' && (event.phase === 'reported' || event.phase === 'unresolved'))
        endOf(String(event.job)).resolve()
    })
    nodes.push(node)
    return node.ready
  }

  before(async () => {
    const { backend } = (await testDriver()).driver
    dir = await mkdtemp(join(tmpdir(), 'pyti-weighed-'))
    const identityOf = (node: string, file = 'identity') =>
      loadOrCreateIdentity(join(dir, node, `${file}.key`))
    const log = await identityOf('coordinator', 'log')
    const logKey = formatVkey(logNameOf(log.publicKey), 1, log.publicKey)
    const peers = await Promise.all(founders.map(async name => (await identityOf(name)).peerId))

    const witness = ['witness', '--log', logKey, '--http', '127.0.0.1:0']
    const started = [await start('witness-1', witness), await start('witness-2', witness)]
    const gone = formatVkey('gone.example', 4, (await identityOf('witness-3')).publicKey)
    witnesses = [
      ...started.map(({ witnessKey, url }) => ({ key: String(witnessKey), url: String(url) })),
      { key: gone, url: 'http://127.0.0.1:1' },
    ]
    const ofCoordinator = await start('coordinator', [
      'coordinator',
      '--listen',
      anywhere,
      ...peers.flatMap(peer => ['--founder', peer]),
      ...witnesses.flatMap(({ key, url }) => ['--witness', `${key}=${url}`]),
      '--witness-threshold',
      '2',
    ])
    const [address = ''] = ofCoordinator.addresses
    keys = { report: ofCoordinator.reportKey ?? '', log: logKey }
    assert.equal(ofCoordinator.logKey, logKey)

    const pure = await makeDistributions(join(import.meta.dirname, '../../samples/pure'))
    index = await startEmbeddedIndex({ distributions: pure, clock: systemClock })
    ;[target = assert.fail('no target')] = await targetsOn(index.url, ['pyti-sample-pure'], ['wheel'])
    const where = ['--listen', anywhere, '--coordinator', address, '--index', index.url, '--backend', backend]
    await Promise.all(founders.map(name => start(name, ['volunteer', ...where])))
    client = await connectClient(address, AbortSignal.timeout(600_000))
  })
  after(async () => {
    await client?.close()
    await Promise.all(nodes.toReversed().map(node => node.stop()))
    await index?.close()
    await rm(dir, { recursive: true, force: true })
  })

  it('draws seats, agrees, logs and reports', async () => {
    const job = await client.submit(target, { tasks: ['install', 'import'] })
    const early = await client.status(job)
    assert.deepEqual(early.seats, [], 'nobody is told who sits')
    await endOf(job).promise
    const status: JobStatus = await client.status(job)
    assert.equal(status.phase, 'reported', status.reason)
    const [found = assert.fail('no report')] = await client.findReports({ sha256: target.subject.sha256 })
    const bytes = await client.fetch(found.bundle)
    bundle = join(dir, 'report.intoto.jsonl')
    await writeFile(bundle, bytes)
    const { checks, report } = await verifyBundle(bytes, {
      trustedKeys: [keys.report],
      logKey: keys.log,
      witnesses: witnesses.map(({ key }) => key),
      minimumWitnesses: 2,
      distribution: { sha256: target.subject.sha256, size: target.subject.size },
    })
    const open = checks.filter(check => check.state !== 'ok').map(({ name, state }) => `${name} ${state}`)
    assert.deepEqual(open, ['root unknown', 'log-consistency unknown'])
    assert.equal(report?.predicate.policy.annotations.jobClass, 'N')
    assert.ok(report.predicate.inputAttestations.every(one => one.annotations.weight === 32_000))
  })

  it('is verified, audited and explained from the command line', async () => {
    const seenBy = witnesses.flatMap(({ key }) => ['--witness', key])
    const enough = [...seenBy, '--witness-threshold', '2']
    const verify = ['verify', bundle, '--key', keys.report, '--log-key', keys.log]
    const verified = await pyti([...verify, ...enough])
    assert.equal(verified.code, 0, verified.stdout)
    const again = await pyti([...verify, ...enough])
    assert.match(again.stdout, /ok +log-consistency +the same \d+ leaves as seen before/)
    const strict = await pyti([...verify, ...seenBy])
    assert.match(strict.stdout, /FAILED .*2 of the 3 witnesses signed the checkpoint, 3 are wanted/)
    const log = join(dir, 'coordinator', 'log')
    const audited = await pyti(['audit', log, '--key', keys.log, ...enough])
    assert.equal(audited.code, 0, audited.stdout + audited.stderr)
    assert.equal((await pyti(['audit', log, '--key', keys.log, ...seenBy])).code, 1)
    const why = await pyti(['why', target.subject.filename, '--log', log])
    assert.equal(why.code, 0, why.stdout + why.stderr)
  })

  it('leaves nothing behind', async () => {
    await client.close()
    await Promise.all(nodes.toReversed().map(node => node.stop()))
    assert.deepEqual(alive(vms), [])
    assert.deepEqual(await strayFolders(), [])
  })
})
