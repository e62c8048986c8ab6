import { parse } from 'smol-toml'
import { z } from 'zod'
import { normalizeName } from './names.ts'

const Texts = z.array(z.string())
/** Each part is read by itself: a mistake in one does not hide the others. */
const BuildSystem = z.object({
  requires: Texts.optional(),
  'build-backend': z.string().optional(),
  'backend-path': Texts.optional(),
})
const Group = z.array(z.union([z.string(), z.object({ 'include-group': z.string() })]))

export interface Pyproject {
  /** `isOwn`: the backend is in the distribution itself (`backend-path`). */
  build: { requires: string[] | undefined; backend: string | undefined; isOwn: boolean } | undefined
  project: { dependencies: string[]; extras: Map<string, string[]>; dynamic: string[] } | undefined
  /** PEP 735, by normalised name. */
  groups: Map<string, z.infer<typeof Group>>
  /** `deps`, `dependency_groups` and `extras` of `[tool.tox.env_run_base]`. */
  tox: { deps: string[]; groups: string[]; extras: string[] }
  /** Dependencies of Hatch environments by name, and development groups of PDM. */
  tools: Map<string, string[]>
}

/** @returns undefined when the text is not TOML */
export function parsePyproject(text: string): Pyproject | undefined {
  let root: Record<string, unknown>
  try {
    root = parse(text)
  } catch {
    return undefined
  }
  const build = BuildSystem.safeParse(root['build-system']).data
  const project = table(root.project)
  const tox = table(table(table(root.tool)?.tox)?.env_run_base)
  return {
    build: build && {
      requires: build.requires,
      backend: build['build-backend'],
      isOwn: build['backend-path'] !== undefined,
    },
    project: project && {
      dependencies: texts(project.dependencies),
      extras: lists(project['optional-dependencies']),
      dynamic: texts(project.dynamic),
    },
    groups: groupsOf(root['dependency-groups']),
    tox: { deps: texts(tox?.deps), groups: texts(tox?.dependency_groups), extras: texts(tox?.extras) },
    tools: toolLists(table(root.tool)),
  }
}

/** Of two groups with one normalised name the first counts. */
function groupsOf(value: unknown): Pyproject['groups'] {
  const groups: Pyproject['groups'] = new Map()
  for (const [name, entries] of Object.entries(table(value) ?? {})) {
    const group = Group.safeParse(entries).data
    const normal = normalizeName(name)
    if (group && !groups.has(normal)) groups.set(normal, group)
  }
  return groups
}

function toolLists(tool: Record<string, unknown> | undefined): Map<string, string[]> {
  const found = lists(table(tool?.pdm)?.['dev-dependencies'])
  for (const [name, value] of Object.entries(table(table(tool?.hatch)?.envs) ?? {})) {
    const env = table(value)
    const dependencies = [...texts(env?.dependencies), ...texts(env?.['extra-dependencies'])]
    if (dependencies.length > 0) found.set(name, [...(found.get(name) ?? []), ...dependencies])
  }
  return found
}

function table(value: unknown): Record<string, unknown> | undefined {
  return z.record(z.string(), z.unknown()).safeParse(value).data
}

function texts(value: unknown): string[] {
  return Texts.safeParse(value).data ?? []
}

function lists(value: unknown): Map<string, string[]> {
  return new Map(
    Object.entries(table(value) ?? {}).flatMap(([name, entry]) => {
      const list = Texts.safeParse(entry).data
      return list ? [[name, list] as const] : []
    }),
  )
}
