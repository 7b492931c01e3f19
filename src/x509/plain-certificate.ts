// What decides whether OpenSSL takes a certificate into a client's chain, where its extensions are of the usual kinds.
// Only for saying which certificate a failed verification was about.

import type { X509Certificate } from 'node:crypto';
import { decodeOid, decodeTime, DerReader, tags } from './der.ts';
import { canonicalName } from './name-hash.ts';

/** Something that needs interpretation: then nothing is certain. */
export class NotPlain extends Error {}

export interface PlainFacts {
  readonly certificate: X509Certificate;
  readonly issuerName: Buffer;
  readonly isSelfIssued: boolean;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** OpenSSL's X509_check_ca says yes. */
  readonly isCa: boolean;
  /** Null: any. */
  readonly pathLength: number | null;
  /** Key usage and extended key usage allow the part that it plays for TLS clients. */
  readonly fitsClients: boolean;
  readonly signsLists: boolean;
  readonly hasUnknownCritical: boolean;
}

const VERSION = 0xa0;
const EXTENSIONS = 0xa3;

const KEY_USAGE = '2.5.29.15';
const BASIC_CONSTRAINTS = '2.5.29.19';
const EXTENDED_KEY_USAGE = '2.5.29.37';
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';
const ANY_PURPOSE = '2.5.29.37.0';

/** Those that OpenSSL takes when they are critical, of those that need no interpretation here. */
const MAY_BE_CRITICAL: ReadonlySet<string> = new Set([
  KEY_USAGE,
  BASIC_CONSTRAINTS,
  EXTENDED_KEY_USAGE,
  '2.5.29.17', // subjectAltName
  '2.5.29.31', // cRLDistributionPoints
  '2.5.29.32', // certificatePolicies
]);

/** Name and policy constraints, resources of the internet, proxies, Netscape's types: they need interpretation. */
const NEED_INTERPRETATION =
  /^(2\.5\.29\.(30|33|36|54)|2\.16\.840\.1\.113730\.1\.1|1\.3\.6\.1\.5\.5\.7\.1\.(7|8|14|28|29))$/;

/** Bits of keyUsage, counted from its first octet's highest. */
const DIGITAL_SIGNATURE = 0x80;
const KEY_AGREEMENT = 0x08;
const CERT_SIGN = 0x04;
const CRL_SIGN = 0x02;

/** SHA-2 with RSA, ECDSA and Ed25519: signatures that no security level up to 2 finds weak. */
const STRONG_SIGNATURES: ReadonlySet<string> = new Set([
  '1.2.840.113549.1.1.11',
  '1.2.840.113549.1.1.12',
  '1.2.840.113549.1.1.13',
  '1.2.840.10045.4.3.2',
  '1.2.840.10045.4.3.3',
  '1.2.840.10045.4.3.4',
  '1.3.101.112',
]);

const USUAL_CURVES: ReadonlySet<string> = new Set(['prime256v1', 'secp384r1', 'secp521r1']);
const MIN_RSA_BITS = 2048;
const MAX_RSA_BITS = 4096;

/** Throws NotPlain or DerError where OpenSSL may see something else in it. */
export function readPlainFacts(certificate: X509Certificate, depth: number): PlainFacts {
  if (!hasUsualKey(certificate)) throw new NotPlain('an unusual key');
  const tbs = new DerReader(certificate.raw).enter(tags.sequence).enter(tags.sequence);
  const isVersion1 = !tbs.nextIs(VERSION);
  if (!isVersion1) tbs.read();
  tbs.read(tags.integer);
  if (!STRONG_SIGNATURES.has(decodeOid(tbs.enter(tags.sequence).contents(tags.oid))))
    throw new NotPlain('an unusual signature');
  const issuerName = canonicalName(tbs.encodingOf(tbs.read(tags.sequence)));
  const validity = tbs.enter(tags.sequence);
  const [notBefore, notAfter] = [decodeTime(validity), decodeTime(validity)];
  const isSelfIssued = canonicalName(tbs.encodingOf(tbs.read(tags.sequence))).equals(issuerName);
  tbs.read(tags.sequence);
  const extensions = tbs.nextIs(EXTENSIONS)
    ? readExtensions(tbs.enter(EXTENSIONS))
    : new Map<string, Extension>();
  const usage = keyUsageOf(extensions.get(KEY_USAGE));
  const constraints = constraintsOf(extensions.get(BASIC_CONSTRAINTS));
  const allows = (bits: number): boolean => usage === null || (usage & bits) !== 0;
  const looksLikeCa =
    constraints === null ? (isVersion1 && isSelfIssued) || usage !== null : constraints.isCa;
  return {
    certificate,
    issuerName,
    isSelfIssued,
    notBefore,
    notAfter,
    isCa: allows(CERT_SIGN) && looksLikeCa,
    pathLength: constraints?.pathLength ?? null,
    fitsClients:
      isForClients(extensions.get(EXTENDED_KEY_USAGE)) &&
      (depth > 0 || allows(DIGITAL_SIGNATURE | KEY_AGREEMENT)),
    signsLists: allows(CRL_SIGN),
    hasUnknownCritical: [...extensions].some(([id, { critical }]) => critical && !MAY_BE_CRITICAL.has(id)),
  };
}

function hasUsualKey({ publicKey }: X509Certificate): boolean {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details = {} } = publicKey;
  if (type === 'rsa') {
    const bits = details.modulusLength ?? 0;
    return bits >= MIN_RSA_BITS && bits <= MAX_RSA_BITS;
  }
  return type === 'ed25519' || (type === 'ec' && USUAL_CURVES.has(details.namedCurve ?? ''));
}

interface Extension {
  readonly critical: boolean;
  readonly value: Uint8Array;
}

function readExtensions(wrapper: DerReader): Map<string, Extension> {
  const list = wrapper.enter(tags.sequence);
  const extensions = new Map<string, Extension>();
  while (!list.atEnd) {
    const extension = list.enter(tags.sequence);
    const id = decodeOid(extension.contents(tags.oid));
    const critical = extension.nextIs(tags.boolean) && extension.contents(tags.boolean)[0] !== 0;
    const value = extension.contents(tags.octetString);
    if (NEED_INTERPRETATION.test(id) || extensions.has(id)) throw new NotPlain('an unusual extension');
    extensions.set(id, { critical, value });
  }
  return extensions;
}

function keyUsageOf(extension: Extension | undefined): number | null {
  if (extension === undefined) return null;
  return new DerReader(extension.value).contents(tags.bitString)[1] ?? 0;
}

function constraintsOf(
  extension: Extension | undefined,
): { readonly isCa: boolean; readonly pathLength: number | null } | null {
  if (extension === undefined) return null;
  const sequence = new DerReader(extension.value).enter(tags.sequence);
  const isCa = sequence.nextIs(tags.boolean) && sequence.contents(tags.boolean)[0] !== 0;
  if (sequence.atEnd) return { isCa, pathLength: null };
  const [length = 0, ...more] = sequence.contents(tags.integer);
  if (more.length > 0 || length >= 0x80 || !isCa) throw new NotPlain('an unusual path length');
  return { isCa, pathLength: length };
}

function isForClients(extension: Extension | undefined): boolean {
  if (extension === undefined) return true;
  const purposes = new DerReader(extension.value).enter(tags.sequence);
  const ids: string[] = [];
  while (!purposes.atEnd) ids.push(decodeOid(purposes.contents(tags.oid)));
  // OpenSSL takes anyExtendedKeyUsage for no purpose but its own.
  if (ids.includes(ANY_PURPOSE)) throw new NotPlain('any purpose');
  return ids.includes(CLIENT_AUTH);
}
