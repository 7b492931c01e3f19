// tls-server-end-point (RFC 5929 §4.1): the digest of the server's certificate that SCRAM-SHA-256-PLUS binds to.

import { createHash } from 'node:crypto';

/** Digests by the OID of the signature algorithm. MD5 and SHA-1 are replaced by SHA-256, as the RFC says. */
const DIGESTS: Readonly<Record<string, string>> = {
  '1.2.840.113549.1.1.4': 'sha256', // md5WithRSAEncryption
  '1.2.840.113549.1.1.5': 'sha256', // sha1WithRSAEncryption
  '1.2.840.113549.1.1.14': 'sha224',
  '1.2.840.113549.1.1.11': 'sha256',
  '1.2.840.113549.1.1.12': 'sha384',
  '1.2.840.113549.1.1.13': 'sha512',
  '1.2.840.10040.4.3': 'sha256', // dsa-with-sha1
  '2.16.840.1.101.3.4.3.2': 'sha256', // dsa-with-sha256
  '1.2.840.10045.4.1': 'sha256', // ecdsa-with-SHA1
  '1.2.840.10045.4.3.1': 'sha224',
  '1.2.840.10045.4.3.2': 'sha256',
  '1.2.840.10045.4.3.3': 'sha384',
  '1.2.840.10045.4.3.4': 'sha512',
};

/** Digests by their own OID, as RSASSA-PSS names them in its parameters. */
const PSS_DIGESTS: Readonly<Record<string, string>> = {
  '1.3.14.3.2.26': 'sha256', // SHA-1
  '2.16.840.1.101.3.4.2.4': 'sha224',
  '2.16.840.1.101.3.4.2.1': 'sha256',
  '2.16.840.1.101.3.4.2.2': 'sha384',
  '2.16.840.1.101.3.4.2.3': 'sha512',
};

const RSASSA_PSS = '1.2.840.113549.1.1.10';

/** How a certificate is signed. */
export interface SignatureAlgorithm {
  readonly oid: string;
  /** The digest's OID in the parameters of RSASSA-PSS; null = the default, SHA-1. */
  readonly pssDigest: string | null;
}

/**
 * The certificate's end point, or null where its signature has no digest (Ed25519, Ed448) or one that is not known: PLUS
 * is then not offered, because libpq fails on it even where it only prefers binding (login.md §4).
 *
 * @param der the server's leaf certificate
 */
export function serverEndPoint(der: Buffer, { oid, pssDigest }: SignatureAlgorithm): Buffer | null {
  const digest = oid === RSASSA_PSS ? PSS_DIGESTS[pssDigest ?? '1.3.14.3.2.26'] : DIGESTS[oid];
  return digest === undefined ? null : createHash(digest).update(der).digest();
}
