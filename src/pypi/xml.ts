import { XMLParser } from 'fast-xml-parser'
import { badFeed } from './feed-http.ts'

const parser = new XMLParser({
  ignoreAttributes: true,
  ignoreDeclaration: true,
  ignorePiTags: true,
  parseTagValue: false,
  // Names, versions and file names hold no character that would need an entity.
  processEntities: false,
  maxNestedTags: 20,
  jPath: false,
  isArray: name => name === 'value' || name === 'member' || name === 'item',
})

/** RSS 0.91 names its DTD, which is never fetched; one with declarations of its own is refused. */
const plainDoctype = /<!DOCTYPE\s+[A-Za-z]+(?:\s+(?:PUBLIC\s+"[^"<>]*"|SYSTEM))?(?:\s+"[^"<>]*")?\s*>/

/**
 * XML as plain objects of text: entities are left as they are, `value`, `member` and `item` are always arrays.
 * @throws PytiError `bad-feed`
 */
export function parseXml(text: string): unknown {
  const body = text.replace(plainDoctype, '')
  if (/<!(?:DOCTYPE|ENTITY)/i.test(body)) throw badFeed('XML declares entities')
  try {
    return parser.parse(body, true)
  } catch (cause) {
    throw badFeed('answer is not XML', cause)
  }
}
