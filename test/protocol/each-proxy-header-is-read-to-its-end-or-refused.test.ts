// Every form of the PROXY protocol's header, right and wrong, whole and cut at every byte: what it declares, where it
// ends, and the reason why it is refused. The parser says the same however the bytes come.

import { test, type Test } from 'tap';
import { crc32c } from '../../src/protocol/crc32c.ts';
import {
  MAX_PROXY_HEADER_LENGTH,
  readProxyHeader,
  type ProxyHeaderResult,
} from '../../src/protocol/proxy-header.ts';
import { ipv4Pair, ipv6Pair, proxyHeader, proxyLine, tlv } from '../support/peers/proxy-header.ts';

const AFTER = Buffer.from('\0\0\0\x08\x04\xd2\x16\x2f', 'latin1');
const IPV6 = '20010db8000000000000000000000007';
const longV6 = '0001:0002:0003:0004:0005:0006:0007:0008';

/** The result for the whole, after checking that no beginning of it says anything but `more`. */
function read(t: Test, bytes: Buffer, how: string): ProxyHeaderResult {
  const whole = readProxyHeader(Buffer.concat([bytes, AFTER]));
  const needed = whole.state === 'read' ? whole.header.length : null;
  for (let length = 0; length < bytes.length; length++) {
    const part = readProxyHeader(bytes.subarray(0, length));
    // One that is refused may be refused sooner, with the same words.
    if (part.state !== 'more')
      t.strictSame(part, needed === null ? whole : null, `${how}, at byte ${length}`);
    if (part.state !== 'more') break;
  }
  return whole;
}

const proxied: [string, Buffer, string, number][] = [
  ['version 1, IPv4', proxyLine('203.0.113.7', 40_000), '203.0.113.7', 40_000],
  ['port 0', proxyLine('0.0.0.0', 0), '0.0.0.0', 0],
  ['port 65535', proxyLine('255.255.255.255', 65_535), '255.255.255.255', 65_535],
  ['version 1, IPv6', proxyLine('2001:DB8::7', 1, 'TCP6'), '2001:DB8::7', 1],
  ['all groups', proxyLine(longV6, 1, 'TCP6'), longV6, 1],
  ['no group before ::', proxyLine('::', 1, 'TCP6'), '::', 1],
  ['as HAProxy writes a mapped one', proxyLine('::ffff:10.0.0.1', 1, 'TCP6'), '::ffff:10.0.0.1', 1],
  ['version 2, IPv4', proxyHeader(), '203.0.113.7', 40_000],
  ['version 2, IPv6', proxyHeader({ family: 0x21, addresses: ipv6Pair(IPV6, 7) }), '2001:db8:0:0:0:0:0:7', 7],
  ['a right checksum', proxyHeader({ checksum: 'right' }), '203.0.113.7', 40_000],
  [
    'TLVs of every meaning',
    proxyHeader({
      checksum: 'right',
      tlvs: [tlv(0x02, AFTER), tlv(0x20, Buffer.alloc(5)), tlv(0xee, AFTER)],
    }),
    '203.0.113.7',
    40_000,
  ],
  ['an empty TLV at the end', proxyHeader({ tlvs: [tlv(0x04, Buffer.alloc(0))] }), '203.0.113.7', 40_000],
  ['4,096 bytes', proxyHeader({ tlvs: [tlv(0x04, Buffer.alloc(4096 - 31))] }), '203.0.113.7', 40_000],
];

await test('the client that it declares', async (t) => {
  for (const [how, bytes, address, port] of proxied) {
    const header = { kind: 'proxied', address, port, length: bytes.length };
    t.strictSame(read(t, bytes, how), { state: 'read', header }, how);
  }
  const second = proxyLine('198.51.100.9', 9);
  const first = proxyHeader();
  t.match(
    readProxyHeader(Buffer.concat([first, second])),
    { header: { length: first.length } },
    'of two: the first',
  );
});

/** A line of so many bytes in all. */
function unknownLine(length: number): Buffer {
  return Buffer.from(`PROXY UNKNOWN ${'x'.repeat(length - 16)}\r\n`);
}

const local: [string, Buffer][] = [
  ['LOCAL', proxyHeader({ command: 0x20, family: 0, addresses: Buffer.alloc(0) })],
  ['LOCAL with addresses', proxyHeader({ command: 0x20 })],
  ['LOCAL of a family that does not exist', proxyHeader({ command: 0x20, family: 0xff })],
  ['LOCAL too short for its family', proxyHeader({ command: 0x20, addresses: Buffer.alloc(3) })],
  ['LOCAL with a right checksum', proxyHeader({ command: 0x20, checksum: 'right' })],
  ['UNKNOWN', Buffer.from('PROXY UNKNOWN\r\n')],
  ['UNKNOWN with addresses', Buffer.from('PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n')],
  ['a line of 107 bytes', unknownLine(107)],
];

await test('a sender that speaks for itself', async (t) => {
  for (const [how, bytes] of local) {
    const header = { kind: 'local', length: bytes.length };
    t.strictSame(read(t, bytes, how), { state: 'read', header }, how);
  }
});

const v1 = (rest: string): Buffer => Buffer.from(`PROXY ${rest}`, 'latin1');
const badAddress = (keyword: string): string => `an address that is not one of ${keyword}`;

const invalid: [string, Buffer, string][] = [
  ['a line of 108 bytes', unknownLine(108), 'no end of line within 107 bytes'],
  ['a line without end', v1('x'.repeat(300)), 'no end of line within 107 bytes'],
  ['a line feed alone', v1('TCP4 1.2.3.4 1.2.3.4 1 2\n'), 'a line feed without a carriage return'],
  ['a carriage return alone', v1('TCP4 1.2.3.4\r1.2.3.4 1 2\r\n'), 'a carriage return without a line feed'],
  ['another word', Buffer.from('PROXI TCP4 1.2.3.4 1.2.3.4 1 2\r\n'), 'it does not begin with "PROXY "'],
  ['UDP4', v1('UDP4 1.2.3.4 1.2.3.4 1 2\r\n'), 'an unknown protocol in the first line'],
  ['UNKNOWNS', v1('UNKNOWNS\r\n'), 'an unknown protocol in the first line'],
  ['nothing', v1('\r\n'), 'an unknown protocol in the first line'],
  ['a word too few', v1('TCP4 1.2.3.4 1.2.3.4 1\r\n'), 'not six words with one blank between two'],
  ['a blank at the end', v1('TCP4 1.2.3.4 1.2.3.4 1 2 \r\n'), 'not six words with one blank between two'],
  ['two blanks', v1('TCP4  1.2.3.4 1.2.3.4 1 2\r\n'), 'not six words with one blank between two'],
  ['a tab', v1('TCP4\t1.2.3.4 1.2.3.4 1 2\r\n'), 'an unknown protocol in the first line'],
  ['TCP4 with IPv6', proxyLine('2001:db8::7', 1, 'TCP4'), badAddress('TCP4')],
  ['TCP6 with IPv4', proxyLine('1.2.3.4', 1, 'TCP6'), badAddress('TCP6')],
  ['TCP4 to IPv6', proxyLine('1.2.3.4', 1, 'TCP4', '::1'), badAddress('TCP4')],
  ['a leading zero', proxyLine('1.2.3.04', 1), badAddress('TCP4')],
  ['256', proxyLine('1.2.3.256', 1), badAddress('TCP4')],
  ['three numbers', proxyLine('1.2.3', 1), badAddress('TCP4')],
  ['two ::', proxyLine('1::2::3', 1, 'TCP6'), badAddress('TCP6')],
  ['nine groups', proxyLine(`${longV6}:9`, 1, 'TCP6'), badAddress('TCP6')],
  ['eight groups and ::', proxyLine('1:2:3:4::5:6:7:8', 1, 'TCP6'), badAddress('TCP6')],
  ['five digits', proxyLine('12345::', 1, 'TCP6'), badAddress('TCP6')],
  ['a zone', proxyLine('fe80::1%eth0', 1, 'TCP6'), badAddress('TCP6')],
  ['port 65536', proxyLine('1.2.3.4', 65_536), 'a port outside 0 to 65535'],
  ['port 01', proxyLine('1.2.3.4', '01'), 'a port outside 0 to 65535'],
  ['port -1', proxyLine('1.2.3.4', '-1'), 'a port outside 0 to 65535'],
  ['no port', v1('TCP4 1.2.3.4 1.2.3.4  2\r\n'), 'a port outside 0 to 65535'],
  ['version 1 in binary', proxyHeader({ command: 0x11 }), 'version 1'],
  ['version 3', proxyHeader({ command: 0x31 }), 'version 3'],
  ['command 2', proxyHeader({ command: 0x22 }), 'command 2'],
  ['a family that does not exist', proxyHeader({ family: 0x41 }), 'address family and protocol 0x41'],
  ['a transport without family', proxyHeader({ family: 0x01 }), 'address family and protocol 0x01'],
  ['too short', proxyHeader({ addresses: Buffer.alloc(11) }), 'a length too short for the addresses'],
  ['IPv4 said to be IPv6', proxyHeader({ family: 0x21 }), 'a length too short for the addresses'],
  ['4,097 bytes', proxyHeader({ tlvs: [tlv(0x04, Buffer.alloc(4097 - 31))] }), 'more than 4096 bytes'],
  ['65,551 bytes', proxyHeader({ length: 65_535 }), 'more than 4096 bytes'],
  ['a wrong checksum', proxyHeader({ checksum: 'wrong' }), 'a checksum that does not match'],
  [
    'LOCAL, wrong checksum',
    proxyHeader({ command: 0x20, checksum: 'wrong' }),
    'a checksum that does not match',
  ],
  ['a short checksum', proxyHeader({ tlvs: [tlv(0x03, Buffer.alloc(3))] }), 'a checksum that does not match'],
  ['two checksums', proxyHeader({ checksum: 'right', tlvs: [tlv(0x03, Buffer.alloc(4))] }), 'two checksums'],
  [
    'a TLV too long',
    proxyHeader({ tlvs: [tlv(0x04, AFTER).subarray(0, -1)] }),
    'a TLV that runs over the end',
  ],
  ['half a TLV', proxyHeader({ tlvs: [Buffer.from([4, 0])] }), 'a TLV that runs over the end'],
];

await test('what is broken, and why', async (t) => {
  for (const [how, bytes, reason] of invalid) {
    t.strictSame(read(t, bytes, how), { state: 'invalid', reason }, how);
  }
  const signature = proxyHeader();
  for (let at = 1; at < 12; at++) {
    const bytes = Buffer.from(signature);
    bytes[at]! ^= 0x80;
    t.match(
      readProxyHeader(bytes.subarray(0, at + 1)),
      { state: 'invalid' },
      `refused at byte ${at} at once`,
    );
  }
});

await test('clients without an address that a rule knows', async (t) => {
  const none = Buffer.alloc(0);
  const pair = ipv4Pair('1.2.3.4', 5);
  for (const [bytes, reason] of [
    [proxyHeader({ family: 0x00, addresses: none }), 'no address'],
    [proxyHeader({ family: 0x00, addresses: pair }), 'no address'],
    [proxyHeader({ family: 0x12, addresses: pair }), 'a datagram'],
    [proxyHeader({ family: 0x22, addresses: ipv6Pair(IPV6, 1) }), 'a datagram'],
    [proxyHeader({ family: 0x31, addresses: Buffer.alloc(216) }), 'a Unix-domain socket'],
    [proxyHeader({ family: 0x32, addresses: Buffer.alloc(216) }), 'a Unix-domain socket'],
  ] as const) {
    t.strictSame(read(t, bytes, reason), { state: 'unsupported', reason }, reason);
  }
});

await test('what is not a header is known by its first byte', async (t) => {
  t.strictSame(readProxyHeader(Buffer.alloc(0)), { state: 'more' });
  const starts = Array.from({ length: 256 }, (_, byte) => byte).filter(
    (byte) => readProxyHeader(Buffer.from([byte])).state !== 'missing',
  );
  t.strictSame(
    starts,
    [0x0d, 0x50],
    'of TLS, a PostgreSQL packet or HTTP, none is taken for the beginning of one',
  );
});

await test('the checksum is CRC-32C', async (t) => {
  t.equal(crc32c(Buffer.from('123456789')), 0xe3069283, "the polynomial's check value");
  t.equal(MAX_PROXY_HEADER_LENGTH, 4096);
});
