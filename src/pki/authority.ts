// A certificate authority for development, the demo and the tests: it issues what it is asked for, sound or not.
// Not meant to hold a key that anybody's production trusts.

import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  sign,
  X509Certificate,
} from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { DerReader, tags } from '../x509/der.ts';
import {
  bitString,
  boolean,
  element,
  integer,
  namedBits,
  octetString,
  oid,
  pem,
  sequence,
  tagged,
  time,
} from '../x509/encode.ts';
import { encodeAltNames, encodeName } from './names.ts';
import type { AltName, SubjectName } from './names.ts';

export type { AltName, SubjectName } from './names.ts';

export type KeyType = 'ec' | 'rsa' | 'ed25519';

/** What a certificate may be used for: its extended key usage. */
export type Purpose = 'serverAuth' | 'clientAuth';

/** Any other extension, or a second one of a kind, for tests. */
export interface RawExtension {
  readonly oid: string;
  readonly critical?: boolean;
  /** DER of what the extension holds. */
  readonly value: Uint8Array;
}

export interface Validity {
  /** Five minutes ago unless told, for clocks that lag behind. */
  readonly notBefore?: Date;
  /** 365 days from now unless told; ten years for an authority. */
  readonly notAfter?: Date;
}

export interface CertificateRequest extends Validity {
  readonly subject: SubjectName;
  readonly altNames?: readonly AltName[];
  /** Empty = no extended key usage extension: any purpose. */
  readonly purposes: readonly Purpose[];
  /** P-256 unless told. */
  readonly keyType?: KeyType;
  /** Random, 127 bits, unless told. */
  readonly serial?: bigint;
  readonly extensions?: readonly RawExtension[];
}

export interface AuthorityRequest extends Validity {
  readonly subject: SubjectName;
  readonly keyType?: KeyType;
  readonly serial?: bigint;
}

/** A certificate and its key. */
export interface Issued {
  /** PEM. */
  readonly certificate: string;
  /** PEM, PKCS #8, not encrypted. */
  readonly key: string;
  readonly der: Buffer;
  readonly serial: bigint;
}

export interface Revocation {
  readonly serial: bigint;
  readonly date: Date;
}

export interface CrlRequest {
  readonly revoked?: readonly Revocation[];
  /** Now unless told. */
  readonly lastUpdate?: Date;
  /** Ten years from now unless told; null leaves it out. */
  readonly nextUpdate?: Date | null;
}

export interface Authority extends Issued {
  /** Issues a certificate of an end entity with a new key. */
  issue(request: CertificateRequest): Issued;
  /** Issues the certificate of an authority below this one. */
  intermediate(request: AuthorityRequest): Authority;
  /** A certificate revocation list, PEM. */
  crl(request?: CrlRequest): string;
}

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
const CERTIFICATE_DAYS = 365;
const AUTHORITY_DAYS = 3650;

/** A date that many days from now. */
export function inDays(days: number): Date {
  return new Date(Date.now() + days * DAY_MS);
}

/** A new self-signed root. */
export function createAuthority(request: AuthorityRequest): Authority {
  const key = keyGenerators[request.keyType ?? 'ec']();
  const subject = encodeName(request.subject);
  return authorityOf(
    issueCertificate({ key, subject, issuer: { key, subject } }, authorityProfile(request)),
    key,
  );
}

/**
 * The authority of a certificate and key that were written earlier.
 * Throws Error when either is not PEM, when they do not belong together, or when nothing can be signed with such a key.
 */
export function loadAuthority(certificatePem: string, keyPem: string): Authority {
  const certificate = new X509Certificate(certificatePem);
  const key = createPrivateKey(keyPem);
  if (!certificate.checkPrivateKey(key))
    throw new Error('the private key does not belong to the certificate');
  signatureAlgorithm(key);
  const serial = BigInt(`0x${certificate.serialNumber}`);
  return authorityOf({ certificate: certificatePem, key: keyPem, der: certificate.raw, serial }, key);
}

function authorityOf(issued: Issued, key: KeyObject): Authority {
  const issuer: Issuer = { key, subject: subjectOf(issued.der) };
  return {
    ...issued,
    issue(request) {
      const leafKey = keyGenerators[request.keyType ?? 'ec']();
      return issueCertificate(
        { key: leafKey, subject: encodeName(request.subject), issuer },
        leafProfile(request),
      );
    },
    intermediate(request) {
      const lowerKey = keyGenerators[request.keyType ?? 'ec']();
      const subject = encodeName(request.subject);
      return authorityOf(
        issueCertificate({ key: lowerKey, subject, issuer }, authorityProfile(request)),
        lowerKey,
      );
    },
    crl: (request = {}) => issueCrl(issuer, request),
  };
}

/** The DER of a certificate's subject, so that what it issues names it byte for byte. */
function subjectOf(der: Uint8Array): Buffer {
  const tbs = new DerReader(der).enter(tags.sequence).enter(tags.sequence);
  if (!tbs.nextIs(tags.integer)) tbs.read(); // version
  // serialNumber, signature, issuer, validity
  for (let skipped = 0; skipped < 4; skipped += 1) tbs.read();
  return Buffer.from(tbs.encodingOf(tbs.read(tags.sequence)));
}

const keyGenerators: Readonly<Record<KeyType, () => KeyObject>> = {
  ec: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey,
  rsa: () => generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey,
  ed25519: () => generateKeyPairSync('ed25519').privateKey,
};

/** What differs between certificates beside their parties. */
interface Profile {
  readonly serial: bigint;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly extensions: readonly RawExtension[];
}

const oids = {
  basicConstraints: '2.5.29.19',
  keyUsage: '2.5.29.15',
  extendedKeyUsage: '2.5.29.37',
  subjectAltName: '2.5.29.17',
  subjectKeyIdentifier: '2.5.29.14',
  authorityKeyIdentifier: '2.5.29.35',
  crlNumber: '2.5.29.20',
} as const;

const purposeOids: Readonly<Record<Purpose, string>> = {
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
};

/** Bits of KeyUsage (RFC 5280 §4.2.1.3). */
const keyUsage = { digitalSignature: 0, keyEncipherment: 2, keyCertSign: 5, crlSign: 6 } as const;

function authorityProfile(request: AuthorityRequest): Profile {
  return {
    ...validity(request, AUTHORITY_DAYS),
    serial: request.serial ?? randomSerial(),
    extensions: [
      { oid: oids.basicConstraints, critical: true, value: sequence(boolean(true)) },
      { oid: oids.keyUsage, critical: true, value: namedBits(keyUsage.keyCertSign, keyUsage.crlSign) },
    ],
  };
}

function leafProfile(request: CertificateRequest): Profile {
  const usages = [
    keyUsage.digitalSignature,
    ...(request.keyType === 'rsa' ? [keyUsage.keyEncipherment] : []),
  ];
  const { purposes, altNames = [] } = request;
  const purposeList = sequence(...purposes.map((purpose) => oid(purposeOids[purpose])));
  return {
    ...validity(request, CERTIFICATE_DAYS),
    serial: request.serial ?? randomSerial(),
    extensions: [
      { oid: oids.basicConstraints, critical: true, value: sequence() },
      { oid: oids.keyUsage, critical: true, value: namedBits(...usages) },
      ...(purposes.length === 0 ? [] : [{ oid: oids.extendedKeyUsage, value: purposeList }]),
      ...(altNames.length === 0 ? [] : [{ oid: oids.subjectAltName, value: encodeAltNames(altNames) }]),
      ...(request.extensions ?? []),
    ],
  };
}

function validity(request: Validity, days: number): Required<Validity> {
  return {
    notBefore: request.notBefore ?? new Date(Date.now() - 5 * MINUTE_MS),
    notAfter: request.notAfter ?? inDays(days),
  };
}

/** 127 bits: positive and, with its header, within the 20 octets of RFC 5280 §4.1.2.2. */
function randomSerial(): bigint {
  return BigInt.asUintN(127, BigInt(`0x${randomBytes(16).toString('hex')}`)) | 1n;
}

interface Issuer {
  readonly key: KeyObject;
  /** DER. */
  readonly subject: Buffer;
}

interface Parties {
  /** The subject's private key. */
  readonly key: KeyObject;
  /** DER. */
  readonly subject: Buffer;
  readonly issuer: Issuer;
}

function issueCertificate({ key, subject, issuer }: Parties, profile: Profile): Issued {
  const extensions = [
    ...profile.extensions,
    { oid: oids.subjectKeyIdentifier, value: octetString(keyIdentifier(key)) },
    authorityKeyIdentifier(issuer),
  ];
  const der = signed(issuer.key, [
    tagged(0, integer(2n)),
    integer(profile.serial),
    signatureAlgorithm(issuer.key),
    issuer.subject,
    sequence(time(profile.notBefore), time(profile.notAfter)),
    subject,
    publicKeyInfo(key),
    tagged(3, sequence(...extensions.map(encodeExtension))),
  ]);
  return {
    certificate: pem('CERTIFICATE', der),
    key: key.export({ type: 'pkcs8', format: 'pem' }),
    der,
    serial: profile.serial,
  };
}

function issueCrl(issuer: Issuer, request: CrlRequest): string {
  const { revoked = [], lastUpdate = new Date(), nextUpdate = inDays(AUTHORITY_DAYS) } = request;
  const entries = revoked.map(({ serial, date }) => sequence(integer(serial), time(date)));
  const extensions = [
    authorityKeyIdentifier(issuer),
    { oid: oids.crlNumber, value: integer(BigInt(Date.now())) },
  ];
  const der = signed(issuer.key, [
    integer(1n),
    signatureAlgorithm(issuer.key),
    issuer.subject,
    time(lastUpdate),
    ...(nextUpdate === null ? [] : [time(nextUpdate)]),
    ...(entries.length === 0 ? [] : [sequence(...entries)]),
    tagged(0, sequence(...extensions.map(encodeExtension))),
  ]);
  return pem('X509 CRL', der);
}

function encodeExtension({ oid: dotted, critical = false, value }: RawExtension): Buffer {
  return sequence(oid(dotted), ...(critical ? [boolean(true)] : []), octetString(value));
}

function authorityKeyIdentifier(issuer: Issuer): RawExtension {
  return { oid: oids.authorityKeyIdentifier, value: sequence(element(0x80, keyIdentifier(issuer.key))) };
}

/** RFC 7093 §2, method 1 taken over the whole SubjectPublicKeyInfo: 160 bits of its SHA-256. */
function keyIdentifier(key: KeyObject): Buffer {
  return createHash('sha256').update(publicKeyInfo(key)).digest().subarray(0, 20);
}

function publicKeyInfo(privateKey: KeyObject): Buffer {
  return createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
}

/** SIGNED{…} of RFC 5280 §4.1.1. */
function signed(key: KeyObject, parts: readonly Buffer[]): Buffer {
  const tbs = sequence(...parts);
  const digest = key.asymmetricKeyType === 'ed25519' ? null : 'sha256';
  return sequence(tbs, signatureAlgorithm(key), bitString(sign(digest, tbs, key)));
}

/** AlgorithmIdentifier by the type of the signing key: ecdsa-with-SHA256, sha256WithRSAEncryption (NULL), Ed25519. */
const signatureAlgorithms: Readonly<Record<string, Buffer>> = {
  ec: sequence(oid('1.2.840.10045.4.3.2')),
  rsa: sequence(oid('1.2.840.113549.1.1.11'), element(0x05)),
  ed25519: sequence(oid('1.3.101.112')),
};

function signatureAlgorithm(key: KeyObject): Buffer {
  const algorithm = signatureAlgorithms[key.asymmetricKeyType ?? ''];
  if (algorithm === undefined) throw new Error('the private key is neither EC, RSA nor Ed25519');
  return algorithm;
}
