// How a certificate is signed: the digest of its signature is the one that channel binding hashes it with (RFC 5929 §4.1).

import { decodeOid, DerReader, tags } from './der.ts';

/** How a certificate is signed. */
export interface CertificateSignature {
  readonly oid: string;
  /** The digest's OID in the parameters of RSASSA-PSS; null = the default, SHA-1, or another algorithm. */
  readonly pssDigest: string | null;
}

const RSASSA_PSS = '1.2.840.113549.1.1.10';
/** hashAlgorithm [0] in RSASSA-PSS-params (RFC 4055 §3.1). */
const HASH_ALGORITHM = 0xa0;

/**
 * Reads the signatureAlgorithm of a certificate.
 *
 * @param der the certificate
 * @throws DerError
 */
export function readCertificateSignature(der: Uint8Array): CertificateSignature {
  const certificate = new DerReader(der).enter(tags.sequence);
  certificate.read(tags.sequence);
  const algorithm = certificate.enter(tags.sequence);
  const oid = decodeOid(algorithm.contents(tags.oid));
  if (oid !== RSASSA_PSS || !algorithm.nextIs(tags.sequence)) return { oid, pssDigest: null };
  const parameters = algorithm.enter(tags.sequence);
  if (!parameters.nextIs(HASH_ALGORITHM)) return { oid, pssDigest: null };
  const hash = parameters.enter(HASH_ALGORITHM).enter(tags.sequence);
  return { oid, pssDigest: decodeOid(hash.contents(tags.oid)) };
}
