// A certificate as log lines show it, in one form whether it was accepted or not.

import type { CertificateFacts } from '../x509/types.ts';
/** Subject and issuer in PostgreSQL's log form, decimal serial, SHA-256 fingerprint. */
export function certificateFields({
  subject,
  issuer,
  serial,
  fingerprint,
}: CertificateFacts): Record<string, string> {
  return { subject, issuer, serial, fingerprint };
}
