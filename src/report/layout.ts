/** Widest line of a printed report: fits beside a ruler, a diff and most terminals. */
export const lineWidth = 100

export type Style = 'bold' | 'dim' | 'green' | 'yellow' | 'red' | 'cyan'
const codes: Record<Style, number> = { bold: 1, dim: 2, green: 32, yellow: 33, red: 31, cyan: 36 }

/** @returns a function that paints text, or leaves it alone when there is no colour */
export function painter(colour: boolean): (style: Style, text: string) => string {
  return (style, text) => (colour ? `\u001b[${codes[style]}m${text}\u001b[0m` : text)
}

/**
 * Printable ASCII only. Test names and log lines come from the distribution: an escape sequence in one could rewrite the
 * verdict on the reader's screen, and a look-alike letter could imitate another name.
 */
export function plain(text: string): string {
  return text.replace(/[^\x20-\x7e]/gu, char => `\\u{${char.codePointAt(0)?.toString(16)}}`)
}

/** Cuts one line of foreign text to what fits. */
export function fit(text: string, width: number): string {
  const ascii = plain(text)
  return ascii.length <= width ? ascii : `${ascii.slice(0, width - 3)}...`
}

/** Breaks text at spaces; a word that is wider than the line is broken too. */
export function wrap(text: string, width: number): string[] {
  const lines = ['']
  for (const word of plain(text)
    .split(' ')
    .flatMap(word => word.match(new RegExp(`.{1,${width}}`, 'g')) ?? [])) {
    const last = lines.length - 1
    const joined = lines[last] === '' ? word : `${lines[last]} ${word}`
    if (joined.length <= width) lines[last] = joined
    else lines.push(word)
  }
  return lines
}

/** `12,345` in every locale. */
export function number(value: number): string {
  return String(value).replace(/\B(?=(?:\d{3})+$)/g, ',')
}

/** `1 file`, `2 files`. */
export function plural(value: number, noun: string): string {
  return `${number(value)} ${noun}${value === 1 ? '' : 's'}`
}

/** At most `limit` lines, then how many are missing. `total` counts entries that are not even in the list. */
export function bounded(lines: string[], limit: number, total = lines.length): string[] {
  const shown = lines.slice(0, limit)
  const more = total - shown.length
  return more > 0 ? [...shown, `and ${number(more)} more`] : shown
}
