// Certificates and revocation lists as RFC 5280 lays them out, made to order: also the ones no CA would issue.

import { createHash, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { isIP } from 'node:net';
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
  setOf,
  time,
} from './der.ts';

export type KeyType = 'ec' | 'rsa' | 'ed25519';

/** An attribute's value: text as UTF8String, or the bytes of a string type by its universal tag number. */
export type AttributeValue = string | { readonly tag: number; readonly bytes: Uint8Array };

/** RDNs in certificate order; several keys in one make it multi-valued. Keys are short names or dotted OIDs. */
export type DistinguishedName = readonly Readonly<Record<string, AttributeValue>>[];

export interface SubjectAltName {
  readonly dns?: readonly string[];
  readonly ip?: readonly string[];
  readonly uri?: readonly string[];
  readonly email?: readonly string[];
}

export interface CertificateRequest {
  readonly subject: DistinguishedName;
  readonly publicKey: KeyObject;
  readonly serial: bigint;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly ca: boolean;
  /** Empty: no extendedKeyUsage extension, good for every purpose. */
  readonly extendedKeyUsage: readonly ExtendedKeyUsage[];
  readonly subjectAltName?: SubjectAltName;
}

export type ExtendedKeyUsage = 'clientAuth' | 'serverAuth' | 'codeSigning';

/** Who signs: its name and both keys. */
export interface Issuer {
  readonly subject: DistinguishedName;
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

export interface RevocationListRequest {
  readonly thisUpdate: Date;
  readonly nextUpdate: Date;
  readonly serials: readonly bigint[];
  readonly number: bigint;
  /** Version 1: without extensions, and so without the identifier of the issuer's key. */
  readonly bare?: boolean;
}

const ATTRIBUTES: Readonly<Record<string, string>> = {
  CN: '2.5.4.3',
  SN: '2.5.4.4',
  serialNumber: '2.5.4.5',
  C: '2.5.4.6',
  L: '2.5.4.7',
  ST: '2.5.4.8',
  O: '2.5.4.10',
  OU: '2.5.4.11',
  UID: '0.9.2342.19200300.100.1.1',
  DC: '0.9.2342.19200300.100.1.25',
  emailAddress: '1.2.840.113549.1.9.1',
};

const PURPOSES: Readonly<Record<ExtendedKeyUsage, string>> = {
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
  codeSigning: '1.3.6.1.5.5.7.3.3',
};

export const UTF8_STRING = 0x0c;
export const BMP_STRING = 0x1e;

export function generateKeys(type: KeyType): { publicKey: KeyObject; privateKey: KeyObject } {
  if (type === 'rsa') return generateKeyPairSync('rsa', { modulusLength: 2048 });
  if (type === 'ed25519') return generateKeyPairSync('ed25519');
  return generateKeyPairSync('ec', { namedCurve: 'P-256' });
}

/** A signed certificate, DER. */
export function certificate(request: CertificateRequest, issuer: Issuer): Buffer {
  return signed(issuer.privateKey, (algorithm) =>
    sequence(
      explicit(0, integer(2n)),
      integer(request.serial),
      algorithm,
      name(issuer.subject),
      sequence(time(request.notBefore), time(request.notAfter)),
      name(request.subject),
      spki(request.publicKey),
      explicit(3, sequence(...extensions(request, issuer))),
    ),
  );
}

/** A signed CRL, DER. */
export function revocationList(request: RevocationListRequest, issuer: Issuer): Buffer {
  const entries = request.serials.map((serial) => sequence(integer(serial), time(request.thisUpdate)));
  const tail = explicit(
    0,
    sequence(authorityKeyIdentifier(issuer), extension('2.5.29.20', false, integer(request.number))),
  );
  return signed(issuer.privateKey, (algorithm) =>
    sequence(
      ...(request.bare === true ? [] : [integer(1n)]),
      algorithm,
      name(issuer.subject),
      time(request.thisUpdate),
      time(request.nextUpdate),
      ...(entries.length > 0 ? [sequence(Buffer.concat(entries))] : []),
      ...(request.bare === true ? [] : [tail]),
    ),
  );
}

export function pem(label: 'CERTIFICATE' | 'X509 CRL', bytes: Uint8Array): string {
  const lines = Buffer.from(bytes)
    .toString('base64')
    .replaceAll(/.{1,64}/g, '$&\n');
  return `-----BEGIN ${label}-----\n${lines}-----END ${label}-----\n`;
}

/** A Name, DER: also what OpenSSL's hashed file names are made of. */
export function name(dn: DistinguishedName): Buffer {
  const rdns = dn.map((rdn) =>
    setOf(
      ...Object.entries(rdn).map(([type, value]) => {
        const text = typeof value === 'string' ? { tag: UTF8_STRING, bytes: Buffer.from(value) } : value;
        return sequence(oid(ATTRIBUTES[type] ?? type), der(text.tag, text.bytes));
      }),
    ),
  );
  return sequence(...rdns);
}

function signed(key: KeyObject, toBeSigned: (algorithm: Buffer) => Buffer): Buffer {
  const { algorithm, digest } = signatureAlgorithm(key);
  const body = toBeSigned(algorithm);
  return sequence(body, algorithm, bitString(sign(digest, body, key)));
}

function signatureAlgorithm(key: KeyObject): { algorithm: Buffer; digest: string | null } {
  if (key.asymmetricKeyType === 'ec')
    return { algorithm: sequence(oid('1.2.840.10045.4.3.2')), digest: 'sha256' };
  if (key.asymmetricKeyType === 'ed25519') return { algorithm: sequence(oid('1.3.101.112')), digest: null };
  return { algorithm: sequence(oid('1.2.840.113549.1.1.11'), der(0x05)), digest: 'sha256' };
}

function extensions(request: CertificateRequest, issuer: Issuer): Buffer[] {
  const { ca, extendedKeyUsage, subjectAltName } = request;
  // digitalSignature is bit 0; keyCertSign and cRLSign are bits 5 and 6.
  const keyUsage = ca ? bitString(Buffer.from([0b0000_0110]), 1) : bitString(Buffer.from([0b1000_0000]), 7);
  return [
    extension('2.5.29.19', true, sequence(...(ca ? [boolean(true)] : []))),
    extension('2.5.29.15', true, keyUsage),
    extension('2.5.29.14', false, octetString(keyIdentifier(request.publicKey))),
    authorityKeyIdentifier(issuer),
    ...(extendedKeyUsage.length > 0
      ? [extension('2.5.29.37', false, sequence(...extendedKeyUsage.map((use) => oid(PURPOSES[use]))))]
      : []),
    ...(subjectAltName === undefined ? [] : [extension('2.5.29.17', false, generalNames(subjectAltName))]),
  ];
}

function extension(id: string, critical: boolean, value: Uint8Array): Buffer {
  return sequence(oid(id), ...(critical ? [boolean(true)] : []), octetString(value));
}

function authorityKeyIdentifier(issuer: Issuer): Buffer {
  return extension('2.5.29.35', false, sequence(implicit(0, keyIdentifier(issuer.publicKey))));
}

function keyIdentifier(key: KeyObject): Buffer {
  return createHash('sha1').update(spki(key)).digest();
}

function spki(key: KeyObject): Buffer {
  return key.export({ type: 'spki', format: 'der' });
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
