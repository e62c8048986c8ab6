import type { Rule } from './rule.ts'
import { codeRules } from './rules/code.ts'
import { endRules } from './rules/ends.ts'
import { evasionRules } from './rules/evasion.ts'
import { fileRules } from './rules/files.ts'
import { networkRules } from './rules/network.ts'
import { processRules } from './rules/processes.ts'
import { secretRules } from './rules/secrets.ts'

/** All of them; the order is that of findings of one level. */
export const rules: readonly Rule[] = [
  ...secretRules,
  ...evasionRules,
  ...codeRules,
  ...processRules,
  ...fileRules,
  ...networkRules,
  ...endRules,
]
