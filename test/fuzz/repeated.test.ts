import fc from 'fast-check'
import { parseCheckpoint } from '../../src/attest/log/checkpoint.ts'
import { parseNote, parseVkey } from '../../src/attest/log/note.ts'
import { parseProof } from '../../src/attest/log/proof-file.ts'
import { parseTilePath } from '../../src/attest/log/tiles.ts'
import { parseAddress } from '../../src/net/addresses.ts'
import { parseJson } from '../../src/net/rpc.ts'
import { parseAnchors } from '../../src/pypi/html-anchors.ts'
import { parseHtmlPage, parseJsonPage } from '../../src/pypi/index-page.ts'
import { parseMarker } from '../../src/pypi/marker.ts'
import { tryParseFilename } from '../../src/pypi/names.ts'
import { parseRequirement } from '../../src/pypi/requirement.ts'
import { collectRequirements } from '../../src/pypi/requirements.ts'
import { meetsSpecifiers } from '../../src/pypi/specifiers.ts'
import { parseVersion } from '../../src/pypi/version.ts'
import { checkRecord } from '../../src/pypi/wheel-record.ts'
import { parseXml } from '../../src/pypi/xml.ts'
import { ConsoleTail } from '../../src/sandbox/console-tail.ts'
import { parseCanonical } from '../../src/wire/canonical.ts'
import { Subject } from '../../src/wire/job.ts'
import { fuzz, outcomeOf } from '../helpers/fuzz.ts'

/** What is refused is refused; here only the time and the stack count. */
const refusals = [
  'bad-note',
  'bad-checkpoint',
  'bad-proof',
  'bad-tile',
  'bad-address',
  'bad-index-page',
  'bad-feed',
  'not-canonical',
]
const page = 'https://index.test/simple/sample/'

/** One parser each, so that the smallest failing input names the parser too. */
const parsers: Record<string, (text: string) => unknown> = {
  'setup.cfg': text => collectRequirements(new Map([['setup.cfg', text]]), 'sdist', 'sample'),
  'tox.ini': text => collectRequirements(new Map([['tox.ini', text]]), 'sdist', 'sample'),
  'PKG-INFO': text => collectRequirements(new Map([['PKG-INFO', text]]), 'sdist', 'sample'),
  'pyproject.toml': text => collectRequirements(new Map([['pyproject.toml', text]]), 'sdist', 'sample'),
  'requires.txt': text =>
    collectRequirements(new Map([['a.egg-info/requires.txt', text]]), 'sdist', 'sample'),
  'requirements file': text =>
    collectRequirements(new Map([['requirements/test.txt', text]]), 'sdist', 'sample'),
  RECORD: text => checkRecord(text, new Map()),
  requirement: parseRequirement,
  marker: parseMarker,
  version: parseVersion,
  specifiers: text => meetsSpecifiers('1.0', text),
  'file name': text => [
    tryParseFilename(text),
    tryParseFilename(text, 'sample'),
    Subject.safeParse({ filename: text }),
  ],
  anchors: parseAnchors,
  'HTML page': text => parseHtmlPage(text, 'sample', page),
  'JSON page': text => parseJsonPage(text, 'sample', page),
  XML: parseXml,
  'canonical JSON': text => parseCanonical(Buffer.from(text)),
  JSON: text => parseJson(Buffer.from(text)),
  address: text => parseAddress(text.slice(0, 20_000)),
  console: text => new ConsoleTail().add(Buffer.from(text)),
  note: parseNote,
  'verifier key': parseVkey,
  checkpoint: parseCheckpoint,
  'proof file': parseProof,
  'path of a tile': parseTilePath,
}

const pieces = [
  ...[
    ' ',
    '  ',
    '\n',
    '\r',
    '\t',
    '\u2028',
    '\0',
    '\\',
    '\\\n',
    '#',
    ' #',
    ';',
    ',',
    '.',
    '-',
    '_',
    '/',
    '=',
    '==',
    ':',
    '+',
    '!',
    '@',
    '*',
    '&',
  ],
  ...[
    '"',
    "'",
    '"""',
    '(',
    ')',
    '[',
    ']',
    '[[',
    '{',
    '}',
    '<',
    '>',
    '<a ',
    '<a href="',
    '</a>',
    '<a/>',
    '<!--',
    '-->',
    '<![CDATA[',
    ']]>',
    '<?',
    '<!DOCTYPE a "',
  ],
  ...[
    'a',
    'A',
    '0',
    '1',
    '9.',
    'a=',
    'a.',
    'a: b\n',
    'x\n',
    ' x\n',
    '[a]\n',
    'extra',
    ' and ',
    ' or ',
    'not in ',
    '"a":1,',
    '\\u',
    '\\ud800',
    '&#',
    '&amp;',
    ' --hash=',
    '-r a\n',
  ],
  ...[
    '— ',
    '\n\n',
    'index 1\n',
    'x000/',
    '/ip4/1.1.1.1',
    '/p2p/',
    '😀',
    '<value>',
    '</value>',
    ',sha256=',
    'post',
    'rc1',
  ],
]
const starts = [
  '',
  '[options]\ninstall_requires=',
  '[testenv]\ndeps=',
  'Name: a\nRequires-Dist: ',
  'x = ',
  'x = [',
  'x = """',
  '<r>',
  '<a x',
  '{"a":[',
  'a',
  'a;',
  '1',
  '[a]\nb',
  'c2sp.org/tlog-proof@v1\n',
  'tile/0/',
  'log.test\n',
  '/ip4/1.1.1.1',
]
const ends = ['', '\n', '\rz', '\u2028z', '"', ']', '}', '>', ' x', '</r>', '\n\n', '!']

fuzz(
  'a piece that is repeated ten thousands of times is read in one pass or refused',
  fc.record({
    parser: fc.constantFrom(...Object.keys(parsers)),
    start: fc.constantFrom(...starts),
    unit: fc.array(fc.constantFrom(...pieces), { minLength: 1, maxLength: 3 }).map(list => list.join('')),
    end: fc.constantFrom(...ends),
  }),
  250,
  async ({ parser, start, unit, end }) => {
    const text = start + unit.repeat(Math.ceil(250_000 / unit.length)) + end
    const parse = parsers[parser]
    if (parse) await outcomeOf(refusals, () => parse(text)).catch(error => acceptArchiveFault(error))
  },
)

/** Of `checkRecord`, inside an archive's look. */
function acceptArchiveFault(error: unknown): void {
  if (!(error instanceof Error && 'fault' in error)) throw error
}
