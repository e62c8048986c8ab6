/**
 * What a referee's run says of an answer. `other-intake`: it was given other files, as when a release was yanked meanwhile, so
 * nothing can be compared.
 */
export const runResults = ['borne-out', 'refuted', 'other-intake'] as const
export type RunResult = (typeof runResults)[number]
