// The closed sets that label values come from (contract §6). Nothing a peer chooses becomes a label unless it is in one.

import { getCiphers } from 'node:tls';
import { codes } from '../base/codes.ts';
import type { Code } from '../base/codes.ts';

/** How a connection ended: relayed, or answered by the console; or one code of codes.ts. */
export type Outcome = 'relayed' | Code;

/** What became of a CancelRequest (contract §7.12). */
export type CancelOutcome = (typeof cancelOutcomes)[number];

export const outcomes: readonly string[] = ['relayed', ...Object.keys(codes)];
export const cancelOutcomes = ['forwarded', 'unknown-key', 'too-many', 'refused', 'upstream-failed'] as const;
export const directions = ['to_client', 'to_upstream'] as const;
export const reloadResults = ['success', 'failure'] as const;

/** These codes are the rules', not TLS's: the certificate has verified and does not fit the rule. */
const ruleCodes = [
  'client-cert-required',
  'client-cert-no-root',
  'client-cert-no-name',
  'client-cert-name-mismatch',
];

/** The codes that `tls_failures_total` counts: the handshake's, and those of a certificate that does not verify. */
export const tlsFailureCodes: ReadonlySet<string> = new Set(
  Object.keys(codes).filter(
    (code) => /^(direct-)?tls-/.test(code) || (code.startsWith('client-cert-') && !ruleCodes.includes(code)),
  ),
);

// SECURITY: a series for each string that a peer chooses would fill the memory.
const versions: ReadonlySet<string> = new Set(['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3']);
const ciphers: ReadonlySet<string> = new Set(getCiphers());

/** A protocol version as OpenSSL names it, else `other`. */
export function versionLabel(version: string): string {
  return versions.has(version) ? version : 'other';
}

/** A cipher as OpenSSL names it (Node lists them in lower case), else `other`. */
export function cipherLabel(cipher: string): string {
  return ciphers.has(cipher.toLowerCase()) ? cipher : 'other';
}
