// Headers of the PROXY protocol as load balancers send them, and as none should.

import { crc32c } from '../../../src/protocol/crc32c.ts';

const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');

export interface HeaderParts {
  /** High nibble version, low nibble command; 0x21 = PROXY, 0x20 = LOCAL. */
  readonly command?: number;
  /** High nibble family, low nibble transport; 0x11 = TCP over IPv4. */
  readonly family?: number;
  readonly addresses?: Uint8Array;
  readonly tlvs?: readonly Uint8Array[];
  /** In place of the length of what follows. */
  readonly length?: number;
  /** Whether a checksum is added, right or wrong. */
  readonly checksum?: 'right' | 'wrong';
}

/** A header of version 1. */
export function proxyLine(source: string, port: number | string, keyword = 'TCP4', destination = ''): Buffer {
  const to = destination || (keyword === 'TCP4' ? '198.51.100.1' : '2001:db8::1');
  return Buffer.from(`PROXY ${keyword} ${source} ${to} ${port} 6432\r\n`);
}

/** A header of version 2. */
export function proxyHeader({
  command = 0x21,
  family = 0x11,
  addresses = ipv4Pair('203.0.113.7', 40_000),
  tlvs = [],
  length,
  checksum,
}: HeaderParts = {}): Buffer {
  const sum = checksum === undefined ? [] : [tlv(0x03, Buffer.alloc(4))];
  const rest = Buffer.concat([addresses, ...sum, ...tlvs]);
  const fixed = Buffer.alloc(4);
  fixed.writeUInt8(command, 0);
  fixed.writeUInt8(family, 1);
  fixed.writeUInt16BE(length ?? rest.length, 2);
  const header = Buffer.concat([SIGNATURE, fixed, rest]);
  if (checksum !== undefined) {
    const value = crc32c(header);
    header.writeUInt32BE(checksum === 'right' ? value : (value ^ 1) >>> 0, 16 + addresses.length + 3);
  }
  return header;
}

/** Source and destination of version 2, over IPv4. */
export function ipv4Pair(source: string, port: number): Buffer {
  const pair = Buffer.alloc(12);
  Buffer.from(source.split('.').map(Number)).copy(pair, 0);
  Buffer.from([198, 51, 100, 1]).copy(pair, 4);
  pair.writeUInt16BE(port, 8);
  pair.writeUInt16BE(6432, 10);
  return pair;
}

/** Source and destination of version 2, over IPv6; `source` is 32 hexadecimal digits. */
export function ipv6Pair(source: string, port: number): Buffer {
  const pair = Buffer.alloc(36);
  Buffer.from(source, 'hex').copy(pair, 0);
  Buffer.from('20010db8000000000000000000000001', 'hex').copy(pair, 16);
  pair.writeUInt16BE(port, 32);
  pair.writeUInt16BE(6432, 34);
  return pair;
}

export function tlv(type: number, value: Uint8Array): Buffer {
  const head = Buffer.alloc(3);
  head.writeUInt8(type, 0);
  head.writeUInt16BE(value.length, 1);
  return Buffer.concat([head, value]);
}
