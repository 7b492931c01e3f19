// What a rule may ask about the network: the client's host name, which is looked up only when a rule asks for it, and
// this host's own addresses. Names come from the host's own resolver, as PostgreSQL's do.

import { ADDRCONFIG, V4MAPPED } from 'node:dns';
import { lookup, lookupService } from 'node:dns/promises';
import { networkInterfaces } from 'node:os';
import { systemMessage } from '../base/system-error.ts';
import { parseNumericAddress } from '../rules/address.ts';
import type { Facts, HostName, InterfaceAddress, IpAddress } from '../rules/types.ts';
import { LookUps } from './look-ups.ts';

/** All questions to the resolver about clients. One object, since the threads are the process's. */
const lookUps = new LookUps<readonly string[]>();

/**
 * Takes the client's host name one step further: address to name, or name back to addresses. A look-up that fails is
 * an answer too: no host-name line matches then (semantics §5.5).
 *
 * @throws the signal's reason; GatehouseError `host-name-timeout` where the resolver gives no answer at all
 */
export async function lookUpHostName(
  facts: Facts,
  want: 'reverse' | 'forward',
  signal: AbortSignal,
): Promise<HostName> {
  const { hostName, addressText } = facts;
  const zone = zoneOf(facts.address);
  if (want === 'reverse') {
    const found = await lookUps.get(`name of ${addressText}`, zone, () => reverse(addressText), signal);
    if (!found.ok) return { state: 'unresolvable', reason: systemMessage(found.error) };
    const [name = ''] = found.value;
    return { state: 'resolved', name, forward: { state: 'unknown' } };
  }
  if (hostName.state !== 'resolved') return hostName;
  const { name } = hostName;
  const found = await lookUps.get(`addresses of ${name}`, zone, () => forward(name), signal);
  if (!found.ok) return { ...hostName, forward: { state: 'failed', reason: systemMessage(found.error) } };
  const addresses = found.value.map(parseNumericAddress).filter((address) => address !== null);
  return { ...hostName, forward: { state: 'resolved', addresses } };
}

/** PostgreSQL's getnameinfo with NI_NAMEREQD. */
async function reverse(address: string): Promise<readonly string[]> {
  return [(await lookupService(address, 0)).hostname];
}

/**
 * PostgreSQL's getaddrinfo without hints, which in glibc means AI_ADDRCONFIG: on a machine that has IPv4 addresses and,
 * but for ::1, none of IPv6, a name has no IPv6 addresses. Without it `localhost` would match ::1 there.
 */
async function forward(name: string): Promise<readonly string[]> {
  return (await lookup(name, { all: true, hints: ADDRCONFIG | V4MAPPED })).map(({ address }) => address);
}

/** The addresses whose names, as a rule, come from the same name servers: an IPv4 /24, an IPv6 /48. */
function zoneOf({ family, bytes }: IpAddress): string {
  return bytes.subarray(0, family === 4 ? 3 : 6).join('.');
}

/** This host's addresses with their subnets, for samehost and samenet. */
export function interfaceAddresses(): readonly InterfaceAddress[] {
  const found: InterfaceAddress[] = [];
  for (const addresses of Object.values(networkInterfaces())) {
    for (const { address, netmask } of addresses ?? []) {
      const parsed = parseNumericAddress(address);
      const mask = parseNumericAddress(netmask);
      if (parsed !== null && mask !== null) found.push({ address: parsed, mask: mask.bytes });
    }
  }
  return found;
}
