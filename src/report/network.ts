import type { Event } from '../wire/raw-data.ts'

/**
 * The host an event of the network names, in lower case: of `tcp 192.0.2.1:443`, `tls name.test:443`, `A name.test`,
 * `name.test`, `POST https://name.test/path`, and of `BAIT ENCODING in POST https://...`.
 */
export function hostOf(what: string): string {
  const url = /[a-z][a-z0-9+.-]*:\/\/(?:[^/@\s]*@)*(\[[^\]\s]*\]|[^/:?#\s]+)/i.exec(what)
  const address = /(?:^|\s)(?:tcp|udp|ip|icmp|tls|dtls)\s+(\[[^\]\s]*\]|[^:\s]+)/i.exec(what)
  const host = url?.[1] ?? address?.[1] ?? what.split(' ').at(-1) ?? ''
  return host.toLowerCase().replace(/^\[|\]$|\.$/g, '')
}

function isLoopback(host: string): boolean {
  return (
    /^(?:127\.[\d.]+|0\.0\.0\.0|::1?|::ffff:(?:127\.[\d.]+|7f[0-9a-f]{2}:[0-9a-f]+))$/.test(host) ||
    /(?:^|\.)(?:localhost|127\.in-addr\.arpa)$/.test(host)
  )
}

/** The machine's own names: no name server outside can answer one without a dot. */
const isOwnName = (host: string) => isLoopback(host) || /^[^.:]*$/.test(host)

/** Whether an event reaches for another machine. A Unix socket, loopback and the own host name do not. */
export function isOutward(event: Event): boolean {
  if (event.kind === 'name') return !isOwnName(hostOf(event.what))
  return (event.kind === 'connect' || event.kind === 'request') && !staysHere(event)
}

/** Whether what is sent, or waited for, stays on the machine. */
export function staysHere({ what }: Pick<Event, 'what'>): boolean {
  return what.startsWith('unix ') || isLoopback(hostOf(what))
}
