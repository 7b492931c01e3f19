// What the log says about certificates that load, and will be trouble: at start and at every reload.

import type { X509Certificate } from 'node:crypto';
import type { Problem } from '../errors.ts';
import type { CertificateInUse } from './types.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

/** Certificates that end sooner are warned of. */
const WARNED_DAYS = 30;

const roleNames: Readonly<Record<CertificateInUse['role'], string>> = {
  server: 'server certificate',
  ca: 'CA certificate',
};

/** One warning for each certificate that is not valid at `now`, or will not be in 30 days. */
export function validityWarnings(certificates: readonly CertificateInUse[], now: Date): Problem[] {
  return certificates.flatMap((certificate) => {
    const state = validityState(certificate, now);
    const message = `${roleNames[certificate.role]} "${certificate.subject}" ${state}`;
    return state === null ? [] : [{ file: certificate.file, line: null, message }];
  });
}

function validityState({ notBefore, notAfter }: CertificateInUse, now: Date): string | null {
  const remainingMs = notAfter.getTime() - now.getTime();
  if (remainingMs < 0) return `has expired on ${notAfter.toISOString()}`;
  if (notBefore > now) return `is not valid before ${notBefore.toISOString()}`;
  if (remainingMs >= WARNED_DAYS * DAY_MS) return null;
  return `expires on ${notAfter.toISOString()}, in ${Math.floor(remainingMs / DAY_MS)} days`;
}

const NO_DIGEST = /^ed(25519|448)$/i;

/**
 * SCRAM's tls-server-end-point channel binding hashes the certificate with its signature's digest (semantics §2.14),
 * and these signatures have none: clients with channel_binding=require would fail, some others as well.
 */
export function channelBindingWarnings(leaf: X509Certificate, file: string): Problem[] {
  const algorithm = leaf.signatureAlgorithm ?? '';
  if (!NO_DIGEST.test(algorithm)) return [];
  const message = `server certificate is signed with ${algorithm.toUpperCase()}, for which channel binding has no hash`;
  return [{ file, line: null, message, hint: 'Use a certificate that is signed with ECDSA or RSA.' }];
}
