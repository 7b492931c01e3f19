// The reader of PROXY headers: any bytes, in any pieces, are a header, part of one or none. It never throws, it never
// takes back what it has said, and it never takes a byte after the header's own.

import {
  MAX_PROXY_HEADER_LENGTH,
  readProxyHeader,
  type ProxyHeaderResult,
} from '../../src/protocol/proxy-header.ts';
import { clientAddress } from '../../src/rules/address.ts';
import { ipv6Pair, proxyHeader, proxyLine, tlv } from '../../test/support/peers/proxy-header.ts';
import { invariant, type Target } from '../target.ts';

export function proxyHeaderTarget(): Target {
  return {
    maxLength: 4_200,
    limitMs: 200,
    seeds: [
      proxyLine('203.0.113.7', 40_000),
      proxyLine('2001:db8::7', 1, 'TCP6'),
      proxyLine('::ffff:10.0.0.1', 1, 'TCP6'),
      Buffer.from('PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n'),
      proxyHeader(),
      proxyHeader({ command: 0x20 }),
      proxyHeader({ family: 0x21, addresses: ipv6Pair('20010db8000000000000000000000007', 7) }),
      proxyHeader({
        checksum: 'right',
        tlvs: [tlv(0x02, Buffer.from('db.example')), tlv(0x04, Buffer.alloc(9))],
      }),
      proxyHeader({ family: 0x31, addresses: Buffer.alloc(216) }),
      proxyHeader({ tlvs: [tlv(0x04, Buffer.alloc(4_096 - 31))] }),
    ],
    dictionary: [
      'PROXY ',
      'TCP4 ',
      'TCP6 ',
      'UNKNOWN',
      '\r\n',
      '65535',
      '::',
      Buffer.from([0x21, 0x11, 0, 12]),
    ],
    run: (input) => {
      const bytes = Buffer.from(input);
      const whole = readProxyHeader(bytes);
      checkResult(whole, bytes.length);
      // Around the place where it is decided; every shorter beginning is seldom another case.
      const end = whole.state === 'read' ? whole.header.length : bytes.length;
      for (const length of [0, 1, 6, 12, 16, end - 1, end].filter(
        (each) => each >= 0 && each <= bytes.length,
      )) {
        const part = readProxyHeader(bytes.subarray(0, length));
        const isSettled = part.state !== 'more';
        invariant(!isSettled || same(part, whole), 'what is said of a part holds for the whole');
        if (whole.state === 'read')
          invariant(isSettled === length >= end, 'a header is read at its last byte');
      }
      if (whole.state !== 'read') return;
      const after = Buffer.concat([bytes.subarray(0, end), Buffer.from(bytes.subarray(0, 64))]);
      invariant(same(readProxyHeader(after), whole), 'what comes after it makes no difference');
    },
  };
}

function checkResult(result: ProxyHeaderResult, available: number): void {
  if (result.state === 'more')
    return invariant(available < MAX_PROXY_HEADER_LENGTH, 'it is decided in 4,096 bytes');
  if (result.state !== 'read') return;
  const { header } = result;
  invariant(header.length <= Math.min(available, MAX_PROXY_HEADER_LENGTH), 'no more bytes than there are');
  if (header.kind === 'local') return;
  invariant(clientAddress(header.address) !== null, 'the rules read the address that it declares');
  invariant(Number.isInteger(header.port) && header.port >= 0 && header.port <= 65_535, 'a port is a port');
}

function same(a: ProxyHeaderResult, b: ProxyHeaderResult): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
