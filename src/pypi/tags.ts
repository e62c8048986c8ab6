import type { GuestPlatform } from '../wire/job.ts'
import type { ParsedFilename, WheelTags } from './names.ts'

const legacy: Record<string, number> = { manylinux1: 5, manylinux2010: 12, manylinux2014: 17 }

/**
 * How well a wheel fits the guest's CPython on x86_64 Linux with its glibc; undefined when it does not run there
 * (PEP 425, PEP 600). A higher number fits closer: own ABI, then abi3, then pure Python.
 */
export function fit(tags: WheelTags, { python, glibc }: GuestPlatform): number | undefined {
  const minor = Number(python.split('.')[1])
  let best: number | undefined
  for (const [at, scores] of [
    platformScores(tags.platforms, Number(glibc.split('.')[1])),
    tags.pythons.flatMap(tag => tags.abis.map(abi => interpreterScore(tag, abi, minor))),
  ].entries()) {
    const top = Math.max(-1, ...scores)
    if (top < 0) return undefined
    best = (best ?? 0) + (at === 0 ? top : top * 1_000)
  }
  return best
}

function platformScores(platforms: string[], glibcMinor: number): number[] {
  return platforms.map(platform => {
    if (platform === 'any') return 0
    if (platform === 'linux_x86_64') return 1
    const found = /^(manylinux\d*)(?:_2_(\d{1,3}))?_x86_64$/.exec(platform)
    if (!found) return -1
    const needs = found[1] === 'manylinux' ? Number(found[2] ?? NaN) : (legacy[found[1] ?? ''] ?? NaN)
    return needs <= glibcMinor ? 2 + needs : -1
  })
}

function interpreterScore(python: string, abi: string, minor: number): number {
  if (python === `cp3${minor}` && abi === `cp3${minor}`) return 4_000
  const cpython = /^cp3(\d{1,2})$/.exec(python)
  if (cpython && abi === 'abi3') return Number(cpython[1]) <= minor ? 3_000 + Number(cpython[1]) : -1
  if (abi !== 'none') return -1
  if (python === `cp3${minor}`) return 2_000
  const generic = /^py3(\d{0,2})$/.exec(python)
  if (!generic) return -1
  return Number(generic[1] || 0) <= minor ? 1_000 + Number(generic[1] || 0) : -1
}

/** The wheel that fits best; ties go to the higher build tag, then to the name, so that everyone picks the same. */
export function bestWheel<T extends { filename: string }>(
  wheels: { file: T; parsed: ParsedFilename }[],
  guest: GuestPlatform,
): T | undefined {
  const ranked = wheels.flatMap(({ file, parsed }) => {
    const score = parsed.tags ? fit(parsed.tags, guest) : undefined
    return score === undefined ? [] : [{ file, score, build: Number.parseInt(parsed.build || '-1', 10) }]
  })
  ranked.sort(
    (a, b) => b.score - a.score || b.build - a.build || (a.file.filename < b.file.filename ? -1 : 1),
  )
  return ranked[0]?.file
}
