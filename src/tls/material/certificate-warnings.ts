// What the log says about certificates and revocation lists that load, and will be trouble: at start, at every reload,
// and once a day.

import type { X509Certificate } from 'node:crypto';
import { CERTIFICATE_WARNED_MS, isInLastThird } from '../../base/last-third.ts';
import type { Problem } from '../../base/problems.ts';
import { endPointDigest } from '../../x509/end-point.ts';
import type { CertificateInUse, CrlInUse } from '../types.ts';

const HOUR_MS = 60 * 60 * 1000;
const DAY_MS = 24 * HOUR_MS;

const roleNames: Readonly<Record<CertificateInUse['role'], string>> = {
  server: 'server certificate',
  ca: 'CA certificate',
};

/** The warnings of both kinds by a clock. */
export function timeWarnings(
  {
    certificates,
    crls,
  }: { readonly certificates: readonly CertificateInUse[]; readonly crls: readonly CrlInUse[] },
  now: Date,
): Problem[] {
  return [...validityWarnings(certificates, now), ...revocationWarnings(crls, now)];
}

/**
 * One warning for each certificate that is not valid at `now`, or is in the last third of its life, 30 days at most.
 *
 * @internal for tests
 */
export function validityWarnings(certificates: readonly CertificateInUse[], now: Date): Problem[] {
  return certificates.flatMap((certificate) => {
    const state = validityState(certificate, now);
    if (state === null) return [];
    const message = `${roleNames[certificate.role]} "${certificate.subject}" ${state}`;
    // No client that verifies the server gets in with an expired certificate (contract §7.26).
    const keepsAllOut = certificate.role === 'server' && certificate.notAfter < now;
    return [{ file: certificate.file, line: null, message, ...(keepsAllOut ? { level: 'error' } : {}) }];
  });
}

function validityState({ notBefore, notAfter }: CertificateInUse, now: Date): string | null {
  const remainingMs = notAfter.getTime() - now.getTime();
  if (remainingMs < 0) return `has expired on ${notAfter.toISOString()}`;
  if (notBefore > now) return `is not valid before ${notBefore.toISOString()}`;
  if (!isInLastThird({ from: notBefore, to: notAfter }, now, CERTIFICATE_WARNED_MS)) return null;
  const left =
    remainingMs < 2 * DAY_MS
      ? `${Math.floor(remainingMs / HOUR_MS)} hours`
      : `${Math.floor(remainingMs / DAY_MS)} days`;
  return `expires on ${notAfter.toISOString()}, in ${left}`;
}

/** Revocation lists are warned of in the last third of their life, this long before their nextUpdate at most. */
const CRL_WARNED_MS = 3 * DAY_MS;

/**
 * One warning for each list that has expired at `now`, or will soon: then no client of its issuer gets in.
 *
 * @internal for tests
 */
export function revocationWarnings(crls: readonly CrlInUse[], now: Date): Problem[] {
  return crls.flatMap(({ file, issuer, lastUpdate, nextUpdate }) => {
    if (nextUpdate === null) return [];
    const remainingMs = nextUpdate.getTime() - now.getTime();
    if (!isInLastThird({ from: lastUpdate, to: nextUpdate }, now, CRL_WARNED_MS)) return [];
    const state =
      remainingMs < 0
        ? `has expired on ${nextUpdate.toISOString()}`
        : `expires on ${nextUpdate.toISOString()}, in ${Math.floor(remainingMs / HOUR_MS)} hours`;
    const message = `certificate revocation list of "${issuer}" ${state}`;
    const hint = 'From then on every client with a certificate of this issuer is refused.';
    return [{ file, line: null, message, hint }];
  });
}

/**
 * SCRAM's tls-server-end-point channel binding hashes the certificate with its signature's digest (semantics §2.14),
 * and some signatures have none: clients with channel_binding=require would fail, some others as well.
 */
export function channelBindingWarnings(leaf: X509Certificate, file: string): Problem[] {
  if (endPointDigest(leaf.raw) !== null) return [];
  const algorithm = leaf.signatureAlgorithm ?? 'an unknown algorithm';
  const message = `server certificate is signed with ${algorithm.toUpperCase()}, for which channel binding has no hash`;
  return [{ file, line: null, message, hint: 'Use a certificate that is signed with ECDSA or RSA.' }];
}
