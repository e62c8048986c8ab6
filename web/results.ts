import type { Verification } from '../src/attest/verify.ts'

/** `busy` and `none` say that there is nothing to trust yet. */
export type Headline = 'ok' | 'failed' | 'unknown' | 'busy' | 'none'

const words = { ok: 'ok', failed: 'FAILED', unknown: 'unknown' } as const

/** Shows one sentence at the top, and no checks. Text only: whatever a bundle says never becomes part of the page. */
export function showHeadline(kind: Headline, sentence: string): void {
  const verdict = find('verdict')
  verdict.className = kind
  verdict.dataset.state = kind
  verdict.textContent = sentence
  find('checks').replaceChildren()
}

/** Shows the verdict and every check with its detail. */
export function showVerification({ ok, checks, evaluation }: Verification): void {
  const failed = checks.filter(check => check.state === 'failed').map(check => check.name)
  const { subject, verdict } = evaluation ?? {}
  if (!ok || !subject) showHeadline('failed', `NOT verified: ${failed.join(', ')}`)
  else if (checks.some(check => check.name === 'coordinator-key' && check.state === 'unknown'))
    showHeadline('unknown', `Consistent, but by a key you did not name: ${subject.filename} is "${verdict}"`)
  else showHeadline('ok', `Verified: ${subject.filename} is "${verdict}"`)
  find('checks').replaceChildren(
    ...checks.map(({ name, state, detail }) => {
      const row = document.createElement('tr')
      row.dataset.check = name
      row.append(cell('td', words[state], state), cell('th', name), cell('td', detail))
      return row
    }),
  )
}

/** @throws Error when the page has no such element */
export function find(id: string): HTMLElement {
  const element = document.getElementById(id)
  if (!element) throw new Error(`the page has no ${id}`)
  return element
}

function cell(kind: 'td' | 'th', text: string, className = ''): HTMLElement {
  const made = document.createElement(kind)
  made.textContent = text
  made.className = className
  return made
}
