import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { describe, it } from 'node:test'
import { gunzipSync, gzipSync } from 'node:zlib'
import { pack } from 'tar-stream'
import { silentLogger } from '../../src/logger.ts'
import { commandAnswerer, decodeReply } from '../../src/net/rpc.ts'
import { inspectArchive } from '../../src/pypi/archive.ts'
import { prepareInputs } from '../../src/pypi/intake.ts'
import { collectRequirements } from '../../src/pypi/requirements.ts'
import { WantedTexts } from '../../src/pypi/wanted-texts.ts'
import { parseXml } from '../../src/pypi/xml.ts'
import { type JobTools, runJob } from '../../src/volunteer/run-job.ts'
import { canonicalBytes } from '../../src/wire/canonical.ts'
import { limits } from '../../src/wire/limits.ts'
import { goodArchives } from '../helpers/bad-archives.ts'
import { createManualClock } from '../helpers/manual-clock.ts'
import { testJob, testRawData, testSubject } from '../helpers/raw-data.ts'
import { smallWheel } from '../helpers/small-wheel.ts'
import { withDirectory } from '../helpers/temporary.ts'
import { callInWorker } from '../helpers/worker-call.ts'

/** A quarter of what a metadata file may have. */
const filled = (unit: string) => unit.repeat(Math.floor(limits.metadataBytes / 4 / unit.length))
const numbered = (count: number, line: (number: number) => string) =>
  Array.from({ length: count }, (_, number) => line(number)).join('\n')
const collect = (texts: [path: string, text: string][], kind = 'sdist') =>
  callInWorker('../../src/pypi/requirements.ts', 'collectRequirements', new Map(texts), kind, 'sample')

describe('metadata that once took hours, or more than the stack holds', () => {
  const groups = (text: string): [string, string] => ['pyproject.toml', `[dependency-groups]\n${text}`]
  const include = (to: string) => `{include-group="${to}"}`
  const cases: [name: string, texts: [string, string][], kind?: 'wheel'][] = [
    ['comments before a line end of old Macs, in setup.cfg', [['setup.cfg', `[a]\nx=1${filled(' #')}\rz`]]],
    ['a key of spaces that has no value, in tox.ini', [['tox.ini', `[a]\nb${filled(' ')}c`]]],
    [
      'comments before such a line end, in a requirements file',
      [['test-requirements.txt', `a${filled(' #')}\rz`]],
    ],
    [
      'hashes before such a line end, in a requirements file',
      [['test-requirements.txt', `a${filled(' --hash=')}\rz`]],
    ],
    [
      'groups that include the next one twice',
      [
        groups(
          `test=[${include('g0')}]\n${numbered(60, at => `g${at}=[${include(`g${at + 1}`)},${include(`g${at + 1}`)}]`)}`,
        ),
      ],
    ],
    [
      'groups that include each other, very deep',
      [groups(`test=[${include('g0')}]\n${numbered(20_000, at => `g${at}=[${include(`g${at + 1}`)}]`)}`)],
    ],
    [
      'many groups that are not there, among many that are',
      [
        groups(
          `test=[${numbered(40_000, at => `${include(`g${at}`)},`)}]\n${numbered(40_000, at => `h${at}=[]`)}`,
        ),
      ],
    ],
    [
      'many extras, and many requirements of another one',
      [
        [
          'a.dist-info/METADATA',
          `Name: a\n${numbered(40_000, at => `Provides-Extra: e${at}\nRequires-Dist: a;extra=="b"`)}`,
        ],
      ],
      'wheel',
    ],
    [
      'a thousand ways to ask for an extra of many requirements',
      [
        [
          'PKG-INFO',
          `Name: a\nProvides-Extra: e\n${numbered(40_000, at => `Requires-Dist: p${at};extra=="e"`)}\n${numbered(900, at => `Requires-Dist: sample[e];python_version<"3.${at}"`)}`,
        ],
      ],
    ],
    [
      'more lines in an included file than a call takes arguments',
      [
        ['requirements/test.txt', '-r x.txt'],
        ['requirements/x.txt', filled('a\n')],
      ],
    ],
    [
      'more unreadable lines than a call takes arguments',
      [['setup.cfg', `[options]\ninstall_requires=\n${' ?\n'.repeat(limits.metadataBytes / 4)}`]],
    ],
    [
      'many requirements files, each of which names all of them',
      Array.from({ length: 150 }, (_, at): [string, string] => [
        `d${at}/requirements/test.txt`,
        `${numbered(150, other => `-r ../../d${other}/requirements/test.txt`)}\n${'a\n'.repeat(10_000)}`,
      ]),
    ],
    [
      'one such file asked for by tox, over and over',
      [
        ['tox.ini', `[testenv]\ndeps=\n${'  -r r.txt\n'.repeat(50_000)}`],
        ['r.txt', 'a\n'.repeat(500_000)],
      ],
    ],
  ]
  for (const [name, texts, kind] of cases)
    it(name, async () => {
      assert.equal(typeof (await collect(texts, kind)), 'object')
    })

  it('members of an archive as deep as they may be, beside a link', async () => {
    assert.equal(await callInWorker('./hostile-members.ts', 'checkDeepMembers', 8_000), 8_001)
  })
})

describe('what those limits leave as it was', () => {
  const run = (texts: [string, string][]) => collectRequirements(new Map(texts), 'sdist', 'sample')

  it('values and comments of setup.cfg', () => {
    const text =
      '[options]\ninstall_requires = six>=1;python_version<"4" # why\n  # note\n  other : x\nsetup_requires: wheel\n'
    assert.deepEqual(run([['setup.cfg', text]]).run, ['six>=1 ; python_version < "4"'])
  })

  it('a requirement for several extras, and one against an extra', () => {
    const info = ['Metadata-Version: 2.2', 'Provides-Extra: Test', 'Provides-Extra: dev']
    const lines = ['a; extra=="test" or extra=="dev"', 'b; extra!="x"', 'c; extra=="TEST"']
    const found = run([['PKG-INFO', [...info, ...lines.map(line => `Requires-Dist: ${line}`)].join('\n')]])
    assert.deepEqual([found.run, found.test], [['b'], ['a', 'c', 'pytest']])
  })

  it('a group that two others include', () => {
    const text =
      '[dependency-groups]\ntest=[{include-group="A"},{include-group="b"}]\na=["x",{include-group="C"}]\nb=["y",{include-group="c"}]\nc=["z"]'
    assert.deepEqual(run([['pyproject.toml', text]]).test, ['x', 'z', 'y', 'pytest'])
  })

  it('a file below a link, and a folder whose name begins like one', async () => {
    const links = (name: string) =>
      tarOf([{ name: 'top/a/link', type: 'symlink', linkname: 'b' }, { name: 'top/a/b' }, { name }])
    assert.equal((await inspect(await links('top/a/link/x'))).fault, 'link-escape')
    assert.equal((await inspect(await links('top/a/linked/x'))).fault, 'no-metadata')
  })
})

const tiny = { ...limits, unpackedBytes: 1024 * 1024, archiveMembers: 10 }

describe('an archive that is larger than its members say', () => {
  it('goes on behind its end', async () => {
    const sdist = (await goodArchives()).find(({ kind }) => kind === 'sdist')?.bytes ?? assert.fail()
    const tail = Buffer.alloc(2 * tiny.unpackedBytes)
    assert.equal(
      (await inspect(gzipSync(Buffer.concat([gunzipSync(sdist), tail])))).fault,
      'unpacks-too-large',
    )
    assert.equal(
      (await inspect(gzipSync(Buffer.concat([gunzipSync(sdist), tail.subarray(0, 10_240)])))).fault,
      undefined,
    )
  })

  it('has thousands of extended fields', async () => {
    const pax = Object.fromEntries(Array.from({ length: 1_001 }, (_, at) => [`a${at}`, 'b']))
    assert.equal((await inspect(await tarOf([{ name: 'top/PKG-INFO', pax }]))).fault, 'not-an-archive')
  })

  it('has global fields that each of its headers would copy', async () => {
    const fields = (bytes: number) => {
      let text = ''
      for (let at = 0; text.length < bytes; at += 1) text += `14 ${String(at).padStart(8, 'a')}=b\n`
      return Buffer.from(text)
    }
    const many = (bytes: number) => [
      tarBlock('g', fields(bytes)),
      ...Array.from({ length: 40 }, () => tarBlock('x', Buffer.from('7 c=dd\n'))),
      tarBlock('0', Buffer.from('text'), 'top/PKG-INFO'),
      Buffer.alloc(1_024),
    ]
    const { fault, detail } = await inspect(gzipSync(Buffer.concat(many(900_000))))
    assert.deepEqual([fault, detail], ['not-an-archive', 'global fields of more than 4096 bytes'])
    assert.equal((await inspect(gzipSync(Buffer.concat(many(2_000))))).fault, 'bad-metadata')
  })

  it('has more lists of requirements than are read, and more metadata than is held', () => {
    const size = limits.metadataBytes
    const texts = new WantedTexts('sdist', size)
    const lists = [0, 1, 2, 3, 4].map(at => texts.wants(`top/requirements/${at}.txt`, size))
    assert.deepEqual(lists, [true, true, true, true, false])
    assert.ok(texts.wants('top/PKG-INFO', size))
    assert.throws(() => {
      for (let at = 0; at < 20; at += 1) texts.wants(`top${at}/PKG-INFO`, size)
    }, /more than 67108864 bytes of metadata/)
  })
})

describe('half a character, which has no canonical form', () => {
  const job = testJob()
  const unused = () => assert.fail('nothing is to be resolved')
  const prepare = async (dir: string, headers: string[]) => {
    const { bytes, filename } = smallWheel('sample', '1.0', headers)
    const path = join(dir, filename)
    await writeFile(path, bytes)
    const { intake } = await prepareInputs({
      job: { ...job, tasks: ['install'], subject: testSubject({ filename, kind: 'wheel' }) },
      subjectPath: path,
      index: { url: 'http://index.test/simple/', project: unused, sizeOf: unused },
      uv: { path: '/nowhere', indexUrl: 'http://index.test/simple/', cacheDir: dir, env: {} },
      cache: { fetch: unused },
      workDir: dir,
      clock: createManualClock(),
      log: silentLogger,
    })
    return intake
  }

  it('is not left when a requirement is cut', () =>
    withDirectory(async dir => {
      const found = await prepare(dir, [`Requires-Dist: ?${'😀'.repeat(600)}`])
      assert.equal(found.unresolved.length, 1)
      assert.ok(canonicalBytes(found).length > 0)
    }))

  it('is not left when the name of a member is cut', () =>
    withDirectory(async dir => {
      const path = join(dir, 'sdist')
      for (let shift = 0; shift < 2; shift += 1) {
        await writeFile(
          path,
          await tarOf([{ name: `/${'x'.repeat(shift)}${'\u0001'.repeat(80)}${'😀'.repeat(50)}` }]),
        )
        const look = await inspectArchive(path, 'sdist', 'sample-1.0.tar.gz')
        assert.equal(look.fault, 'path-escape')
        assert.ok(canonicalBytes(look.detail).length > 0)
      }
    }))

  const run = (record: unknown) => {
    const { intake: found, guest } = testRawData()
    const tools: JobTools = {
      lackOfRoom: async () => undefined,
      slowness: () => 1,
      prepare: async () => ({
        intake: found.stable,
        files: [],
        notes: [],
        index: 'http://index.test/',
        resolveMilliseconds: 0,
        downloadMilliseconds: 0,
      }),
      runVm: async () => ({
        backend: 'uml',
        kernel: guest.volatile.kernel,
        items: new Map([['guest.json', Buffer.from(JSON.stringify(record))]]),
        bootMilliseconds: 1,
        totalMilliseconds: 1,
      }),
    }
    return runJob(job, tools, { signal: new AbortController().signal, onStage: () => {} })
  }
  const record = () => ({
    schema: 'pyti.guest/3',
    python: '3.13.5',
    observers: [],
    tasks: testRawData().tasks,
  })
  const withTest = (name: string, outcome: string) => {
    const { tasks, ...rest } = record()
    const { unittest } = tasks
    if (unittest === undefined) return assert.fail('no unittest')
    return {
      ...rest,
      tasks: {
        ...tasks,
        unittest: { ...unittest, stable: { ...unittest.stable, tests: { [name]: outcome } } },
      },
    }
  }

  it('makes the record of a guest that holds it a tampered one', async () => {
    assert.equal((await run(withTest('tests/é😀', 'passed'))).rawData.tasks.unittest?.stable.status, 'passed')
    const { rawData } = await run(withTest('\ud800', 'passed'))
    assert.equal(rawData.tasks.unittest?.stable.reason, 'tampered')
  })

  it('is not left when the reason of a tampered run is cut', async () => {
    for (const shift of ['', 'x']) {
      const { rawData } = await run(withTest(`${shift}${'😀'.repeat(600)}`, 'no outcome'))
      assert.equal(rawData.tasks.unittest?.stable.reason, 'tampered')
    }
  })

  it("does not get into the coordinator, where it would make a job's status unanswerable", async () => {
    let taken: unknown
    const answer = commandAnswerer(
      'release',
      async request => {
        taken = request
        return {}
      },
      silentLogger,
    )
    const release = (message: string) =>
      answer(Buffer.from(`{"lease":"${'0'.repeat(32)}","reason":"vm-crash","message":"${message}"}`), {
        peer: 'one',
        signal: new AbortController().signal,
      })
    const refused = await release('\\ud800')
    assert.throws(() => decodeReply('release', refused), { code: 'BAD_REQUEST' })
    assert.equal(taken, undefined)
    await release('\\ud83d\\ude00 and \\\\ud800')
    assert.deepEqual(taken, { lease: '0'.repeat(32), reason: 'vm-crash', message: '😀 and \\ud800' })
  })
})

it('a feed that is not XML is refused in few words', () => {
  assert.throws(
    () => parseXml('<value>'.repeat(10_000)),
    (error: Error) => error.message.length < 1_000,
  )
})

/** A header and what it heads, filled up to whole blocks. */
function tarBlock(type: string, data: Buffer, name = 'fields'): Buffer {
  const whole = Buffer.alloc(512 + 512 * Math.ceil(data.length / 512))
  whole.write(name, 0)
  whole.write(`0000644\0${'0000000\0'.repeat(2)}`, 100)
  whole.write(`${data.length.toString(8).padStart(11, '0')}\0${'0'.repeat(11)}\0        ${type}`, 124)
  whole.write('ustar\x0000', 257, 'latin1')
  const sum = whole.subarray(0, 512).reduce((total, byte) => total + byte, 0)
  whole.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  data.copy(whole, 512)
  return whole
}

async function tarOf(headers: Parameters<ReturnType<typeof pack>['entry']>[0][]): Promise<Buffer> {
  const tar = pack()
  for (const header of headers) {
    const dated = { ...header, mtime: new Date(0) }
    if (header.type === 'symlink') tar.entry(dated)
    else tar.entry(dated, '')
  }
  tar.finalize()
  return gzipSync(await buffer(tar))
}

function inspect(bytes: Uint8Array) {
  return withDirectory(async dir => {
    const path = join(dir, 'sdist')
    await writeFile(path, bytes)
    return inspectArchive(path, 'sdist', 'bad-1.0.tar.gz', { limits: tiny })
  })
}
