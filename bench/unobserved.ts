import type { Paths } from '../src/cli/paths.ts'
import { imageInputs } from '../src/cli/recipes.ts'
import { buildImage } from '../src/sandbox/image/build.ts'
import { type Image, ImageStore } from '../src/sandbox/image/store.ts'

/** What switches an observer on, and what is put in its place. */
const switches: { file: string; from: string; to: string }[] = [
  {
    file: 'tracer.py',
    from: '    return os.access(STRACE, os.X_OK)\n',
    to: '    return False\n',
  },
  // Baits, the sinkhole and the audit hook are all started by this one.
  {
    file: 'observation.py',
    from: '    def _attempt(self, name, function, *arguments):\n',
    to: '    def _attempt(self, name, function, *arguments):\n        self._failed.add(name)\n        return\n',
  },
  {
    file: 'observed_run.py',
    from: '        if group.path is None:\n            return\n',
    to: '        return\n',
  },
  {
    file: 'tree.py',
    from: '        found = {}\n        pending = [""]\n',
    to: '        return {}\n        found = {}\n        pending = [""]\n',
  },
]

/**
 * The guest image of this version with all observers off, for comparison; built in seconds next to the real one.
 * @throws Error when the guest's sources do not have the lines that are to be changed, or PytiError as `buildImage`
 */
export async function buildUnobserved(
  paths: Paths,
  { signal, python }: { signal: AbortSignal; python: string },
): Promise<Image> {
  const inputs = await imageInputs(python)
  const agent = inputs.sources.agent.map(source => ({ ...source }))
  for (const { file, from, to } of switches) {
    const source = agent.find(({ name }) => name === file)
    const parts = Buffer.from(source?.data ?? [])
      .toString()
      .split(from)
    if (!source || parts.length !== 2)
      throw new Error(`guest/agent/${file} does not have once: ${from.trim()}`)
    source.data = Buffer.from(parts.join(to))
  }
  const store = new ImageStore(paths.images)
  const id = await buildImage({
    ...inputs,
    sources: { ...inputs.sources, agent },
    store,
    dir: paths.images,
    onDrift: 'warn',
    onProgress: () => {},
    onWarning: () => {},
    signal,
  })
  return store.open(id)
}
