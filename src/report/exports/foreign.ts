import { plain } from '../layout.ts'

/**
 * Text of a distribution with nothing in it that a reader cannot see: controls, characters that turn the direction of
 * text or have no width, line separators, halves of a pair. They appear as `\u{1b}`. What is left fits XML 1.0 and JSON.
 */
export function visible(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\uFFFE\uFFFF]/gu,
    char => `\\u{${char.codePointAt(0)?.toString(16)}}`,
  )
}

/**
 * Text of a distribution as a Markdown code span. In one, neither links, images, HTML, autolinks nor @mentions mean
 * anything; a grave accent would end it and is written out.
 */
export function code(text: string, length = 200): string {
  const ascii = plain(text).replaceAll('`', '\\u{60}')
  const cut = ascii.length <= length ? ascii : `${ascii.slice(0, length)}...`
  return cut.trim() === '' ? '(empty)' : `\`${cut}\``
}

/** The sightings of a finding, which the evaluation joins. */
export function evidenceLines(evidence: string): string[] {
  return evidence.split('; ')
}
