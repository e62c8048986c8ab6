import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { digestOf } from '../../wire/canonical.ts'
import { Sha256 } from '../../wire/job.ts'
import { type Lock, LockedPackage } from './lock.ts'
import type { Recipe } from './recipe.ts'
import { type ImageStore, writeAtomically } from './store.ts'

const Part = z.strictObject({ sha256: Sha256, size: z.int().min(1) })
export type Part = z.infer<typeof Part>
const Module = z.strictObject({ name: z.string(), part: Part })

/** What one run of the package tools gave; kept, so that a change of another stage or of the agent costs seconds. */
const Stage = z.strictObject({
  packages: z.array(LockedPackage),
  parts: z.record(z.string(), Part),
  modules: z.record(z.string(), z.array(Module)),
})
export type Stage = z.infer<typeof Stage>

/** Raised when the same recipe and lock would be made into other parts. */
const stageFormat = 1

export interface StageContext {
  store: ImageStore
  /** Folder of finished stages. */
  builtDir: string
  work: string
  onProgress: (step: string) => void
  signal?: AbortSignal
}

/** Inputs of every stage of a recipe, base first; each names what it is made from and what it is locked to. */
export function stageKeys(recipe: Recipe, lock: Lock | undefined): string[] {
  const { suite, architecture, sourceDateEpoch, packages, exclude, remove, boot } = recipe
  const inputs = [
    { suite, packages, exclude, remove, lock: lock?.base ?? null },
    ...boot.map((stage, index) => ({ ...stage, lock: lock?.boot[index] ?? null })),
  ]
  return inputs.map(input => digestOf({ stageFormat, architecture, sourceDateEpoch, ...input }))
}

const stagePath = (context: StageContext, key: string) => join(context.builtDir, `stage-${key}.json`)

/** A finished stage whose files are all there and whole. */
export async function findStage(context: StageContext, key: string): Promise<Stage | undefined> {
  const text = await readFile(stagePath(context, key), 'utf8').catch(() => undefined)
  const stage = parseStage(text ?? '')
  if (!stage) return undefined
  for (const { sha256 } of stageFiles(stage)) if (!(await context.store.isWhole(sha256))) return undefined
  return stage
}

export async function saveStage(context: StageContext, key: string, stage: Stage): Promise<void> {
  await writeAtomically(stagePath(context, key), JSON.stringify(stage))
}

function stageFiles(stage: Stage): Part[] {
  const modules = Object.values(stage.modules).flatMap(list => list.map(({ part }) => part))
  return [...Object.values(stage.parts), ...modules]
}

/** Reads a stage's record. @returns undefined when it is not one */
function parseStage(text: string): Stage | undefined {
  try {
    return Stage.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}
