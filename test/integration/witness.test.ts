import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { confirmFault, decodeFault } from '../../src/attest/faults.ts'
import { openCheckpoint } from '../../src/attest/log/checkpoint.ts'
import { formatVkey, parseVkey } from '../../src/attest/log/note.ts'
import { startChildNode } from '../../src/cli/child-node.ts'
import { openLogFolder } from '../../src/cli/log-folder.ts'
import { systemClock } from '../../src/clock.ts'
import { createCosigner, type WitnessAddress } from '../../src/coordinator/cosign.ts'
import { silentLogger } from '../../src/logger.ts'
import type { Libp2pNetwork } from '../../src/net/libp2p.ts'
import { openLevelStore } from '../../src/store/level.ts'
import { createLogWatch, type LogWatch } from '../../src/volunteer/log-watch.ts'
import { toBase64 } from '../../src/wire/bytes.ts'
import { answerCheckpoints } from '../../src/witness/command.ts'
import { openWitness } from '../../src/witness/witness.ts'
import { createCrash } from '../helpers/crashing-disk.ts'
import { startNode } from '../helpers/libp2p-nodes.ts'
import { testNoteSigner } from '../helpers/log.ts'
import { createWorld, growTo, type Log, logSigner, logVkey, openLog } from '../helpers/log-world.ts'
import { until } from '../helpers/manual-clock.ts'
import { withDirectory } from '../helpers/temporary.ts'

const logKey = formatVkey(logSigner.name, 1, logSigner.publicKey)
const signal = AbortSignal.timeout(120_000)
const cli = join(import.meta.dirname, '../../src/cli/main.ts')

async function withNodes(
  use: (start: (number: number) => Promise<Libp2pNetwork>) => Promise<void>,
): Promise<void> {
  const nodes: Libp2pNetwork[] = []
  try {
    await use(async number => {
      const node = await startNode(number, { role: number === 1 ? 'coordinator' : 'volunteer' })
      nodes.push(node)
      return node
    })
  } finally {
    for (const node of nodes) await node.stop()
  }
}

function serveHead(network: Libp2pNetwork, log: () => Log): void {
  network.serve('log-head', async ({ size }) => {
    const { checkpoint, hashes } = await log().sequencer.consistency(size)
    return { checkpoint, proof: hashes.map(toBase64) }
  })
}

const connect = (from: Libp2pNetwork, to: Libp2pNetwork) =>
  from.connect({ peer: to.self, addresses: to.addresses() }, signal)

test('a log is cosigned by a volunteer over libp2p and by `pyti witness` over HTTP, and a fork is found by a peer', () =>
  withDirectory(dir =>
    withNodes(async start => {
      const [coordinator, helper, other] = [await start(1), await start(2), await start(3)]
      await connect(helper, coordinator)
      await connect(other, coordinator)

      const store = await openLevelStore(join(dir, 'helper'))
      const witness = await openWitness({
        store,
        signer: testNoteSigner('helper.example'),
        logOf: origin => (origin === logVkey.name ? logVkey : undefined),
        clock: systemClock,
      })
      answerCheckpoints(helper, witness)
      const child = startChildNode(
        'witness',
        [
          'witness',
          '--log',
          logKey,
          '--http',
          '127.0.0.1:0',
          '--name',
          'own.example',
          '--data',
          join(dir, 'own'),
        ],
        () => {},
      )
      try {
        const ready = await child.ready
        assert.ok(typeof ready.witnessKey === 'string' && typeof ready.url === 'string')
        const witnesses: WitnessAddress[] = [
          { vkey: witness.key, where: helper.self },
          { vkey: ready.witnessKey, where: ready.url },
        ]
        const world = createWorld()
        const cosign = createCosigner({ network: coordinator, witnesses, clock: systemClock })
        const log = await openLog(world, createCrash(), { cosign })
        for (const size of [3, 5, 300]) {
          await growTo(log, size)
          const { checkpoint, witnesses: seenBy } = await openCheckpoint(
            log.sequencer.checkpoint() ?? '',
            logVkey,
            witnesses.map(({ vkey }) => parseVkey(vkey)),
          )
          assert.deepEqual([checkpoint.size, seenBy.length], [size, 2])
        }

        // What the witnesses saw is out of reach for another history of the same log.
        let current = log
        const fork = await openLog(createWorld(), createCrash(), { cosign })
        await assert.rejects(growTo(fork, 7), { code: 'cosigning-failed' })
        const alone = await openLog(createWorld(), createCrash(), { cosign: async note => note })
        await alone.commit([{ kind: 'task', id: 'f'.repeat(64) }])
        await growTo(alone, 200)

        serveHead(coordinator, () => current)
        const folders = await Promise.all(['one', 'two'].map(name => openLogFolder(join(dir, name))))
        const watches: LogWatch[] = [helper, other].map((network, at) => {
          const folder = folders[at] ?? assert.fail()
          return createLogWatch({
            network,
            coordinator: coordinator.self,
            memory: folder.memory,
            evidence: folder.evidence,
            clock: systemClock,
            log: silentLogger,
          })
        })
        const [mine, theirs] = watches
        assert.ok(mine && theirs)
        for (const watch of watches) watch.start()
        await mine.contact(logKey, signal)
        current = alone
        await theirs.contact(logKey, signal)
        current = log
        await connect(helper, other)
        await until(() => helper.isConnected(other.self), 'a connection')
        await assert.rejects(mine.check(signal), { code: 'log-forked' })
        const file = await readFile(join(dir, 'one', 'log-fork-1.json'))
        assert.equal((await confirmFault(decodeFault(file))).accused, logKey)
        for (const folder of folders) await folder.close()

        await child.stop()
        assert.equal(child.process.exitCode, 0)
        await assert.rejects(growTo(log, 301), /1 of 2 witnesses signed, 2 must: own\.example/)
      } finally {
        await child.stop()
        await store.close()
      }
    }),
  ))

test('`pyti witness` answers a coordinator over the connection it made, and is one process per folder', () =>
  withDirectory(dir =>
    withNodes(async start => {
      const coordinator = await start(1)
      const data = join(dir, 'witness')
      const [address = ''] = coordinator.addresses()
      const args = ['witness', '--log', logKey, '--coordinator', address, '--data', data]
      const child = startChildNode('witness', [...args, '--listen', '/ip4/127.0.0.1/tcp/0'], () => {})
      try {
        const ready = await child.ready
        assert.ok(typeof ready.witnessKey === 'string')
        assert.equal(ready.url, undefined)
        const witnesses = [{ vkey: ready.witnessKey, where: ready.peer }]
        while (!coordinator.isConnected(ready.peer)) await systemClock.sleep(20, signal)
        const cosign = createCosigner({ network: coordinator, witnesses, clock: systemClock })
        const log = await openLog(createWorld(), createCrash(), { cosign })
        await growTo(log, 9)
        assert.match(log.sequencer.checkpoint() ?? '', /— pyti-witness\/\S{8} /)
        const second = await promisify(execFile)(process.execPath, [cli, ...args]).catch(error => error)
        assert.deepEqual([second.code, /is running on/.test(second.stderr)], [3, true])
      } finally {
        await child.stop()
      }
    }),
  ))

test('`pyti witness` refuses what is no key of a log', async () => {
  const witness = testNoteSigner('witness.example')
  for (const key of ['no key', formatVkey(witness.name, 4, witness.publicKey)]) {
    const { code, stderr } = await promisify(execFile)(process.execPath, [
      cli,
      'witness',
      '--log',
      key,
    ]).catch(error => error)
    assert.equal(code, 2)
    assert.match(stderr, /--log/)
  }
})
