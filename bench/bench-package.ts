import { recordLine } from '../src/pypi/make-distribution.ts'
import { storedEntry, writeZip } from '../src/pypi/zip-writer.ts'
import type { DistributionKind } from '../src/wire/job.ts'

/** A file a bench hands to a guest. */
export interface BenchFile {
  filename: string
  kind: DistributionKind
  project: string
  bytes: Uint8Array<ArrayBuffer>
}

export const sampleLines = 1_151
export const sampleTests = 51
const parts = 17

/**
 * The sample job's wheel: 17 small modules and 51 tests inside the package, 1,151 lines in all. Made here, the same bytes
 * every time; the code is plain enough for linters to have something to look at and nothing to say.
 */
export function sampleWheel(): BenchFile {
  const files = new Map<string, string>([
    ['__init__.py', '"""A package of small parts, made for measuring."""\n'],
    ['tests/__init__.py', '"""Tests of all parts."""\n'],
    [
      'tests/test_fold.py',
      testFile('fold', number => [`assert part_${number}.fold([1, 2, 3]) == ${folded(number)}`]),
    ],
    [
      'tests/test_most.py',
      testFile('most', number => [
        `words = part_${number}.Words("text").add("b a b")`,
        'assert words.most() == [("b", 2), ("a", 1)]',
      ]),
    ],
    [
      'tests/test_dump.py',
      testFile('dump', number => [
        `words = part_${number}.Words("text").add("a")`,
        'assert json.loads(words.dump()) == {"name": "text", "counts": {"a": 1}}',
      ]),
    ],
  ])
  for (let number = 1; number <= parts; number++) files.set(`part_${number}.py`, partModule(number))
  const missing = sampleLines - linesOf(files) - 5
  if (missing < 0) throw new Error('the sample has become too long')
  const rows = Array.from({ length: missing }, (_, index) => `    "row_${index}": ${index * 7},\n`)
  files.set('table.py', `"""A table."""\n\nTABLE = {\n${rows.join('')}}\nLENGTH = len(TABLE)\n`)
  return wheel('pyti-bench-job', new Map([...files].map(([path, text]) => [`pyti_bench_job/${path}`, text])))
}

/** A wheel with one test; before it runs for the first time, `bytes` bytes go to its task's log. */
export function noisyWheel(bytes: number): BenchFile {
  // A `.pth` file runs in the test runner's interpreter (site module), before the runner catches output.
  const noise = `import os, sys
MARK = "/tmp/pyti-bench-noise"
if any("pytest" in word for word in sys.orig_argv) and not os.path.exists(MARK):
    open(MARK, "x").close()
    line, left = b"x" * 65535 + b"\\n", ${bytes}
    while left > 0:
        left -= os.write(1, line[-left:] if left < len(line) else line)
`
  const members = new Map([
    ['pyti_bench_noise.py', noise],
    ['pyti_bench_noise.pth', 'import pyti_bench_noise\n'],
    ['pyti_bench_noise_tests/tests/test_nothing.py', 'def test_nothing():\n    pass\n'],
  ])
  return wheel('pyti-bench-noise', members)
}

/** A wheel with one stored member of this many bytes that do not repeat. */
export function largeWheel(bytes: number): BenchFile {
  const data = Buffer.alloc(bytes)
  for (let at = 0, state = 1; at + 4 <= bytes; at += 4) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    data.writeUInt32LE(state, at)
  }
  return wheel('pyti-bench-large', new Map([['pyti_bench_large.bin', data]]))
}

function wheel(project: string, members: Map<string, string | Uint8Array>): BenchFile {
  const stem = `${project.replaceAll('-', '_')}-1.0`
  const info = `${stem}.dist-info`
  const all = [
    ...members,
    [`${info}/METADATA`, `Metadata-Version: 2.2\nName: ${project}\nVersion: 1.0\n`] as const,
    [
      `${info}/WHEEL`,
      'Wheel-Version: 1.0\nGenerator: pyti 1\nRoot-Is-Purelib: true\nTag: py3-none-any\n',
    ] as const,
  ].map(([path, data]) => [path, typeof data === 'string' ? Buffer.from(data) : data] as const)
  const record = [...all.map(([path, data]) => recordLine(path, data)), `${info}/RECORD,,\n`].join('')
  const entries = [...all, [`${info}/RECORD`, Buffer.from(record)] as const]
  return {
    filename: `${stem}-py3-none-any.whl`,
    kind: 'wheel',
    project,
    bytes: writeZip(entries.map(([path, data]) => storedEntry(path, data))),
  }
}

const folded = (number: number): number => [1, 2, 3].reduce((total, value) => total + value * number, number)

function partModule(number: number): string {
  return `"""Part ${number}: numbers folded into one, and words counted."""

import collections
import dataclasses
import json
import re


def fold(values, start=${number}):
    """Fold all values into one number."""
    total = start
    for value in values:
        if value < 0:
            continue
        total += value * ${number}
    return total


@dataclasses.dataclass
class Words:
    """Counts the words of some texts."""

    name: str
    counts: dict = dataclasses.field(default_factory=collections.Counter)

    def add(self, text):
        """Count the words of one text."""
        for word in re.findall(r"[a-z]+", text.lower()):
            self.counts[word] = self.counts.get(word, 0) + 1
        return self

    def most(self, number=${number + 2}):
        """The words seen most often, then by name."""
        return sorted(self.counts.items(), key=lambda pair: (-pair[1], pair[0]))[:number]

    def dump(self):
        """Everything as JSON."""
        return json.dumps({"name": self.name, "counts": dict(self.counts)}, sort_keys=True)
`
}

function testFile(what: string, body: (number: number) => string[]): string {
  const numbers = Array.from({ length: parts }, (_, index) => index + 1)
  const names = numbers.map(number => `    part_${number},\n`).join('')
  const tests = numbers.map(
    number =>
      `def test_${what}_${number}():\n    """Of part ${number}."""\n${body(number)
        .map(line => `    ${line}\n`)
        .join('')}`,
  )
  const head = what === 'dump' ? 'import json\n\n' : ''
  return `"""Tests of ${what}."""\n\n${head}from pyti_bench_job import (\n${names})\n\n\n${tests.join('\n\n')}`
}

function linesOf(files: Map<string, string>): number {
  return [...files.values()].reduce((sum, text) => sum + text.split('\n').length - 1, 0)
}
