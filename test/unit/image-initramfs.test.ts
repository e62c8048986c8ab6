import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { encodeCpio } from '../../src/sandbox/image/cpio.ts'
import { shrinkModule } from '../../src/sandbox/image/shrink-module.ts'
import { sha256 } from '../../src/wire/canonical.ts'

interface Section {
  name: string
  data: Uint8Array
  type: number
  align: number
}

/** Reads the archive by the format's text, not by the writer's code. */
function readCpio(archive: Uint8Array) {
  const bytes = Buffer.from(archive)
  const members = []
  for (let at = 0; at < bytes.length; ) {
    assert.equal(bytes.toString('latin1', at, at + 6), '070701')
    const field = (index: number) =>
      Number.parseInt(bytes.toString('latin1', at + 6 + index * 8, at + 14 + index * 8), 16)
    const nameEnd = at + 110 + field(11)
    const dataStart = Math.ceil(nameEnd / 4) * 4
    members.push({
      name: bytes.toString('utf8', at + 110, nameEnd - 1),
      mode: field(1),
      mtime: field(5),
      owner: [field(2), field(3)],
      data: bytes.subarray(dataStart, dataStart + field(6)),
    })
    at = Math.ceil((dataStart + field(6)) / 4) * 4
  }
  return members
}

function makeElf(sections: Section[]): Buffer {
  const all = [{ name: '', data: new Uint8Array(), type: 0, align: 0 }, ...sections]
  const names = Buffer.from(`${all.map(({ name }) => name).join('\0')}\0.names\0`)
  all.push({ name: '.names', data: names, type: 3, align: 1 })
  const body: Buffer[] = [Buffer.alloc(64)]
  let length = 64
  let nameAt = 0
  const headers = all.map(({ name, data, type, align }) => {
    const padding = align > 1 ? (align - (length % align)) % align : 0
    body.push(Buffer.alloc(padding), Buffer.from(data))
    const header = Buffer.alloc(64)
    header.writeUInt32LE(nameAt, 0)
    header.writeUInt32LE(type, 4)
    header.writeBigUInt64LE(BigInt(length + padding), 0x18)
    header.writeBigUInt64LE(BigInt(data.length), 0x20)
    header.writeBigUInt64LE(BigInt(align), 0x30)
    length += padding + data.length
    nameAt += name.length + 1
    return header
  })
  const elf = Buffer.concat([...body, ...headers])
  elf.writeUInt32BE(0x7f454c46, 0)
  elf[4] = 2
  elf[5] = 1
  elf.writeBigUInt64LE(BigInt(length), 0x28)
  elf.writeUInt16LE(all.length, 0x3c)
  elf.writeUInt16LE(all.length - 1, 0x3e)
  return elf
}

function readElf(elf: Uint8Array) {
  const bytes = Buffer.from(elf)
  const table = Number(bytes.readBigUInt64LE(0x28))
  const sections = Array.from({ length: bytes.readUInt16LE(0x3c) }, (_, index) => {
    const at = table + index * 64
    const offset = Number(bytes.readBigUInt64LE(at + 0x18))
    return {
      nameAt: bytes.readUInt32LE(at),
      type: bytes.readUInt32LE(at + 4),
      offset,
      align: Number(bytes.readBigUInt64LE(at + 0x30)),
      data: bytes.subarray(offset, offset + Number(bytes.readBigUInt64LE(at + 0x20))),
    }
  })
  const names = sections[bytes.readUInt16LE(0x3e)]?.data ?? Buffer.alloc(0)
  return sections.map(section => ({
    ...section,
    name: names.toString('latin1', section.nameAt, names.indexOf(0, section.nameAt)),
  }))
}

const text = (value: string) => new TextEncoder().encode(value)

describe('cpio', () => {
  it('holds folders, files and links with fixed times and owners', () => {
    const members = readCpio(
      encodeCpio([
        { path: 'bin', mode: 0o755 },
        { path: 'bin/busybox', mode: 0o755, data: text('12345') },
        { path: 'bin/sh', mode: 0o777, link: true, data: text('busybox') },
        { path: 'empty', mode: 0o600, data: new Uint8Array() },
      ]),
    )
    assert.deepEqual(
      members.map(({ name, mode, data }) => [name, mode.toString(8), data.toString()]),
      [
        ['bin', '40755', ''],
        ['bin/busybox', '100755', '12345'],
        ['bin/sh', '120777', 'busybox'],
        ['empty', '100600', ''],
        ['TRAILER!!!', '0', ''],
      ],
    )
    for (const member of members) assert.deepEqual([member.mtime, ...member.owner], [0, 0, 0])
  })

  it('is always the same bytes', () => {
    const archive = encodeCpio([{ path: 'init', mode: 0o755, data: text('#!/bin/sh\n') }])
    assert.equal(sha256(archive), '3ae80005fe6530b341d53256168135a13e88e7320eb9f0c496ed6478d36aa95b')
  })
})

describe('a kernel module without its debug sections', () => {
  const sections: Section[] = [
    { name: '.text', data: Buffer.alloc(33, 1), type: 1, align: 16 },
    { name: '.debug_info', data: Buffer.alloc(5_000, 2), type: 1, align: 1 },
    { name: '.rela.text', data: Buffer.alloc(48, 3), type: 4, align: 8 },
    { name: '.rela.debug_info', data: Buffer.alloc(4_800, 4), type: 4, align: 8 },
    { name: '.debugger', data: Buffer.alloc(7, 5), type: 1, align: 1 },
  ]
  const elf = makeElf(sections)
  const shrunk = shrinkModule(elf)

  it('keeps every other section, its number and its alignment', () => {
    assert.ok(shrunk.length < elf.length - 9_700)
    const before = readElf(elf)
    const after = readElf(shrunk)
    assert.deepEqual(
      after.map(({ name, type }) => [name, type]),
      before.map(({ name, type }) => [name, type]),
    )
    for (const [index, section] of after.entries()) {
      const isDebug = section.name === '.debug_info' || section.name === '.rela.debug_info'
      assert.deepEqual(section.data, isDebug ? Buffer.alloc(0) : before[index]?.data, section.name)
      if (section.align > 1) assert.equal(section.offset % section.align, 0, section.name)
    }
  })

  it('is the same when shrunk again', () => {
    assert.deepEqual(Buffer.from(shrinkModule(shrunk)), Buffer.from(shrunk))
  })

  it('leaves alone what has none or is no such file', () => {
    const without = makeElf(sections.filter(({ name }) => name === '.text'))
    const big = Buffer.from(elf)
    big[5] = 2
    for (const bytes of [without, big, Buffer.alloc(0), Buffer.from('\x7fELF'), Buffer.alloc(200, 7)])
      assert.equal(shrinkModule(bytes), bytes)
  })
})
