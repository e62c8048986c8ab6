// JSON Schema (2020-12) of what is signed, voted on or handed over, made from the types that check it: `schemas/*.json`.
// Run it after every change of such a type: node_modules/.bin/node scripts/schemas.ts
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { ReportStatement } from '../src/attest/report-statement.ts'
import { GuestPlan } from '../src/wire/guest.ts'
import { Job, Lease } from '../src/wire/job.ts'
import { GuestRecord, RawData } from '../src/wire/raw-data.ts'

const root = dirname(import.meta.dirname)

const described: Record<string, { type: z.ZodType; title: string; description: string }> = {
  'raw-data': {
    type: RawData,
    title: 'Raw data',
    description: 'What one volunteer saw of one job. docs/raw-data.md says what the fields mean.',
  },
  report: {
    type: ReportStatement,
    title: 'Report statement',
    description:
      'What a coordinator signs, the evaluation included. docs/report.md says what the fields mean.',
  },
  job: {
    type: Job,
    title: 'Job',
    description: 'One distribution file to test. docs/protocol.md says what the fields mean.',
  },
  lease: {
    type: Lease,
    title: 'Lease',
    description: 'A job lent to a volunteer for a time. docs/protocol.md says what the fields mean.',
  },
  'guest-plan': {
    type: GuestPlan,
    title: 'Guest plan',
    description: '`plan.json` of a job disk. docs/protocol.md says what the fields mean.',
  },
  'guest-record': {
    type: GuestRecord,
    title: 'Guest record',
    description: '`guest.json`, what a guest sends at the end. docs/raw-data.md says what the fields mean.',
  },
}

/** Path from the repository's root to the text of the file. */
export function schemaFiles(): Map<string, string> {
  return new Map(
    Object.entries(described).map(([name, { type, title, description }]) => {
      const { $schema, ...rest } = z.toJSONSchema(type, { target: 'draft-2020-12', override: dropOwnFormats })
      const schema = {
        $schema,
        $id: `https://pyti.example/schemas/${name}.json`,
        title,
        description,
        ...rest,
      }
      return [`schemas/${name}.json`, `${JSON.stringify(schema, null, 2)}\n`]
    }),
  )
}

/** zod says `format: starts_with` beside the pattern that means it; validators know no such format. */
function dropOwnFormats({ jsonSchema }: { jsonSchema: z.core.JSONSchema.BaseSchema }): void {
  if (jsonSchema.pattern !== undefined) delete jsonSchema.format
}

if (import.meta.main) {
  await mkdir(join(root, 'schemas'), { recursive: true })
  for (const [path, text] of schemaFiles()) await writeFile(join(root, path), text)
}
