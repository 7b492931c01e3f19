// The writing of DER and PEM for the development authority: small functions that each return one whole element.

import { tags } from './der.ts';

/** An element of the given identifier octet whose contents are the parts, one after the other. */
export function element(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const contents = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([tag]), lengthOctets(contents.length), contents]);
}

function lengthOctets(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length]);
  const digits = evenHex(length);
  return Buffer.concat([Buffer.from([0x80 | (digits.length / 2)]), Buffer.from(digits, 'hex')]);
}

function evenHex(value: bigint | number): string {
  const digits = value.toString(16);
  return digits.length % 2 === 0 ? digits : `0${digits}`;
}

export function sequence(...parts: readonly Uint8Array[]): Buffer {
  return element(tags.sequence, ...parts);
}

/** SET OF: its elements in the order that DER demands (X.690 §11.6). */
export function setOf(parts: readonly Buffer[]): Buffer {
  return element(tags.set, ...parts.toSorted((a, b) => Buffer.compare(a, b)));
}

/** `[number]` EXPLICIT. */
export function tagged(number: number, ...parts: readonly Uint8Array[]): Buffer {
  return element(0xa0 | number, ...parts);
}

export function boolean(value: boolean): Buffer {
  return element(tags.boolean, Buffer.from([value ? 0xff : 0]));
}

/** INTEGER, two's complement. */
export function integer(value: bigint): Buffer {
  let bytes = 1;
  while (BigInt.asIntN(bytes * 8, value) !== value) bytes += 1;
  const digits = BigInt.asUintN(bytes * 8, value)
    .toString(16)
    .padStart(bytes * 2, '0');
  return element(tags.integer, Buffer.from(digits, 'hex'));
}

export function octetString(contents: Uint8Array): Buffer {
  return element(tags.octetString, contents);
}

/** BIT STRING of whole octets. */
export function bitString(contents: Uint8Array): Buffer {
  return element(tags.bitString, Buffer.from([0]), contents);
}

/** BIT STRING of named bits (X.690 §11.2.2: no trailing zero bits), at most eight of them. */
export function namedBits(...bits: readonly number[]): Buffer {
  const octet = bits.reduce((value, bit) => value | (0x80 >> bit), 0);
  return element(tags.bitString, Buffer.from([7 - Math.max(...bits), octet]));
}

/** OBJECT IDENTIFIER from its dotted form. */
export function oid(dotted: string): Buffer {
  const [top = 0n, second = 0n, ...rest] = dotted.split('.').map(BigInt);
  return element(tags.oid, Buffer.from([top * 40n + second, ...rest].flatMap(base128)));
}

function base128(arc: bigint): number[] {
  const octets = [Number(arc & 0x7fn)];
  for (let left = arc >> 7n; left > 0n; left >>= 7n) octets.unshift(0x80 | Number(left & 0x7fn));
  return octets;
}

/** Time as RFC 5280 §4.1.2.5 wants it: UTCTime through 2049, GeneralizedTime from 2050. */
export function time(date: Date): Buffer {
  const digits = date
    .toISOString()
    .replace(/\.\d+Z$/, 'Z')
    .replace(/[-:T]/g, '');
  const year = date.getUTCFullYear();
  return year >= 1950 && year < 2050
    ? element(tags.utcTime, Buffer.from(digits.slice(2), 'latin1'))
    : element(tags.generalizedTime, Buffer.from(digits, 'latin1'));
}

/** PEM (RFC 7468): base64 in lines of 64. */
export function pem(label: string, der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
