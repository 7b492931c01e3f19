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

/** From one moment to a later one: whatever is in force at some moment of it is in force. */
export interface Span {
  readonly from: Date;
  readonly to: Date;
}

/**
 * Whether a client certificate would verify: a chain to a self-signed root of ssl_ca_file, every certificate in its
 * validity, no issuer without a current list and none on one, usable for TLS clients.
 *
 * @param intermediates what the client sent beside its certificate; trusted for nothing
 * @param span now; or, for who has been verified before, since then
 * @returns null when it verifies, else the reason in OpenSSL's words
 */
export function verifyAgain(
  leaf: X509Certificate,
  intermediates: readonly X509Certificate[],
  material: Authorities,
  span: Span,
): VerifyError | null {
  const candidates = [...material.authorities, ...intermediates];
  const inForce = candidates.filter((certificate) => isInForce(certificate, span));
  // As OpenSSL does: of several certificates for a CA's one key, one that is in force comes first.
  const chain = findChain([leaf], [...new Set([...inForce, ...candidates])], material.authorities);
  if (chain === null) return verifyError('UNABLE_TO_GET_ISSUER_CERT_LOCALLY');
  const usages = leaf.keyUsage as readonly string[] | undefined;
  if (usages !== undefined && !usages.includes(CLIENT_AUTH) && !usages.includes(ANY_PURPOSE)) {
    return verifyError('INVALID_PURPOSE');
  }
  for (const certificate of chain) {
    if (isEarly(certificate, span)) return verifyError('CERT_NOT_YET_VALID');
    if (isOver(certificate, span)) return verifyError('CERT_HAS_EXPIRED');
    const objection = material.checksRevocation ? findRevocation(certificate, material.crls, span) : null;
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

function isEarly(certificate: X509Certificate, { to }: Span): boolean {
  return new Date(certificate.validFrom) > to;
}

function isOver(certificate: X509Certificate, { from }: Span): boolean {
  return new Date(certificate.validTo) < from;
}

function isInForce(certificate: X509Certificate, span: Span): boolean {
  return !isEarly(certificate, span) && !isOver(certificate, span);
}

/** Every way up is tried: a bundle may hold several certificates of one name, after a change of keys for instance. */
function findChain(
  path: readonly X509Certificate[],
  candidates: readonly X509Certificate[],
  authorities: readonly X509Certificate[],
): readonly X509Certificate[] | null {
  const last = path.at(-1);
  if (last === undefined) return null;
  const isTrusted = authorities.some((authority) => authority.raw.equals(last.raw));
  if (isTrusted && isSelfSigned(last)) return path;
  if (path.length === MAX_CHAIN_LENGTH) return null;
  for (const candidate of candidates) {
    if (!candidate.ca || path.includes(candidate)) continue;
    if (!last.checkIssued(candidate) || !last.verify(candidate.publicKey)) continue;
    const chain = findChain([...path, candidate], candidates, authorities);
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
  { from }: Span,
): VerifyError | null {
  const { issuerDn } = readCertificateFacts(certificate.raw);
  const lists = crls.filter((crl) => crl.issuerDn === issuerDn);
  if (lists.length === 0) return verifyError('UNABLE_TO_GET_CRL');
  const serial = certificate.serialNumber.toLowerCase().replace(/^0+(?=.)/, '');
  if (lists.some(({ revokedSerials }) => revokedSerials.has(serial))) return verifyError('CERT_REVOKED');
  const isCurrent = ({ nextUpdate }: CrlInUse): boolean => nextUpdate === null || nextUpdate > from;
  return lists.some(isCurrent) ? null : verifyError('CRL_HAS_EXPIRED');
}
