import { BlockList, isIPv4, isIPv6 } from 'node:net'
import type { Multiaddr } from '@multiformats/multiaddr'

/** Addresses that say nothing about where in the world a machine is (RFC 6890). */
const local = new BlockList()
for (const [network, bits] of [
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
] as const)
  local.addSubnet(network, bits, 'ipv4')
for (const [network, bits] of [
  ['::1', 128],
  ['fc00::', 7],
  ['fe80::', 10],
] as const)
  local.addSubnet(network, bits, 'ipv6')

/** `192.0.2.0/24` or `2001:db8:1::/48` of an address; empty when it is local or no IP address. */
export function prefixOf(address: Multiaddr | undefined): string {
  const ip = address?.getComponents().find(part => part.name === 'ip4' || part.name === 'ip6')?.value ?? ''
  if (isIPv4(ip)) return local.check(ip, 'ipv4') ? '' : `${ip.split('.').slice(0, 3).join('.')}.0/24`
  if (!isIPv6(ip) || local.check(ip, 'ipv6')) return ''
  return `${groupsOf(ip).slice(0, 3).join(':')}::/48`
}

/** The groups of an IPv6 address as far as `::`, which stands for zeros. */
function groupsOf(ip: string): string[] {
  const [before = '', after = ''] = ip.split('::')
  const [head, tail] = [before, after].map(part => part.split(':').filter(group => group !== ''))
  const known = [...(head ?? [])]
  while (known.length + (tail?.length ?? 0) < 8 && ip.includes('::')) known.push('0')
  return [...known, ...(tail ?? [])]
}
