// Certificates and revocation lists as RFC 5280 lays them out: the ordinary ones, and with every field to order the
// ones that no CA should issue and OpenSSL judges all the same.

import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { bitString, der, explicit, integer, oid, sequence, time } from './der.ts';
import { extensions, purposes, type SubjectAltName } from './extensions.ts';
import { name, type DistinguishedName } from './names.ts';

export type KeyType = 'ec' | 'rsa' | 'ed25519' | 'ml-dsa-65';

export interface Keys {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

/** Who signs: its name and both keys. */
export interface Issuer extends Keys {
  readonly subject: DistinguishedName;
}

/** A certificate with exactly these extensions; version 1 has none. */
export interface CertificateFields {
  readonly version: 1 | 3;
  readonly serial: bigint;
  readonly issuer: DistinguishedName;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly subject: DistinguishedName;
  readonly publicKey: KeyObject;
  readonly extensions: readonly Buffer[];
}

export interface ListEntry {
  readonly serial: bigint;
  readonly extensions?: readonly Buffer[];
}

/** A revocation list with exactly these extensions; version 1 has none. */
export interface ListFields {
  readonly version: 1 | 2;
  readonly issuer: DistinguishedName;
  readonly thisUpdate: Date;
  readonly nextUpdate: Date | null;
  readonly entries: readonly ListEntry[];
  readonly extensions: readonly Buffer[];
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

export interface RevocationListRequest {
  readonly thisUpdate: Date;
  readonly nextUpdate: Date;
  readonly serials: readonly bigint[];
  readonly number: bigint;
  /** Version 1: without extensions, and so without the identifier of the issuer's key. */
  readonly bare?: boolean;
}

export function generateKeys(type: KeyType): { publicKey: KeyObject; privateKey: KeyObject } {
  if (type === 'rsa') return generateKeyPairSync('rsa', { modulusLength: 2048 });
  if (type === 'ed25519') return generateKeyPairSync('ed25519');
  if (type === 'ml-dsa-65') return generateKeyPairSync('ml-dsa-65');
  return generateKeyPairSync('ec', { namedCurve: 'P-256' });
}

/** The certificate, signed with `key`, DER. */
export function signedCertificate(fields: CertificateFields, key: KeyObject): Buffer {
  return signed(key, (algorithm) =>
    sequence(
      ...(fields.version === 1 ? [] : [explicit(0, integer(2n))]),
      integer(fields.serial),
      algorithm,
      name(fields.issuer),
      sequence(time(fields.notBefore), time(fields.notAfter)),
      name(fields.subject),
      fields.publicKey.export({ type: 'spki', format: 'der' }),
      ...(fields.extensions.length > 0 ? [explicit(3, sequence(...fields.extensions))] : []),
    ),
  );
}

/** The list, signed with `key`, DER. */
export function signedList(fields: ListFields, key: KeyObject): Buffer {
  const entries = fields.entries.map((entry) => entryOf(entry, fields.thisUpdate));
  return signed(key, (algorithm) =>
    sequence(
      ...(fields.version === 1 ? [] : [integer(1n)]),
      algorithm,
      name(fields.issuer),
      time(fields.thisUpdate),
      ...(fields.nextUpdate === null ? [] : [time(fields.nextUpdate)]),
      // In one piece: a list may have more entries than a call takes arguments.
      ...(entries.length > 0 ? [sequence(Buffer.concat(entries))] : []),
      ...(fields.extensions.length > 0 ? [explicit(0, sequence(...fields.extensions))] : []),
    ),
  );
}

/** A certificate with the extensions that a careful CA gives it, DER. */
export function certificate(request: CertificateRequest, issuer: Issuer): Buffer {
  const { ca, extendedKeyUsage, subjectAltName } = request;
  const present = [
    extensions.basicConstraints(ca),
    ca ? extensions.keyUsage(5, 6) : extensions.keyUsage(0),
    extensions.subjectKey(request),
    extensions.authorityKey(issuer),
    ...(extendedKeyUsage.length > 0
      ? [extensions.extendedKeyUsage(...extendedKeyUsage.map((use) => purposes[use]))]
      : []),
    ...(subjectAltName === undefined ? [] : [extensions.subjectAltName(subjectAltName)]),
  ];
  return signedCertificate(
    { ...request, version: 3, issuer: issuer.subject, extensions: present },
    issuer.privateKey,
  );
}

/** A revocation list as a careful CA makes it, DER. */
export function revocationList(request: RevocationListRequest, issuer: Issuer): Buffer {
  const bare = request.bare === true;
  return signedList(
    {
      ...request,
      version: bare ? 1 : 2,
      issuer: issuer.subject,
      entries: request.serials.map((serial) => ({ serial })),
      extensions: bare ? [] : [extensions.authorityKey(issuer), extensions.crlNumber(request.number)],
    },
    issuer.privateKey,
  );
}

export function pem(label: 'CERTIFICATE' | 'X509 CRL', bytes: Uint8Array): string {
  const lines = Buffer.from(bytes)
    .toString('base64')
    .replaceAll(/.{1,64}/g, '$&\n');
  return `-----BEGIN ${label}-----\n${lines}-----END ${label}-----\n`;
}

function entryOf({ serial, extensions: present = [] }: ListEntry, revoked: Date): Buffer {
  return sequence(integer(serial), time(revoked), ...(present.length > 0 ? [sequence(...present)] : []));
}

function signed(key: KeyObject, toBeSigned: (algorithm: Buffer) => Buffer): Buffer {
  const { algorithm, digest } = signatureAlgorithm(key);
  const body = toBeSigned(algorithm);
  return sequence(body, algorithm, bitString(sign(digest, body, key)));
}

function signatureAlgorithm(key: KeyObject): { algorithm: Buffer; digest: string | null } {
  if (key.asymmetricKeyType === 'ec')
    return { algorithm: sequence(oid('1.2.840.10045.4.3.2')), digest: 'sha256' };
  if (key.asymmetricKeyType === 'ml-dsa-65')
    return { algorithm: sequence(oid('2.16.840.1.101.3.4.3.18')), digest: null };
  if (key.asymmetricKeyType === 'ed25519') return { algorithm: sequence(oid('1.3.101.112')), digest: null };
  return { algorithm: sequence(oid('1.2.840.113549.1.1.11'), der(0x05)), digest: 'sha256' };
}
