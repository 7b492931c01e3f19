// Where a client certificate becomes facts: once a certificate, from its DER and nothing else. The only place
// that makes a ClientIdentity; a certificate that cannot be read to its last byte yields none.

import type { CertificateNames, CertificateFacts, ClientIdentity } from './types.ts';
import { hash } from 'node:crypto';
import { fromBytes } from '../base/bytestring.ts';
import type { ByteString } from '../base/bytestring.ts';
import { GatehouseError } from '../base/errors.ts';
import { decodeInteger, decodeOid, decodeTime, DerError, DerReader, tags } from './der.ts';
import { commonName, formatForLog, formatForStatistics, formatRfc2253, readName } from './name.ts';
import type { DistinguishedName } from './name.ts';

/** SECURITY: exported as a type only, so that nothing elsewhere can make an object that passes for a ClientIdentity. */
const verified: unique symbol = Symbol('verified');
export type { verified };

/** OpenSSL takes no longer certificate chain from a peer (SSL_MAX_CERT_LIST_DEFAULT). */
const MAX_CERTIFICATE_BYTES = 100 * 1024;
/** A longer serial is not printed: RFC 5280 §4.1.2.2 allows 20 bytes, some authorities use more. */
const MAX_PRINTED_SERIAL_BYTES = 512;
/** A rule with clientname=URI, DNS or EMAIL tries every entry. A certificate with more has none for such rules. */
const MAX_ALT_NAMES = 1024;

/** The part of a certificate that is read. */
interface Certificate {
  /** Contents of the INTEGER. */
  readonly serial: Uint8Array;
  readonly issuer: DistinguishedName;
  readonly subject: DistinguishedName;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** Contents of each subjectAltName extension. */
  readonly altNames: readonly Uint8Array[];
}

type AltNames = Pick<CertificateNames, 'uri' | 'dns' | 'email'>;

/**
 * What logs, /certificates and metrics say of a certificate, verified or not (semantics §2.9, §2.12).
 * Throws GatehouseError `client-cert-invalid` when `der` is not one well-formed certificate.
 */
export function readCertificateFacts(der: Uint8Array): CertificateFacts {
  return refusingMalformed(() => factsOf(readCertificate(der), sha256(der)));
}

/**
 * The names and facts of a client certificate. SECURITY: call it only for a certificate that TLS has verified;
 * holding its result is what counts as proof everywhere else.
 * Throws GatehouseError `client-cert-nul-in-name` (semantics §2.11, contract §7.8) and `client-cert-invalid`.
 */
export function verifiedIdentity(der: Uint8Array): ClientIdentity {
  const fingerprint = sha256(der);
  const identity = remembered.get(fingerprint) ?? readIdentity(der, fingerprint);
  // Taken out and in again, it is the latest; a Map's first is the one that was not asked for the longest.
  remembered.delete(fingerprint);
  remembered.set(fingerprint, identity);
  if (remembered.size > MAX_REMEMBERED) remembered.delete(remembered.keys().next().value ?? '');
  return identity;
}

/** A client comes again and again with the certificate it has; its sessions then share one identity. */
const MAX_REMEMBERED = 256;
/** By SHA-256 of the whole DER. What is in it depends on nothing but the DER: a reload changes none of it. */
const remembered = new Map<string, ClientIdentity>();

function readIdentity(der: Uint8Array, fingerprint: string): ClientIdentity {
  return refusingMalformed(() => {
    const certificate = readCertificate(der);
    const facts = Object.freeze({
      ...factsOf(certificate, fingerprint),
      subjectName: formatForStatistics(certificate.subject),
      issuerName: formatForStatistics(certificate.issuer),
    });
    const cn = commonName(certificate.subject);
    // SECURITY: `postgres\0.example` must not pass for `postgres` in anything after this gate that ends strings at NUL.
    if (cn?.includes('\0') === true) throw nulInCommonName();
    const names = namesOf(cn, facts.subjectDn, certificate.altNames);
    const identity: ClientIdentity = { [verified]: true, names, facts };
    return Object.freeze(identity);
  });
}

/** Alternative names are read when a rule asks for them: what is odd about them concerns no other rule. */
function namesOf(
  cn: ByteString | null,
  subjectDn: string,
  extensions: readonly Uint8Array[],
): CertificateNames {
  let altNames: AltNames | null = null;
  const read = (): AltNames => (altNames ??= altNamesOf(extensions));
  return Object.freeze({
    cn,
    dn: subjectDn === '' ? null : subjectDn,
    get uri() {
      return read().uri;
    },
    get dns() {
      return read().dns;
    },
    get email() {
      return read().email;
    },
  });
}

function nulInCommonName(): GatehouseError {
  return new GatehouseError('client-cert-nul-in-name', {
    reply: 'client certificate verification failed: common name contains embedded null',
    message: "SSL certificate's common name contains embedded null",
  });
}

function refusingMalformed<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof DerError)) throw error;
    throw new GatehouseError('client-cert-invalid', {
      reply: 'client certificate verification failed: malformed certificate',
      message: `could not read SSL certificate: ${error.message}`,
      cause: error,
    });
  }
}

/** In hexadecimal. */
function sha256(der: Uint8Array): string {
  return hash('sha256', der, 'hex');
}

function factsOf(certificate: Certificate, fingerprint: string): CertificateFacts {
  return Object.freeze({
    subject: formatForLog(certificate.subject),
    issuer: formatForLog(certificate.issuer),
    subjectDn: formatRfc2253(certificate.subject),
    issuerDn: formatRfc2253(certificate.issuer),
    serial: printedSerial(certificate.serial),
    notBefore: certificate.notBefore,
    notAfter: certificate.notAfter,
    fingerprint: fingerprint.replace(/..(?!$)/g, '$&:'),
  });
}

/** Context tags of TBSCertificate (RFC 5280 §4.1). */
const VERSION = 0xa0;
const ISSUER_UNIQUE_ID = 0x81;
const SUBJECT_UNIQUE_ID = 0x82;
const EXTENSIONS = 0xa3;

function readCertificate(der: Uint8Array): Certificate {
  if (der.length > MAX_CERTIFICATE_BYTES) throw new DerError('certificate is too long');
  const file = new DerReader(der);
  const outer = file.enter(tags.sequence);
  file.finish();
  const tbs = outer.enter(tags.sequence);
  outer.read(tags.sequence); // signatureAlgorithm
  outer.read(tags.bitString); // signatureValue
  outer.finish();

  if (tbs.nextIs(VERSION)) tbs.read();
  const serial = tbs.contents(tags.integer);
  tbs.read(tags.sequence); // signature
  const issuer = readName(tbs);
  const validity = tbs.enter(tags.sequence);
  const notBefore = decodeTime(validity);
  const notAfter = decodeTime(validity);
  validity.finish();
  const subject = readName(tbs);
  tbs.read(tags.sequence); // subjectPublicKeyInfo
  if (tbs.nextIs(ISSUER_UNIQUE_ID)) tbs.read();
  if (tbs.nextIs(SUBJECT_UNIQUE_ID)) tbs.read();
  const altNames = tbs.nextIs(EXTENSIONS) ? readExtensions(tbs.enter(EXTENSIONS)) : [];
  tbs.finish();
  return { serial, issuer, subject, notBefore, notAfter, altNames };
}

const SUBJECT_ALT_NAME = '2.5.29.17';
const noAltNames: AltNames = Object.freeze({ uri: [], dns: [], email: [] });

/** Contents of each subjectAltName extension. */
function readExtensions(wrapper: DerReader): Uint8Array[] {
  const extensions = wrapper.enter(tags.sequence);
  wrapper.finish();
  const altNames: Uint8Array[] = [];
  while (!extensions.atEnd) {
    const extension = extensions.enter(tags.sequence);
    const oid = decodeOid(extension.contents(tags.oid));
    if (extension.nextIs(tags.boolean)) extension.read();
    const value = extension.contents(tags.octetString);
    extension.finish();
    if (oid === SUBJECT_ALT_NAME) altNames.push(value);
  }
  return altNames;
}

/** None where they cannot be read to the last byte: then a rule that reads them admits nobody. */
function altNamesOf([extension, another]: readonly Uint8Array[]): AltNames {
  // SECURITY: RFC 5280 §4.2 forbids a second one; which of the two counts must not be a matter of taste.
  if (extension === undefined || another !== undefined) return noAltNames;
  try {
    return readAltNames(new DerReader(extension));
  } catch (error) {
    if (error instanceof DerError) return noAltNames;
    throw error;
  }
}

/** Decimal, as PostgreSQL prints it. A stranger's certificate may have one of many kilobytes, which nobody reads. */
function printedSerial(contents: Uint8Array): string {
  if (contents.length > MAX_PRINTED_SERIAL_BYTES) return `(${contents.length} bytes)`;
  return decodeInteger(contents, MAX_PRINTED_SERIAL_BYTES).toString();
}

/** Context tags of GeneralName (RFC 5280 §4.2.1.6), of the types that `clientname` reads. */
const altNameTypes: ReadonlyMap<number, keyof AltNames> = new Map([
  [0x81, 'email'],
  [0x82, 'dns'],
  [0x86, 'uri'],
]);

/** Entries by type, raw bytes. An entry that is empty or holds a NUL does not count as a name (contract §3). */
function readAltNames(value: DerReader): AltNames {
  const entries = value.enter(tags.sequence);
  value.finish();
  const altNames: Record<keyof AltNames, ByteString[]> = { uri: [], dns: [], email: [] };
  for (let count = 0; !entries.atEnd; count += 1) {
    if (count === MAX_ALT_NAMES) throw new DerError('too many subjectAltName entries');
    const entry = entries.read();
    const type = altNameTypes.get(entry.tag);
    if (type === undefined) continue;
    const name = fromBytes(entries.contentsOf(entry));
    // SECURITY: as for the common name, a name must end where a reader of C strings sees its end.
    if (name !== '' && !name.includes('\0')) altNames[type].push(name);
  }
  return altNames;
}
