/**
 * Stands in for `zod` in the page: the parsers are those of zod itself, by way of zod/mini, which carries a third of the
 * bytes; only the methods that chain (`.min()`, `.optional()`, ...) are written again, for those that the schemas of the
 * page use. One that is missing makes the page fail when it starts, never pass over a check.
 */

import * as mini from 'zod/mini'
import en from 'zod/v4/locales/en.js'

// The same words as elsewhere; no code made at run time, which the page's Content-Security-Policy forbids.
mini.config({ ...en(), jitless: true })

interface Methods {
  min(least: number, message?: string): Schema
  max(most: number, message?: string): Schema
  regex(pattern: RegExp, message?: string): Schema
  startsWith(prefix: string, message?: string): Schema
  optional(): Schema
  nullable(): Schema
  /** Of an enumeration only. */
  exclude(names: readonly string[]): Schema
}
type Check = Parameters<mini.ZodMiniType['check']>[number]
type Schema = mini.ZodMiniType & Methods

function chain(schema: mini.ZodMiniType): Schema {
  const isNumber = schema.def.type === 'number'
  const check = (one: Check) => chain(schema.check(one))
  return Object.assign(schema, {
    min: (least: number, message?: string) =>
      check(isNumber ? mini.gte(least, message) : mini.minLength(least, message)),
    max: (most: number, message?: string) =>
      check(isNumber ? mini.lte(most, message) : mini.maxLength(most, message)),
    regex: (pattern: RegExp, message?: string) => check(mini.regex(pattern, message)),
    startsWith: (prefix: string, message?: string) => check(mini.startsWith(prefix, message)),
    optional: () => chain(mini.optional(schema)),
    nullable: () => chain(mini.nullable(schema)),
    exclude: (names: readonly string[]) => {
      if (!(schema instanceof mini.ZodMiniEnum)) throw new Error('only an enumeration can exclude names')
      const left = Object.entries(schema.def.entries).filter(([name]) => !names.includes(name))
      return chain(mini.enum(Object.fromEntries(left)))
    },
  })
}

function chained<Given extends unknown[]>(make: (...given: Given) => mini.ZodMiniType) {
  return (...given: Given) => chain(make(...given))
}

export const z = {
  array: chained(mini.array),
  boolean: chained(mini.boolean),
  enum: chained(mini.enum),
  int: chained(mini.int),
  literal: chained(mini.literal),
  looseObject: chained(mini.looseObject),
  number: chained(mini.number),
  record: chained(mini.record),
  strictObject: chained(mini.strictObject),
  string: chained(mini.string),
  tuple: chained(mini.tuple),
  union: chained(mini.union),
}
