import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize, relative } from 'node:path'
import { it } from 'node:test'

const src = join(import.meta.dirname, '../../src')

/** Which rooms a room may import besides itself and the leaves (design, section 3). `port:` names single files. */
const mayImport: Record<string, string[]> = {
  wire: [],
  consensus: ['wire'],
  report: ['wire'],
  attest: ['wire', 'report', 'consensus'],
  pypi: ['wire'],
  net: ['wire'],
  store: ['wire'],
  sandbox: ['wire'],
  volunteer: ['wire', 'attest', 'port:net/network.ts', 'port:net/command-error.ts'],
  coordinator: [
    'wire',
    'consensus',
    'report',
    'attest',
    'port:net/network.ts',
    'port:net/command-error.ts',
    'port:store/store.ts',
    'store',
  ],
  witness: ['wire', 'attest', 'port:net/network.ts', 'store'],
  cli: [
    'wire',
    'consensus',
    'report',
    'attest',
    'pypi',
    'net',
    'store',
    'sandbox',
    'volunteer',
    'coordinator',
    'witness',
  ],
}
const homes: Record<string, string[]> = {
  libp2p: ['net', 'identity.ts'],
  level: ['store'],
  commander: ['cli'],
  'tar-stream': ['pypi', 'sandbox'],
}
const pure = ['consensus', 'report', 'attest', 'wire']

const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.ts'))
const importsOf = (file: string) =>
  [...readFileSync(join(src, file), 'utf8').matchAll(/(?:import|export)[^'"]*?from '([^']+)'/g)].map(
    match => match[1] ?? '',
  )
const roomOf = (file: string) => (file.includes('/') ? (file.split('/')[0] ?? '') : '')

it('every import goes where the design lets it go', () => {
  const breaches: string[] = []
  for (const file of files) {
    const room = roomOf(file)
    for (const specifier of importsOf(file)) {
      if (!specifier.startsWith('.')) continue
      const target = relative(src, normalize(join(src, dirname(file), specifier)))
      const other = roomOf(target)
      if (other === room || other === '') continue
      if (room === '' || !(mayImport[room]?.includes(other) || mayImport[room]?.includes(`port:${target}`)))
        breaches.push(`${file} -> ${target}`)
    }
  }
  assert.deepEqual(breaches, [])
})

it('each of the libraries has one home', () => {
  const breaches: string[] = []
  for (const file of files)
    for (const specifier of importsOf(file))
      for (const [library, rooms] of Object.entries(homes)) {
        const isIt =
          specifier === library ||
          (library === 'libp2p' &&
            (specifier.startsWith('@libp2p/') ||
              specifier.startsWith('@multiformats/') ||
              specifier.startsWith('@chainsafe/')))
        if (isIt && !rooms.includes(roomOf(file)) && !rooms.includes(file))
          breaches.push(`${file} -> ${specifier}`)
      }
  assert.deepEqual(breaches, [])
})

it('pure rooms do no I/O, read no clock and draw no randomness', () => {
  const breaches: string[] = []
  for (const file of files.filter(name => pure.includes(roomOf(name)))) {
    for (const specifier of importsOf(file))
      if (specifier.startsWith('node:') && specifier !== 'node:crypto')
        breaches.push(`${file} -> ${specifier}`)
    if (
      /Date\.now|Math\.random|randomBytes|randomUUID|setTimeout|process\./.test(
        readFileSync(join(src, file), 'utf8'),
      )
    )
      breaches.push(`${file} uses a clock, randomness or the process`)
  }
  assert.deepEqual(breaches, [])
})

it('only the command line reads the environment and the arguments', () => {
  const readers = files.filter(
    file =>
      roomOf(file) !== 'cli' &&
      /process\.(?:env|argv|exit|stdout|stdin)\b/.test(readFileSync(join(src, file), 'utf8')),
  )
  assert.deepEqual(readers, [])
})
