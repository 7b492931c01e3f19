// Hosts and listening places as settings write them: which are this very machine, and which are not a host at all.
// Decided by the text and this machine's own addresses; no name is looked up.

import { BlockList, isIP, isIPv4 } from 'node:net';
import { EVERY_ADDRESS, knownAddresses, leadsTo } from '../base/local-addresses.ts';

/** sun_path holds 108 bytes, the last of them NUL (PostgreSQL's UNIXSOCK_PATH_BUFLEN). */
export const MAX_SOCKET_PATH_BYTES = 107;

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/**
 * Whether a host is this machine's loopback: `localhost`, 127.0.0.0/8 or ::1, IPv4-mapped forms included. Any other
 * name is not, whatever it resolves to today, nor are numbers that only inet_aton would read (`127.1`).
 */
export function isLoopback(host: string): boolean {
  if (isIP(host) === 0) return host.toLowerCase() === 'localhost';
  return loopback.check(host, isIPv4(host) ? 'ipv4' : 'ipv6');
}

/** Whether a text can be a host: an address (an IPv6 one may have a zone) or a name of up to 255 characters. */
export function isHost(text: string): boolean {
  return isIP(text) !== 0 || (text.length <= 255 && /^[a-z0-9_]([a-z0-9_.-]*[a-z0-9_.])?$/i.test(text));
}

/** The settings that say where the gate listens and where it sends its clients. */
interface OwnPlaces {
  readonly listen_addresses: readonly string[];
  readonly port: number;
  readonly upstream: { readonly host: string; readonly port: number };
}

/**
 * Whether the upstream is plainly one of the places where the gate listens for its clients: an address, `localhost`, or
 * the same name. What another name leads to is found out when it is dialled.
 */
export function isOwnListener({ listen_addresses: listenAddresses, port, upstream }: OwnPlaces): boolean {
  if (port !== upstream.port) return false;
  const listeners = listenAddresses
    .flatMap((host) => (host === '*' ? EVERY_ADDRESS : (knownAddresses(host) ?? [])))
    .map((address) => ({ address, port }));
  const targets = knownAddresses(upstream.host);
  if (targets === null) {
    return listenAddresses.some((host) => host.toLowerCase() === upstream.host.toLowerCase());
  }
  return targets.some((address) => leadsTo({ address, port }, listeners));
}

/** Where the admin listener listens. */
export type ListenPlace =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string };

/** `host:port`, `[v6]:port` or the absolute path of a Unix socket; null when it is none of them. Port 0 = any. */
export function parseListenPlace(text: string): ListenPlace | null {
  if (text.startsWith('/')) return { kind: 'unix', path: text };
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2] ?? '';
  const port = Number(match?.[3]);
  const bracketed = match?.[1] !== undefined;
  if (match === null || port > 65535 || bracketed !== (isIP(host) === 6)) return null;
  return host === '*' || isHost(host) ? { kind: 'tcp', host, port } : null;
}
