// What a rule may want to know of the network: the client's host name, looked up only when a rule asks for it, and
// this host's own addresses. Names come from the resolver the host is set up with, as PostgreSQL's do.

import { lookup, lookupService } from 'node:dns/promises';
import { networkInterfaces } from 'node:os';
import { messageOf } from '../errors.ts';
import { orAborted } from './deadline.ts';
import { parseNumericAddress } from '../rules/address.ts';
import type { Facts, HostName, InterfaceAddress } from '../rules/types.ts';

/**
 * Takes the client's host name one step further: address to name, or name back to addresses. A look-up that fails is
 * an answer too: no host-name line matches then (semantics §5.5).
 *
 * @throws the signal's reason
 */
export async function lookUpHostName(
  facts: Facts,
  want: 'reverse' | 'forward',
  signal: AbortSignal,
): Promise<HostName> {
  const { hostName } = facts;
  try {
    if (want === 'reverse') {
      const { hostname } = await orAborted(lookupService(facts.addressText, 0), signal);
      return { state: 'resolved', name: hostname, forward: { state: 'unknown' } };
    }
    if (hostName.state !== 'resolved') return hostName;
    const found = await orAborted(lookup(hostName.name, { all: true }), signal);
    const addresses = found
      .map(({ address }) => parseNumericAddress(address))
      .filter((address) => address !== null);
    return { ...hostName, forward: { state: 'resolved', addresses } };
  } catch (error) {
    signal.throwIfAborted();
    const reason = resolverError(error);
    if (want === 'reverse' || hostName.state !== 'resolved') return { state: 'unresolvable', reason };
    return { ...hostName, forward: { state: 'failed', reason } };
  }
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

/** As gai_strerror words the usual outcomes, since that is what PostgreSQL's DETAIL quotes. */
function resolverError(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : null;
  switch (code) {
    case 'ENOTFOUND':
    case 'EAI_NONAME':
      return 'Name or service not known';
    case 'EAI_AGAIN':
      return 'Temporary failure in name resolution';
    default:
      return messageOf(error);
  }
}
