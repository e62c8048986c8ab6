/** The URL without user name, password and query: the only form that may reach a log or an error. */
export function redactUrl(url: string): string {
  if (!URL.canParse(url)) return '(not a URL)'
  const parsed = new URL(url)
  const secret = parsed.username !== '' || parsed.password !== ''
  return `${parsed.protocol}//${secret ? '***@' : ''}${parsed.host}${parsed.pathname}`
}

/** Replaces the credentials of every URL inside a text, such as the messages of pip or uv. */
export function redactText(text: string): string {
  return text.replace(/([a-z][a-z0-9+.-]{0,20}:\/\/)[^\s/@]{1,1000}@/gi, '$1***@')
}

/** @returns the URL without credentials, and the `Authorization` header that stands for them. */
export function splitCredentials(url: string): { url: string; authorization?: string } {
  const parsed = new URL(url)
  const { username, password } = parsed
  if (username === '' && password === '') return { url: parsed.href }
  parsed.username = ''
  parsed.password = ''
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  return { url: parsed.href, authorization: `Basic ${Buffer.from(pair).toString('base64')}` }
}
