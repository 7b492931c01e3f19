// The extensions of certificates and revocation lists (RFC 5280 §4.2, §5.2), each to order.

import { createHash, type KeyObject } from 'node:crypto';
import { isIP } from 'node:net';
import { bitString, boolean, der, explicit, implicit, integer, octetString, oid, sequence } from './der.ts';
import { name } from './names.ts';

interface PublicKey {
  readonly publicKey: KeyObject;
}

export interface SubjectAltName {
  readonly dns?: readonly string[];
  readonly ip?: readonly string[];
  readonly uri?: readonly string[];
  readonly email?: readonly string[];
}

function extension(id: string, critical: boolean, value: Uint8Array): Buffer {
  return sequence(oid(id), ...(critical ? [boolean(true)] : []), octetString(value));
}

/** The extensions that the cases are put together from. */
export const extensions = {
  basicConstraints: (ca: boolean, pathLength?: bigint): Buffer =>
    extension(
      '2.5.29.19',
      true,
      sequence(...(ca ? [boolean(true)] : []), ...(pathLength === undefined ? [] : [integer(pathLength)])),
    ),
  /** @param bits 0 = digitalSignature, 2 = keyEncipherment, 5 = keyCertSign, 6 = cRLSign */
  keyUsage: (...bits: readonly number[]): Buffer => {
    const octet = bits.reduce((value, bit) => value | (0x80 >> bit), 0);
    return extension('2.5.29.15', true, bitString(Buffer.from([octet]), 7 - Math.max(...bits)));
  },
  extendedKeyUsage: (...purposes: readonly string[]): Buffer =>
    extension('2.5.29.37', false, sequence(...purposes.map(oid))),
  subjectKey: (keys: PublicKey): Buffer => extension('2.5.29.14', false, octetString(keyIdentifier(keys))),
  authorityKey: (keys: PublicKey): Buffer =>
    extension('2.5.29.35', false, sequence(implicit(0, keyIdentifier(keys)))),
  /** The issuer's own issuer and serial number in place of its key. */
  authoritySerial: (issuer: string, serial: bigint): Buffer =>
    extension(
      '2.5.29.35',
      false,
      sequence(der(0xa1, der(0xa4, name([{ CN: issuer }]))), implicit(2, contentsOf(integer(serial)))),
    ),
  unknown: (critical: boolean): Buffer => extension('1.3.6.1.4.1.99999.1', critical, der(0x05)),
  subjectAltName: (names: SubjectAltName): Buffer => extension('2.5.29.17', false, generalNames(names)),
  /** @param kind which of the two lists the one DNS subtree stands in */
  nameConstraints: (kind: 'permitted' | 'excluded', dns: string): Buffer =>
    extension(
      '2.5.29.30',
      true,
      sequence(explicit(kind === 'permitted' ? 0 : 1, sequence(implicit(2, Buffer.from(dns))))),
    ),
  distributionPoint: (uri: string): Buffer =>
    extension('2.5.29.31', false, sequence(sequence(der(0xa0, der(0xa0, implicit(6, Buffer.from(uri))))))),
  /** @param scope what the list is for */
  issuingDistributionPoint: (
    scope: 'users' | 'authorities' | 'attributes' | 'some-reasons' | 'indirect' | { readonly uri: string },
  ): Buffer => extension('2.5.29.28', true, sequence(scopeOf(scope))),
  crlNumber: (number: bigint): Buffer => extension('2.5.29.20', false, integer(number)),
  deltaOf: (number: bigint): Buffer => extension('2.5.29.27', true, integer(number)),
  /** @param reason 1 = keyCompromise, 8 = removeFromCRL */
  reason: (reason: number): Buffer => extension('2.5.29.21', false, der(0x0a, Buffer.from([reason]))),
} as const;

export const purposes = {
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
  codeSigning: '1.3.6.1.5.5.7.3.3',
  any: '2.5.29.37.0',
} as const;

function scopeOf(
  scope: 'users' | 'authorities' | 'attributes' | 'some-reasons' | 'indirect' | { readonly uri: string },
): Buffer {
  if (typeof scope === 'object') return der(0xa0, der(0xa0, implicit(6, Buffer.from(scope.uri))));
  const yes = Buffer.from([0xff]);
  switch (scope) {
    case 'users':
      return implicit(1, yes);
    case 'authorities':
      return implicit(2, yes);
    case 'some-reasons':
      return implicit(3, Buffer.from([6, 0x40]));
    case 'indirect':
      return implicit(4, yes);
    case 'attributes':
      return implicit(5, yes);
    default:
      return scope satisfies never;
  }
}

function contentsOf(element: Buffer): Buffer {
  return element.subarray(2);
}

function keyIdentifier({ publicKey }: PublicKey): Buffer {
  return createHash('sha1')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest();
}

function generalNames({ dns = [], ip = [], uri = [], email = [] }: SubjectAltName): Buffer {
  return sequence(
    ...email.map((value) => implicit(1, Buffer.from(value))),
    ...dns.map((value) => implicit(2, Buffer.from(value))),
    ...uri.map((value) => implicit(6, Buffer.from(value))),
    ...ip.map((value) => implicit(7, addressBytes(value))),
  );
}

function addressBytes(address: string): Buffer {
  if (isIP(address) === 4) return Buffer.from(address.split('.').map(Number));
  if (address === '::1') return Buffer.from([...Array.from({ length: 15 }, () => 0), 1]);
  throw new Error(`no IPv4 address and not ::1: ${address}`);
}
