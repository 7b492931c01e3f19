// Numeric addresses and masks as getaddrinfo(AI_NUMERICHOST) and strtol read them (semantics §4.5 to §4.7), and
// their comparison (§5.2, §5.3). No name is ever looked up here.

import { never } from './never.ts';
import type { AddressSpec, InterfaceAddress, IpAddress } from './types.ts';

/** Largest last part of an inet_aton address by the number of parts before it. */
const LAST_PART_LIMIT = [0xffffffff, 0xffffff, 0xffff, 0xff] as const;
/** IFNAMSIZ-1: a longer name is not an interface. */
const MAX_INTERFACE_NAME = 15;

/**
 * The address that getaddrinfo would return for a numeric host, or null when it would take the text for a name:
 * inet_aton's forms (`127.1`, `0x7f.1`, `10` = 0.0.0.10) and IPv6 with a zone id, which is ignored.
 */
export function parseNumericAddress(text: string): IpAddress | null {
  return parseInetAton(text) ?? parseIpv6WithZone(text);
}

/** One to four parts, each decimal, octal (`0…`) or hexadecimal (`0x…`); the last one fills what is left. */
function parseInetAton(text: string): IpAddress | null {
  const parts = text.split('.');
  if (parts.length > 4) return null;
  const numbers = parts.map(parseCNumber);
  const last = numbers.pop();
  if (last === undefined || last === null || last > (LAST_PART_LIMIT[numbers.length] ?? -1)) return null;
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, last);
  for (const [index, number] of numbers.entries()) {
    if (number === null || number > 0xff) return null;
    bytes[index] = number;
  }
  return { family: 4, bytes };
}

/** A number as C's strtoul reads it in base 0, over the whole text. */
function parseCNumber(text: string): number | null {
  if (/^0[xX][0-9a-fA-F]+$/.test(text)) return Number.parseInt(text.slice(2), 16);
  if (/^0[0-7]*$/.test(text)) return Number.parseInt(text, 8);
  return /^[1-9][0-9]*$/.test(text) ? Number.parseInt(text, 10) : null;
}

function parseIpv6WithZone(text: string): IpAddress | null {
  const percent = text.indexOf('%');
  if (percent === -1) return parseIpv6(text);
  const address = parseIpv6(text.slice(0, percent));
  return address !== null && isZone(text.slice(percent + 1), address) ? address : null;
}

/** A zone is an interface's number; for link-local and node-local addresses its name too, whether it exists or not. */
function isZone(zone: string, address: IpAddress): boolean {
  if (/^[0-9]+$/.test(zone)) return Number(zone) <= 0xffffffff;
  const [first = 0, second = 0] = address.bytes;
  const linkLocal = first === 0xfe && (second & 0xc0) === 0x80;
  const multicast = first === 0xff && ((second & 0x0f) === 0x01 || (second & 0x0f) === 0x02);
  return (linkLocal || multicast) && zone.length <= MAX_INTERFACE_NAME && /^[\x21-\x7e]+$/.test(zone);
}

/** inet_pton's IPv6: groups of one to four digits, one `::` for at least one group, a dotted quad at the end. */
function parseIpv6(text: string): IpAddress | null {
  const halves = text.split('::');
  if (halves.length > 2) return null;
  const [head, tail] = halves.map((half, index) => parseGroups(half, index === halves.length - 1));
  if (head === null || head === undefined || tail === null) return null;
  const given = head.length + (tail?.length ?? 0);
  if (tail === undefined ? given !== 16 : given > 14) return null;
  const bytes = new Uint8Array(16);
  bytes.set(head, 0);
  if (tail !== undefined) bytes.set(tail, 16 - tail.length);
  return { family: 6, bytes };
}

/** The bytes of groups joined by single colons; '' is not a group. A dotted quad may only end the address. */
function parseGroups(text: string, endsAddress: boolean): number[] | null {
  if (text === '') return [];
  const bytes: number[] = [];
  const groups = text.split(':');
  for (const [index, group] of groups.entries()) {
    if (/^[0-9a-fA-F]{1,4}$/.test(group)) {
      const value = Number.parseInt(group, 16);
      bytes.push(value >> 8, value & 0xff);
      continue;
    }
    const quad = endsAddress && index === groups.length - 1 ? parseDottedQuad(group) : null;
    if (quad === null) return null;
    bytes.push(...quad);
  }
  return bytes;
}

/** inet_pton's IPv4: four decimal parts without leading zeros. */
function parseDottedQuad(text: string): number[] | null {
  if (!/^(?:0|[1-9][0-9]{0,2})(?:\.(?:0|[1-9][0-9]{0,2})){3}$/.test(text)) return null;
  const parts = text.split('.').map(Number);
  return parts.every((part) => part <= 0xff) ? parts : null;
}

/**
 * The mask for the text after an address's `/`, or null when it is not a valid length: strtol over the whole
 * text, so that `+8`, `08` and leading white space count (semantics §4.6).
 */
export function parseCidrLength(text: string, family: 4 | 6): Uint8Array | null {
  const number = /^[ \t\n\v\f\r]*([+-]?[0-9]+)$/.exec(text)?.[1];
  if (number === undefined) return null;
  const bits = Number(number);
  return masks[family][bits] ?? null;
}

/** One mask for each length, shared by all records: a scan of many records stays within the processor's cache. */
const masks = {
  4: Array.from({ length: 33 }, makeMask(4)),
  6: Array.from({ length: 129 }, makeMask(16)),
} as const;

function makeMask(length: 4 | 16): (ignored: unknown, bits: number) => Uint8Array {
  return (_, bits) =>
    Uint8Array.from({ length }, (_byte, index) => {
      const ones = Math.min(8, Math.max(0, bits - index * 8));
      return (0xff << (8 - ones)) & 0xff;
    });
}

/** True when both are of one family and equal wherever the mask has ones (semantics §5.2, §5.3). */
export function isInRange(client: IpAddress, address: IpAddress, mask: Uint8Array): boolean {
  // SECURITY: without the family test an IPv4 rule would match the first bytes of an IPv6 address.
  if (client.family !== address.family) return false;
  const a = client.bytes;
  const b = address.bytes;
  for (let index = 0; index < a.length; index += 1) {
    if (((a[index]! ^ b[index]!) & (mask[index] ?? 0xff)) !== 0) return false;
  }
  return true;
}

export function isSameAddress(a: IpAddress, b: IpAddress): boolean {
  return a.family === b.family && a.bytes.every((byte, index) => byte === b.bytes[index]);
}

/** `samehost`: the client's address is one of this host's own (semantics §5.4). */
export function isSameHost(client: IpAddress, interfaces: readonly InterfaceAddress[]): boolean {
  return interfaces.some(({ address }) => isSameAddress(client, address));
}

/** `samenet`: the client's address is inside the subnet of one of this host's interfaces (semantics §5.4). */
export function isSameNet(client: IpAddress, interfaces: readonly InterfaceAddress[]): boolean {
  return interfaces.some(({ address, mask }) =>
    // SECURITY: as PostgreSQL reads it, an empty mask is none, and the interface is alone in its subnet. Everybody would be
    // in it otherwise.
    isEmpty(mask) ? isSameAddress(client, address) : isInRange(client, address, mask),
  );
}

function isEmpty(mask: Uint8Array): boolean {
  return mask.every((byte) => byte === 0);
}

/** Addresses that are equal wherever the mask has ones. */
export interface Network {
  readonly address: IpAddress;
  readonly mask: Uint8Array;
}

/**
 * An address, or an address with a CIDR mask, as inet_pton reads one. Null for anything else. Null also for a mapped IPv4
 * address (`::ffff:10.0.0.1`): clients' addresses are compared after they are un-mapped, so it would never match.
 */
export function parseNetwork(text: string): Network | null {
  const [host = '', length, ...rest] = text.split('/');
  const bytes = host.includes(':') ? parseIpv6(host)?.bytes : parseDottedQuad(host);
  if (bytes === undefined || bytes === null || rest.length > 0) return null;
  const address: IpAddress = { family: bytes.length === 4 ? 4 : 6, bytes: Uint8Array.from(bytes) };
  if (isMapped(address) || (length !== undefined && !/^[0-9]{1,3}$/.test(length))) return null;
  const mask = masks[address.family][length === undefined ? bytes.length * 8 : Number(length)];
  return mask === undefined ? null : { address, mask };
}

/** A network as parseNetwork reads it; one address alone has no mask. */
export function formatNetwork({ address, mask }: Network): string {
  return mask.every((byte) => byte === 0xff)
    ? formatAddress(address)
    : formatAddressSpec({ kind: 'mask', address, mask });
}

/** A client's address with the text that messages show. */
export interface ClientAddress {
  readonly address: IpAddress;
  readonly text: string;
}

/**
 * The address of a socket's peer; an IPv4-mapped one (`::ffff:a.b.c.d`, seen when the gate listens on `::`)
 * becomes the IPv4 address it is, as PostgreSQL sees it (semantics §5.2). Null when the text is not an address.
 */
export function clientAddress(text: string): ClientAddress | null {
  const address = parseNumericAddress(text);
  if (address === null) return null;
  // SECURITY: a mapped client that stayed IPv6 would slip past every IPv4 reject line.
  if (!isMapped(address)) return { address, text };
  const ipv4: IpAddress = { family: 4, bytes: address.bytes.slice(12) };
  return { address: ipv4, text: formatAddress(ipv4) };
}

function isMapped({ family, bytes }: IpAddress): boolean {
  return family === 6 && bytes.subarray(0, 12).every((byte, i) => byte === (i < 10 ? 0 : 0xff));
}

/** 127.0.0.0/8 or ::1. */
export function isLoopback({ family, bytes }: IpAddress): boolean {
  return family === 4 ? bytes[0] === 127 : bytes.every((byte, i) => byte === (i < 15 ? 0 : 1));
}

/**
 * Whether no client can have this address on the network: it is loopback, unspecified (all zeros), multicast or
 * broadcast.
 */
export function isNobodys(address: IpAddress): boolean {
  const { family, bytes } = address;
  const [first = 0] = bytes;
  const isMulticast = family === 4 ? first >= 224 && first < 240 : first === 0xff;
  const isBroadcast = family === 4 && bytes.every((byte) => byte === 0xff);
  return isLoopback(address) || isMulticast || isBroadcast || bytes.every((byte) => byte === 0);
}

/** Whom an address counts with where addresses share something: itself, or its /64, which one IPv6 client has whole. */
export function addressBlock({ family, bytes }: IpAddress): string {
  return family === 4
    ? formatAddress({ family, bytes })
    : `${formatAddress({ family, bytes: Uint8Array.from(bytes, (byte, index) => (index < 8 ? byte : 0)) })}/64`;
}

/** An address as inet_ntop writes it: the longest run of zero groups shortened, an embedded IPv4 address dotted. */
export function formatAddress({ family, bytes }: IpAddress): string {
  if (family === 4) return bytes.join('.');
  const groups = Array.from({ length: 8 }, (_, index) => (bytes[index * 2]! << 8) | bytes[index * 2 + 1]!);
  const zeros = groups.findIndex((group) => group !== 0);
  if (zeros === 6 || (zeros === 5 && groups[5] === 0xffff)) {
    return `${zeros === 5 ? '::ffff:' : '::'}${bytes.subarray(12).join('.')}`;
  }
  const text = groups.map((group) => group.toString(16)).join(':');
  const runs = text.match(/(?<![0-9a-f])0(?::0(?![0-9a-f]))+/g) ?? [];
  const longest = runs.reduce((best, run) => (run.length > best.length ? run : best), '');
  return longest === '' ? text : text.replace(new RegExp(`(?:^|:)${longest}(?![0-9a-f])(?::|$)`), '::');
}

/** A rule's address as the rule could have written it, for explanations. */
export function formatAddressSpec(spec: AddressSpec): string {
  switch (spec.kind) {
    case 'all':
    case 'samehost':
    case 'samenet':
      return spec.kind;
    case 'name':
      return `"${spec.name}"`;
    case 'mask': {
      const { address, mask } = spec;
      const bits = mask.reduce((sum, byte) => sum + byte.toString(2).replaceAll('0', '').length, 0);
      const contiguous = isSameAddress(
        { ...address, bytes: mask },
        { ...address, bytes: masks[address.family][bits]! },
      );
      return contiguous
        ? `${formatAddress(address)}/${bits}`
        : `${formatAddress(address)} ${formatAddress({ ...address, bytes: mask })}`;
    }
    default:
      return never(spec);
  }
}
