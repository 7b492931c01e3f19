// A client certificate judged without a handshake: one that a live session was admitted with, after a reload, or one
// that `explain` was given. New connections are never judged here: OpenSSL does that.

import type { X509Certificate } from 'node:crypto';
import { readCertificateFacts } from './identity.ts';
import type { CrlInUse, TlsMaterial } from './types.ts';
import { verifyError, type VerifyError } from './verify-errors.ts';

/** Extended key usage id-kp-clientAuth and anyExtendedKeyUsage. */
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';
const ANY_PURPOSE = '2.5.29.37.0';

/** Longest chain, leaf and root included. Bundles whose certificates vouch for each other in circles end here. */
const MAX_CHAIN_LENGTH = 10;

/** What a judgement rests on. */
type Authorities = Pick<TlsMaterial, 'authorities' | 'checksRevocation' | 'crls'>;

/**
 * Whether a client certificate would verify now: a chain to a self-signed root of ssl_ca_file, every certificate in
 * its validity, no issuer without a current list and none on one, usable for TLS clients.
 *
 * @param intermediates what the client sent beside its certificate; trusted for nothing
 * @returns null when it verifies, else the reason in OpenSSL's words
 */
export function verifyAgain(
  leaf: X509Certificate,
  intermediates: readonly X509Certificate[],
  material: Authorities,
  now: Date,
): VerifyError | null {
  const chain = findChain([leaf], intermediates, material.authorities);
  if (chain === null) return verifyError('UNABLE_TO_GET_ISSUER_CERT_LOCALLY');
  const usages = leaf.keyUsage as readonly string[] | undefined;
  if (usages !== undefined && !usages.includes(CLIENT_AUTH) && !usages.includes(ANY_PURPOSE)) {
    return verifyError('INVALID_PURPOSE');
  }
  for (const certificate of chain) {
    if (new Date(certificate.validFrom) > now) return verifyError('CERT_NOT_YET_VALID');
    if (new Date(certificate.validTo) < now) return verifyError('CERT_HAS_EXPIRED');
    const objection = material.checksRevocation ? findRevocation(certificate, material.crls, now) : null;
    if (objection !== null) return objection;
  }
  return null;
}

/** The intermediates that came with a certificate in the handshake. */
export function sentIntermediates(leaf: X509Certificate): X509Certificate[] {
  const found: X509Certificate[] = [];
  for (let next = leaf.issuerCertificate; next !== undefined; next = next.issuerCertificate) {
    if (found.length === MAX_CHAIN_LENGTH || next.raw.equals(leaf.raw)) break;
    found.push(next);
    if (isSelfSigned(next)) break;
  }
  return found;
}

/** Every way up is tried: a bundle may hold several certificates of one name, after a change of keys for instance. */
function findChain(
  path: readonly X509Certificate[],
  intermediates: readonly X509Certificate[],
  authorities: readonly X509Certificate[],
): readonly X509Certificate[] | null {
  const last = path.at(-1);
  if (last === undefined) return null;
  const isTrusted = authorities.some((authority) => authority.raw.equals(last.raw));
  if (isTrusted && isSelfSigned(last)) return path;
  if (path.length === MAX_CHAIN_LENGTH) return null;
  for (const candidate of [...authorities, ...intermediates]) {
    if (!candidate.ca || path.includes(candidate)) continue;
    if (!last.checkIssued(candidate) || !last.verify(candidate.publicKey)) continue;
    const chain = findChain([...path, candidate], intermediates, authorities);
    if (chain !== null) return chain;
  }
  return null;
}

function isSelfSigned(certificate: X509Certificate): boolean {
  return certificate.checkIssued(certificate) && certificate.verify(certificate.publicKey);
}

function findRevocation(
  certificate: X509Certificate,
  crls: readonly CrlInUse[],
  now: Date,
): VerifyError | null {
  const { issuerDn } = readCertificateFacts(certificate.raw);
  const lists = crls.filter((crl) => crl.issuerDn === issuerDn);
  if (lists.length === 0) return verifyError('UNABLE_TO_GET_CRL');
  const serial = certificate.serialNumber.toLowerCase().replace(/^0+(?=.)/, '');
  if (lists.some(({ revokedSerials }) => revokedSerials.has(serial))) return verifyError('CERT_REVOKED');
  const isCurrent = ({ nextUpdate }: CrlInUse): boolean => nextUpdate === null || nextUpdate > now;
  return lists.some(isCurrent) ? null : verifyError('CRL_HAS_EXPIRED');
}
