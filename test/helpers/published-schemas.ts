import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv } from 'ajv'
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { XmlDocument, XsdValidator } from 'libxml2-wasm'

const root = join(import.meta.dirname, '../..')
const read = (path: string) => readFileSync(join(root, path), 'utf8')

/** What is wrong with a value; empty when it fits. */
export type Validator = (value: unknown) => string[]

/** A validator for one of our own schemas, `schemas/NAME.json`. */
export function ownSchema(name: string): Validator {
  return compiled(
    new Ajv2020({ strict: true, strictTuples: false }),
    JSON.parse(read(`schemas/${name}.json`)),
  )
}

export function sarifSchema(): Validator {
  // Of draft-04 it has only the keyword `id` that later drafts spell otherwise.
  const { $schema: _, id: __, ...schema } = JSON.parse(read('test/fixtures/schemas/sarif-2.1.0.json'))
  // One of its patterns has a bracket too many, which only the old syntax of regular expressions forgives.
  return compiled(new Ajv({ strict: false, unicodeRegExp: false }), schema)
}

export function osvSchema(): Validator {
  return compiled(new Ajv2020({ strict: false }), JSON.parse(read('test/fixtures/schemas/osv-1.6.7.json')))
}

function compiled(ajv: Ajv | Ajv2020, schema: object): Validator {
  addFormats.default(ajv)
  const validate = ajv.compile(schema)
  return value =>
    validate(value) ? [] : (validate.errors ?? []).map(error => `${error.instancePath} ${error.message}`)
}

/** Parses XML with libxml2 and checks it against junit-10.xsd. */
export function junitSchema(): (xml: string) => string[] {
  const schema = XmlDocument.fromString(read('test/fixtures/schemas/junit-10.xsd'))
  const validator = XsdValidator.fromDoc(schema)
  return xml => {
    let document: XmlDocument | undefined
    try {
      document = XmlDocument.fromString(xml)
      validator.validate(document)
      return []
    } catch (error) {
      return [error instanceof Error ? error.message : String(error)]
    } finally {
      document?.dispose()
    }
  }
}
