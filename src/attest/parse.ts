import type { z } from 'zod'
import { PytiError } from '../errors.ts'
import { parseCanonical } from '../wire/canonical.ts'

/**
 * Reads RFC 8785 JSON of exactly the given shape. What the schema gives back must have the same bytes again, so that
 * nothing signed is silently passed over.
 * @throws PytiError `code`
 */
export function parseExactly<Schema extends z.ZodType>(
  schema: Schema,
  bytes: Uint8Array,
  code: string,
  what: string,
): z.infer<Schema> {
  let value: unknown
  try {
    value = parseCanonical(bytes)
  } catch (cause) {
    throw new PytiError(code, `${what} is not JSON in RFC 8785 form`, { cause })
  }
  const parsed = schema.safeParse(value)
  if (!parsed.success)
    throw new PytiError(code, `${what} does not have the expected form${where(parsed.error)}`)
  if (!isSame(parsed.data, value))
    throw new PytiError(code, `${what} holds a field that is passed over when it is read`)
  return parsed.data
}

function where(error: z.ZodError): string {
  const [issue] = error.issues
  if (issue === undefined) return ''
  // Both quote keys of what was read, which may be as long as their writer likes.
  const path = cut(issue.path.join('.') || 'its root')
  return `, at ${path}: ${cut(issue.message)}`
}

function cut(text: string): string {
  return text.length > 300 ? `${text.slice(0, 300).toWellFormed()}...` : text
}

/** Equal JSON values. */
function isSame(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Array.isArray(a) !== Array.isArray(b)) return false
  const [entries, others] = [Object.entries(a), new Map(Object.entries(b))]
  return (
    entries.length === others.size &&
    entries.every(([key, item]) => others.has(key) && isSame(item, others.get(key)))
  )
}
