// Certificates and revocation lists with every field to order, for the chains that no CA should issue and OpenSSL
// judges all the same. Keys are made once for the process: what a chain is made of matters, not its keys.

import { createHash, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import {
  bitString,
  boolean,
  der,
  explicit,
  implicit,
  integer,
  octetString,
  oid,
  sequence,
  time,
} from './der.ts';
import { name } from './x509.ts';

export interface Keys {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

/** A certificate with exactly these extensions; version 1 has none. */
export interface OddCertificate {
  readonly version: 1 | 3;
  readonly subject: string;
  readonly issuer: string;
  readonly keys: Keys;
  readonly signer: Keys;
  readonly serial: bigint;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly extensions: readonly Buffer[];
}

export interface OddEntry {
  readonly serial: bigint;
  readonly extensions?: readonly Buffer[];
}

export interface OddList {
  readonly issuer: string;
  readonly signer: Keys;
  readonly thisUpdate: Date;
  readonly nextUpdate: Date | null;
  readonly entries: readonly OddEntry[];
  readonly extensions: readonly Buffer[];
}

const made = new Map<string, Keys>();

/** The same key for the same label, in this process. Labels that begin with `rsa1024` are RSA keys of 1024 bits. */
export function keysFor(label: string): Keys {
  let keys = made.get(label);
  if (keys === undefined) {
    keys = label.startsWith('rsa1024')
      ? generateKeyPairSync('rsa', { modulusLength: 1024 })
      : generateKeyPairSync('ec', { namedCurve: 'P-256' });
    made.set(label, keys);
  }
  return keys;
}

export function oddCertificate(odd: OddCertificate): Buffer {
  return signed(odd.signer, (algorithm) =>
    sequence(
      ...(odd.version === 1 ? [] : [explicit(0, integer(2n))]),
      integer(odd.serial),
      algorithm,
      name([{ CN: odd.issuer }]),
      sequence(time(odd.notBefore), time(odd.notAfter)),
      name([{ CN: odd.subject }]),
      odd.keys.publicKey.export({ type: 'spki', format: 'der' }),
      ...(odd.extensions.length > 0 ? [explicit(3, sequence(...odd.extensions))] : []),
    ),
  );
}

export function oddList(odd: OddList): Buffer {
  const entries = odd.entries.map(({ serial, extensions = [] }) =>
    sequence(
      integer(serial),
      time(odd.thisUpdate),
      ...(extensions.length > 0 ? [sequence(...extensions)] : []),
    ),
  );
  return signed(odd.signer, (algorithm) =>
    sequence(
      integer(1n),
      algorithm,
      name([{ CN: odd.issuer }]),
      time(odd.thisUpdate),
      ...(odd.nextUpdate === null ? [] : [time(odd.nextUpdate)]),
      ...(entries.length > 0 ? [sequence(...entries)] : []),
      ...(odd.extensions.length > 0 ? [explicit(0, sequence(...odd.extensions))] : []),
    ),
  );
}

function signed(keys: Keys, toBeSigned: (algorithm: Buffer) => Buffer): Buffer {
  const isEc = keys.privateKey.asymmetricKeyType === 'ec';
  const algorithm = isEc
    ? sequence(oid('1.2.840.10045.4.3.2'))
    : sequence(oid('1.2.840.113549.1.1.11'), der(0x05));
  const body = toBeSigned(algorithm);
  return sequence(body, algorithm, bitString(sign('sha256', body, keys.privateKey)));
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
  subjectKey: (keys: Keys): Buffer => extension('2.5.29.14', false, octetString(keyIdentifier(keys))),
  authorityKey: (keys: Keys): Buffer =>
    extension('2.5.29.35', false, sequence(implicit(0, keyIdentifier(keys)))),
  /** The issuer's own issuer and serial number in place of its key. */
  authoritySerial: (issuer: string, serial: bigint): Buffer =>
    extension(
      '2.5.29.35',
      false,
      sequence(der(0xa1, der(0xa4, name([{ CN: issuer }]))), implicit(2, contentsOf(integer(serial)))),
    ),
  unknown: (critical: boolean): Buffer => extension('1.3.6.1.4.1.99999.1', critical, der(0x05)),
  subjectAltDns: (dns: string): Buffer =>
    extension('2.5.29.17', false, sequence(implicit(2, Buffer.from(dns)))),
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

function keyIdentifier({ publicKey }: Keys): Buffer {
  return createHash('sha1')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest();
}
