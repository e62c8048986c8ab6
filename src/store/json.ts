import { PytiError } from '../errors.ts'

/** @throws PytiError `not-json` for what would be lost or changed on the way through JSON text */
export function toJson(key: string, value: unknown): string {
  const text = JSON.stringify(value)
  if (text === undefined) throw new PytiError('not-json', `the value for ${key} has no JSON form`)
  return text
}
