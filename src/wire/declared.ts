import { z } from 'zod'

const Text = (max: number) => z.string().max(max)

/** What the metadata and the files say of licence (PEP 639), types (PEP 561) and versions of Python; lists sorted. */
export const Declared = z.strictObject({
  license: z.strictObject({
    from: z.enum(['expression', 'classifier', 'text', 'none']),
    expression: Text(200).optional(),
    classifiers: z.array(Text(200)).max(20),
    files: z.array(Text(200)).max(50),
    /** Named by the metadata, not in the archive. */
    missing: z.array(Text(200)).max(50),
  }),
  /** `marker`: a py.typed; `stub-files`: .pyi files no type checker looks for. */
  typed: z.enum(['marker', 'stub-package', 'stub-files', 'none']),
  python: z.strictObject({ requires: Text(100).optional(), classifiers: z.array(Text(20)).max(50) }),
})
export type Declared = z.infer<typeof Declared>
