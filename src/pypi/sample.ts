import { z } from 'zod'
import { DistributionKind } from '../wire/job.ts'
import { Truth } from '../wire/truth.ts'

/** `sample.json`: which distributions to make of a sample, and the truth about each. */
export const Sample = z.strictObject({
  kind: z.array(DistributionKind).min(1),
  truth: z.partialRecord(DistributionKind, Truth),
})
export type Sample = z.infer<typeof Sample>

/** The part of a sample's `pyproject.toml` that its metadata is made of. */
export const SampleProject = z.object({
  'build-system': z.object({
    'build-backend': z.string().default('setuptools.build_meta'),
    'backend-path': z.array(z.string()).optional(),
  }),
  project: z.object({
    name: z.string().regex(/^[a-z0-9]+(?:-[a-z0-9]+)*$/, 'normalised project name'),
    version: z.string().regex(/^\d+(?:\.\d+)*$/, 'plain release version'),
    description: z.string(),
    'requires-python': z.string(),
    dependencies: z.array(z.string()),
  }),
})
export type SampleProject = z.infer<typeof SampleProject>
