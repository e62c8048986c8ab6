import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { createTree, leafHash, type Tree } from '../../src/attest/log/merkle.ts'
import { formatVkey, type NoteSigner, parseVkey, type Vkey } from '../../src/attest/log/note.ts'
import { testIdentity } from './raw-data.ts'

/** A signer of notes whose key is the same in every run. */
export function testNoteSigner(name: string, seed: string | Uint8Array = name): NoteSigner {
  const { publicKey, sign } = testIdentity(seed)
  return { name, publicKey, sign }
}

export function vkeyOf(signer: NoteSigner, type: 1 | 4): Vkey {
  return parseVkey(formatVkey(signer.name, type, signer.publicKey))
}

/** A tree over the entries `0`, `1`, ... */
export function numberedTree(size: number): Tree {
  const tree = createTree()
  for (let index = 0; index < size; index++) tree.append(leafHash(Buffer.from(String(index))))
  return tree
}

/** The vectors below test/fixtures/log. */
export function logVectors<Shape extends z.ZodType>(name: string, shape: Shape): z.infer<Shape> {
  const path = new URL(`../fixtures/log/${name}`, import.meta.url)
  return shape.parse(JSON.parse(readFileSync(path, 'utf8')))
}

export const noteVectors = z.object({
  c2sp: z.object({ vkey: z.string(), note: z.string() }),
  go: z.object({
    peterSigner: z.string(),
    peter: z.string(),
    enoch: z.string(),
    text: z.string(),
    peterLine: z.string(),
    enochLine: z.string(),
    badVkeys: z.array(z.string()),
  }),
  sunlight: z.object({ witness: z.string(), time: z.int(), note: z.string() }),
  ours: z.object({ log: z.string(), witness: z.string() }),
})
