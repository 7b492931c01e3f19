// tls-server-end-point (RFC 5929 §4.1): the digest of the server's certificate that SCRAM-SHA-256-PLUS binds to. The digest
// is that of the certificate's signature.

import { createHash } from 'node:crypto';
import { DerError } from './der.ts';
import { readCertificateSignature } from './signature-algorithm.ts';

/** Digests by the OID of the signature algorithm. MD5 and SHA-1 are replaced by SHA-256, as the RFC says. */
const DIGESTS: Readonly<Record<string, string>> = {
  '1.2.840.113549.1.1.4': 'sha256', // md5WithRSAEncryption
  '1.2.840.113549.1.1.5': 'sha256', // sha1WithRSAEncryption
  '1.2.840.113549.1.1.14': 'sha224',
  '1.2.840.113549.1.1.11': 'sha256',
  '1.2.840.113549.1.1.12': 'sha384',
  '1.2.840.113549.1.1.13': 'sha512',
  '2.16.840.1.101.3.4.3.13': 'sha3-224', // id-rsassa-pkcs1-v1_5-with-sha3-224
  '2.16.840.1.101.3.4.3.14': 'sha3-256',
  '2.16.840.1.101.3.4.3.15': 'sha3-384',
  '2.16.840.1.101.3.4.3.16': 'sha3-512',
  '1.2.840.10040.4.3': 'sha256', // dsa-with-sha1
  '2.16.840.1.101.3.4.3.2': 'sha256', // dsa-with-sha256
  '1.2.840.10045.4.1': 'sha256', // ecdsa-with-SHA1
  '1.2.840.10045.4.3.1': 'sha224',
  '1.2.840.10045.4.3.2': 'sha256',
  '1.2.840.10045.4.3.3': 'sha384',
  '1.2.840.10045.4.3.4': 'sha512',
  '2.16.840.1.101.3.4.3.9': 'sha3-224', // ecdsa-with-SHA3-224
  '2.16.840.1.101.3.4.3.10': 'sha3-256',
  '2.16.840.1.101.3.4.3.11': 'sha3-384',
  '2.16.840.1.101.3.4.3.12': 'sha3-512',
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

/**
 * The name of the digest, or null where the signature has none (Ed25519, Ed448, ML-DSA) or one that is not known: PLUS is
 * then not offered, because libpq fails on it even where it only prefers binding (login.md §4).
 *
 * @param der the server's leaf certificate
 */
export function endPointDigest(der: Uint8Array): string | null {
  try {
    const { oid, pssDigest } = readCertificateSignature(der);
    const digest = oid === RSASSA_PSS ? PSS_DIGESTS[pssDigest ?? '1.3.14.3.2.26'] : DIGESTS[oid];
    return digest ?? null;
  } catch (error) {
    // Without PLUS clients that demand channel binding stay out; none is told a wrong digest.
    if (error instanceof DerError) return null;
    throw error;
  }
}

/** The certificate's end point; null where there is none. */
export function serverEndPoint(der: Uint8Array): Buffer | null {
  const digest = endPointDigest(der);
  return digest === null ? null : createHash(digest).update(der).digest();
}
