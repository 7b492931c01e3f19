// Addresses that are known without a resolver, and whether one of them leads to a socket that this process's gate
// listens on.

import { isIP, isIPv4, SocketAddress } from 'node:net';
import { networkInterfaces } from 'node:os';

/** An address with its port. */
export interface Place {
  readonly address: string;
  readonly port: number;
}

/** The addresses that `*` in listen_addresses stands for. */
export const EVERY_ADDRESS = ['0.0.0.0', '::'] as const;

/** The addresses of a host that needs no resolver: a numeric address, or `localhost`. Null = it is a name. */
export function knownAddresses(host: string): readonly string[] | null {
  if (isIP(host) !== 0) return [host];
  return host.toLowerCase() === 'localhost' ? ['127.0.0.1', '::1'] : null;
}

/**
 * Whether a connection to `target` arrives at one of `listeners`: at that very address, or at a listener for every address
 * of the family when the target is an address of this machine. Port 0 means that no port is chosen yet.
 */
export function leadsTo(target: Place, listeners: readonly Place[]): boolean {
  const at = listeners.filter(({ port }) => port !== 0 && port === target.port);
  if (at.length === 0) return false;
  const address = canonical(target.address);
  return at.some((listener) => {
    const listening = canonical(listener.address);
    if (listening === '0.0.0.0') return isIPv4(address) && isOfThisMachine(address);
    if (listening === '::') return !isIPv4(address) && isOfThisMachine(address);
    return listening === (WILDCARD_LEADS_TO[address] ?? address);
  });
}

/** A connection to the wildcard address goes to the loopback address. */
const WILDCARD_LEADS_TO: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' };

function isOfThisMachine(address: string): boolean {
  if (address === '::1' || address in WILDCARD_LEADS_TO || address.startsWith('127.')) return true;
  return Object.values(networkInterfaces()).some((all) =>
    all?.some((own) => canonical(own.address) === address),
  );
}

/** One spelling for each address: no zone, IPv6 in its short form, IPv4-mapped ones as IPv4. */
function canonical(address: string): string {
  const bare = address.replace(/%.*$/, '');
  if (isIP(bare) !== 6) return bare;
  const text = new SocketAddress({ address: bare, family: 'ipv6' }).address.toLowerCase();
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(text)?.[1];
  return mapped ?? text;
}
