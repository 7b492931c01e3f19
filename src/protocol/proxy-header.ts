// Reads the PROXY protocol's header, versions 1 and 2 (contract §9). It takes the bytes in whatever pieces they come, and
// refuses at the first byte that cannot be one of a header: a receiver that guesses lets a client say who it is.

import { crc32c } from './crc32c.ts';

/** Longest header that is taken, in bytes, TLVs included. The protocol allows 65,551; no sender needs them. */
export const MAX_PROXY_HEADER_LENGTH = 4_096;

/** Longest line of version 1, in bytes, CRLF included. */
const MAX_V1_LENGTH = 107;

const V1_PREFIX = Buffer.from('PROXY ');
const V2_SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
const V2_FIXED_LENGTH = 16;

/** What a header says of the connection. */
export type ProxyHeader =
  /** The client that the sender speaks for. Only the form of `address` has been checked. `length` is the header's. */
  | { readonly kind: 'proxied'; readonly address: string; readonly port: number; readonly length: number }
  /** LOCAL or UNKNOWN: the sender speaks for itself. */
  | { readonly kind: 'local'; readonly length: number };

/** The outcome of looking at the bytes that have come so far. */
export type ProxyHeaderResult =
  | { readonly state: 'more' }
  | { readonly state: 'read'; readonly header: ProxyHeader }
  /** Not even the first byte is one of a header. */
  | { readonly state: 'missing' }
  | { readonly state: 'invalid'; readonly reason: string }
  /** A family or transport without an address that a rule could be asked with. */
  | { readonly state: 'unsupported'; readonly reason: string };

const MORE = { state: 'more' } as const;

/**
 * Reads a header from the beginning of what has arrived. Call it again with more bytes after `more`; bytes after the
 * header's `length` are the client's.
 *
 * @param bytes all that has come on the connection, at most MAX_PROXY_HEADER_LENGTH of it are looked at
 */
export function readProxyHeader(bytes: Buffer): ProxyHeaderResult {
  if (bytes.length === 0) return MORE;
  if (bytes[0] === V1_PREFIX[0]) return readVersion1(bytes);
  if (bytes[0] === V2_SIGNATURE[0]) return readVersion2(bytes);
  return { state: 'missing' };
}

/** Whether the bytes differ from the expected ones, as far as both go. */
function differs(bytes: Buffer, expected: Buffer): boolean {
  const length = Math.min(bytes.length, expected.length);
  return !bytes.subarray(0, length).equals(expected.subarray(0, length));
}

// -- version 1

function readVersion1(bytes: Buffer): ProxyHeaderResult {
  if (differs(bytes, V1_PREFIX)) return invalid('it does not begin with "PROXY "');
  const line = bytes.subarray(0, MAX_V1_LENGTH);
  const end = line.indexOf('\r');
  const newline = line.indexOf('\n');
  if (newline !== -1 && (end === -1 || newline < end))
    return invalid('a line feed without a carriage return');
  if (end === -1 || end === line.length - 1) {
    return line.length < MAX_V1_LENGTH ? MORE : invalid(`no end of line within ${MAX_V1_LENGTH} bytes`);
  }
  if (newline !== end + 1) return invalid('a carriage return without a line feed');
  return parseVersion1(line.toString('latin1', 0, end), end + 2);
}

function parseVersion1(line: string, length: number): ProxyHeaderResult {
  if (/^PROXY UNKNOWN(?: |$)/.test(line)) return { state: 'read', header: { kind: 'local', length } };
  const [, protocol, source = '', destination = '', ...ports] = line.split(' ');
  const isAddress = protocol === 'TCP4' ? isIpv4 : protocol === 'TCP6' ? isIpv6 : null;
  if (isAddress === null) return invalid('an unknown protocol in the first line');
  if (ports.length !== 2) return invalid('not six words with one blank between two');
  if (!isAddress(source) || !isAddress(destination))
    return invalid(`an address that is not one of ${protocol}`);
  const [port, destinationPort] = ports.map(parsePort);
  if (port === null || port === undefined || destinationPort === null)
    return invalid('a port outside 0 to 65535');
  return { state: 'read', header: { kind: 'proxied', address: source, port, length } };
}

function parsePort(text: string): number | null {
  if (!/^(?:0|[1-9]\d{0,4})$/.test(text)) return null;
  const port = Number(text);
  return port <= 65_535 ? port : null;
}

function isIpv4(text: string): boolean {
  const parts = text.split('.');
  return (
    parts.length === 4 && parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255)
  );
}

/** Hexadecimal groups with at most one `::`, the last two groups perhaps as IPv4. */
function isIpv6(text: string): boolean {
  const halves = text.split('::');
  if (halves.length > 2 || text.length > 45) return false;
  const groups = halves.flatMap((half) => (half === '' ? [] : half.split(':')));
  const last = groups.at(-1) ?? '';
  const hasIpv4 = last.includes('.') && !text.endsWith('::');
  if (hasIpv4 && !isIpv4(last)) return false;
  const hex = hasIpv4 ? groups.slice(0, -1) : groups;
  if (!hex.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return false;
  const count = hex.length + (hasIpv4 ? 2 : 0);
  return halves.length === 2 ? count <= 7 : count === 8;
}

// -- version 2

/** Bytes of the two addresses and ports by family and transport; other pairs do not exist. */
const ADDRESS_LENGTHS: Readonly<Record<number, number>> = {
  0x00: 0,
  0x11: 12,
  0x12: 12,
  0x21: 36,
  0x22: 36,
  0x31: 216,
  0x32: 216,
};

/** The family of a sender that says no address. */
const UNSPECIFIED = 0x00;

const NO_ADDRESS = { state: 'unsupported', reason: 'no address' } as const;

const TLV_CRC32C = 0x03;
const TLV_HEADER_LENGTH = 3;

function readVersion2(bytes: Buffer): ProxyHeaderResult {
  if (differs(bytes, V2_SIGNATURE)) return invalid("it does not begin with version 2's signature");
  const versionAndCommand = bytes[12];
  if (versionAndCommand === undefined) return MORE;
  if (versionAndCommand >> 4 !== 2) return invalid(`version ${versionAndCommand >> 4}`);
  const command = versionAndCommand & 0x0f;
  if (command > 1) return invalid(`command ${command}`);
  const family = bytes[13];
  if (family === undefined) return MORE;
  const isLocal = command === 0;
  // In LOCAL the family and the addresses mean nothing.
  const addressLength = isLocal ? 0 : ADDRESS_LENGTHS[family];
  if (addressLength === undefined) {
    return invalid(`address family and protocol 0x${family.toString(16).padStart(2, '0')}`);
  }
  if (bytes.length < V2_FIXED_LENGTH) return MORE;
  const length = V2_FIXED_LENGTH + bytes.readUInt16BE(14);
  if (length > MAX_PROXY_HEADER_LENGTH) return invalid(`more than ${MAX_PROXY_HEADER_LENGTH} bytes`);
  if (length < V2_FIXED_LENGTH + addressLength) return invalid('a length too short for the addresses');
  if (bytes.length < length) return MORE;
  return parseVersion2(bytes.subarray(0, length), isLocal, family);
}

function parseVersion2(header: Buffer, isLocal: boolean, family: number): ProxyHeaderResult {
  const { length } = header;
  const at = V2_FIXED_LENGTH;
  const tlvsAt = at + (ADDRESS_LENGTHS[family] ?? Infinity);
  const fault = checkTlvs(header, tlvsAt);
  if (isLocal || family === UNSPECIFIED) {
    // What follows means nothing, since a sender may leave addresses there. But a checksum that is there must match.
    if (fault === 'checksum') return invalid(FAULTS[fault]);
    return isLocal ? { state: 'read', header: { kind: 'local', length } } : NO_ADDRESS;
  }
  if (fault !== null) return invalid(FAULTS[fault]);
  switch (family) {
    case 0x11:
      return proxied(ipv4Text(header.subarray(at, at + 4)), header.readUInt16BE(at + 8), length);
    case 0x21:
      return proxied(ipv6Text(header.subarray(at, at + 16)), header.readUInt16BE(at + 32), length);
    case 0x31:
    case 0x32:
      return { state: 'unsupported', reason: 'a Unix-domain socket' };
    default:
      return { state: 'unsupported', reason: 'a datagram' };
  }
}

function proxied(address: string, port: number, length: number): ProxyHeaderResult {
  return { state: 'read', header: { kind: 'proxied', address, port, length } };
}

function ipv4Text(bytes: Buffer): string {
  return [...bytes].join('.');
}

function ipv6Text(bytes: Buffer): string {
  return Array.from({ length: 8 }, (_, group) => bytes.readUInt16BE(group * 2).toString(16)).join(':');
}

const FAULTS = {
  overrun: 'a TLV that runs over the end',
  'two-checksums': 'two checksums',
  checksum: 'a checksum that does not match',
} as const;

/**
 * Walks the TLVs to the end of the header. SECURITY: only the checksum is used. A sender may declare an address, but
 * never that the connection is TLS, nor a name.
 */
function checkTlvs(header: Buffer, begin: number): keyof typeof FAULTS | null {
  let at = begin;
  let checksumAt: number | null = null;
  while (at < header.length) {
    const valueAt = at + TLV_HEADER_LENGTH;
    const end = valueAt > header.length ? Infinity : valueAt + header.readUInt16BE(at + 1);
    if (end > header.length) return 'overrun';
    if (header[at] === TLV_CRC32C) {
      if (checksumAt !== null) return 'two-checksums';
      if (end - valueAt !== 4) return 'checksum';
      checksumAt = valueAt;
    }
    at = end;
  }
  if (checksumAt === null) return null;
  const expected = header.readUInt32BE(checksumAt);
  const zeroed = Buffer.from(header);
  zeroed.writeUInt32BE(0, checksumAt);
  return crc32c(zeroed) === expected ? null : 'checksum';
}

function invalid(reason: string): ProxyHeaderResult {
  return { state: 'invalid', reason };
}
