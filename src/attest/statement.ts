import { z } from 'zod'
import { DistributionFilename, Sha256 } from '../wire/job.ts'
import { parseExactly } from './parse.ts'

const statementSchemaUri = 'https://in-toto.io/Statement/v1'

/** in-toto Statement v1 about one distribution file, with our predicate. */
export function statementOf<Type extends string, Predicate extends z.ZodType>(
  type: Type,
  predicate: Predicate,
) {
  return z.strictObject({
    _type: z.literal(statementSchemaUri),
    subject: z.tuple([
      z.strictObject({ name: DistributionFilename, digest: z.strictObject({ sha256: Sha256 }) }),
    ]),
    predicateType: z.literal(type),
    predicate,
  })
}

/** The fields every statement shares. */
export function statementAbout(subject: { filename: string; sha256: string }) {
  const about: [{ name: string; digest: { sha256: string } }] = [
    { name: subject.filename, digest: { sha256: subject.sha256 } },
  ]
  return { _type: statementSchemaUri, subject: about } as const
}

/**
 * Reads a signed payload: RFC 8785 form, exactly the given kind of statement and nothing more.
 * @throws PytiError `bad-statement`
 */
export function parseStatement<Schema extends z.ZodType>(
  schema: Schema,
  payload: Uint8Array,
): z.infer<Schema> {
  return parseExactly(schema, payload, 'bad-statement', 'the signed payload')
}
