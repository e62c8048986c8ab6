import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { test } from 'node:test'
import { consistencyProof, createTree, leafHash } from '../../src/attest/log/merkle.ts'
import { parseVkey } from '../../src/attest/log/note.ts'
import { formatRequest } from '../../src/attest/log/witness.ts'
import { systemClock } from '../../src/clock.ts'
import { createMemoryStore } from '../../src/store/memory.ts'
import { serveWitness } from '../../src/witness/http.ts'
import { openWitness, type Witness } from '../../src/witness/witness.ts'
import { createFakeLog, leavesOf } from '../helpers/fake-log.ts'
import { testNoteSigner } from '../helpers/log.ts'
import { testLogger } from '../helpers/test-logger.ts'

const log = createFakeLog()
log.leaves = leavesOf(20)
const vkey = parseVkey(log.key)

async function requestTo(oldSize: number, size: number): Promise<string> {
  const tree = createTree()
  for (const leaf of log.leaves.slice(0, size)) tree.append(leafHash(leaf))
  return formatRequest({
    oldSize,
    proof: await consistencyProof(oldSize, size, tree.read),
    note: await log.note(size),
  })
}

async function withServer(
  use: (url: string, logger: ReturnType<typeof testLogger>) => Promise<void>,
  witness?: Witness,
): Promise<void> {
  const real = await openWitness({
    store: createMemoryStore(),
    signer: testNoteSigner('witness.example'),
    logOf: origin => (origin === vkey.name ? vkey : undefined),
    clock: systemClock,
  })
  const logger = testLogger()
  const server = await serveWitness(witness ?? real, { host: '127.0.0.1', port: 0, log: logger })
  try {
    await use(server.url, logger)
  } finally {
    await server.close()
  }
}

const post = async (url: string, body: BodyInit) => {
  const response = await fetch(`${url}/add-checkpoint`, { method: 'POST', body })
  return {
    status: response.status,
    type: response.headers.get('content-type'),
    body: await response.text(),
  }
}
const text = 'text/plain; charset=utf-8'

test('statuses and content types are those of C2SP', () =>
  withServer(async url => {
    const cosigned = await post(url, await requestTo(0, 9))
    assert.deepEqual([cosigned.status, cosigned.type], [200, text])
    assert.match(cosigned.body, /^— witness\.example [A-Za-z0-9+/]+=*\n$/)
    assert.deepEqual(await post(url, await requestTo(3, 12)), {
      status: 409,
      type: 'text/x.tlog.size',
      body: '9\n',
    })
    for (const [body, status] of [
      [(await requestTo(9, 12)).replace(/^old 9\n.*\n/, 'old 9\n'), 422],
      [(await requestTo(9, 12)).replaceAll('log.example/pyti', 'other.example'), 404],
      [(await requestTo(9, 12)).replace('\n12\n', '\n13\n'), 403],
      ['old', 400],
      ['', 400],
      [Buffer.from([0x6f, 0xff, 0xfe]), 400],
    ] as const) {
      const answer = await post(url, body)
      assert.deepEqual([answer.status, answer.type], [status, text], String(body).slice(0, 30))
    }
    assert.equal((await post(url, await requestTo(9, 12))).status, 200)
  }))

test('nothing but POST, nothing but that path', () =>
  withServer(async url => {
    for (const method of ['GET', 'HEAD', 'PUT', 'DELETE']) {
      const response = await fetch(`${url}/add-checkpoint`, { method })
      assert.deepEqual([response.status, response.headers.get('allow')], [405, 'POST'])
    }
    for (const path of ['/', '/checkpoint', '/add-checkpoint/', '/add-checkpoint?x', '/../add-checkpoint/x'])
      assert.equal((await fetch(`${url}${path}`, { method: 'POST', body: 'x' })).status, 404)
  }))

test('a body that is too large is refused, whether its length is told or not', () =>
  withServer(async url => {
    const large = 'x'.repeat(200_000)
    assert.equal((await post(url, large)).status, 413)
    let chunks = 20
    const chunked = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (chunks-- > 0) controller.enqueue(new Uint8Array(10_000))
        else controller.close()
      },
    })
    // Node's fetch wants `duplex` for a stream, which the types do not know.
    const init = { method: 'POST', body: chunked, duplex: 'half' }
    const response = await fetch(`${url}/add-checkpoint`, init)
    assert.equal(response.status, 413)
    assert.equal((await post(url, await requestTo(0, 9))).status, 200)
  }))

test('an endless body is cut off', () =>
  withServer(async url => {
    const { port } = new URL(url)
    const socket = connect(Number(port), '127.0.0.1')
    const closed = new Promise<string>(resolve => {
      let seen = ''
      socket.setEncoding('utf8').on('data', chunk => {
        seen += chunk
      })
      socket.on('error', () => {})
      socket.on('close', () => resolve(seen))
    })
    socket.write('POST /add-checkpoint HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n')
    const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`
    const write = () => {
      while (socket.writable && socket.write(chunk));
      if (socket.writable) socket.once('drain', write)
    }
    write()
    assert.match(await closed, /^(?:HTTP\/1\.1 413 |$)/)
  }))

test('a witness that fails says so and signs nothing', () =>
  withServer(
    async (url, logger) => {
      assert.equal((await post(url, await requestTo(0, 9))).status, 500)
      assert.equal(logger.lines[0]?.level, 'error')
    },
    { key: '', addCheckpoint: () => Promise.reject(new Error('disk is full')), async *history() {} },
  ))

test('a port that is taken is told', () =>
  withServer(async url => {
    const witness = { key: '', addCheckpoint: () => Promise.reject(new Error()), async *history() {} }
    await assert.rejects(
      serveWitness(witness, { host: '127.0.0.1', port: Number(new URL(url).port), log: testLogger() }),
      { code: 'listen-failed' },
    )
  }))
