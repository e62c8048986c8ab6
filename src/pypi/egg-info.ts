/** Requirements out of `*.egg-info/requires.txt`, which setuptools writes into every sdist. */
export interface EggRequirements {
  run: string[]
  extras: Map<string, string[]>
}

/** Sections `[extra:marker]`, either half may be empty; the lines before the first section are for everybody. */
export function parseEggRequires(text: string): EggRequirements {
  const result: EggRequirements = { run: [], extras: new Map() }
  let target = result.run
  let marker = ''
  for (const raw of text.split(/\r?\n/)) {
    const line = raw.trim()
    const header = /^\[([^:\]]*)(?::(.*))?\]$/.exec(line)
    if (header) {
      const [, extra = '', condition = ''] = header
      marker = condition.trim()
      target = extra === '' ? result.run : (result.extras.get(extra) ?? [])
      if (extra !== '') result.extras.set(extra, target)
    } else if (line !== '') target.push(marker === '' ? line : `${line} ; ${marker}`)
  }
  return result
}
