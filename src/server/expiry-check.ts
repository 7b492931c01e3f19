// Once a day the log says again which certificates and revocation lists expire soon. A gate that runs for a year may load
// its files once, so one warning at the start would be lost.

import { distinctProblems, type Problem } from '../base/problems.ts';
import { timeWarnings } from '../tls/material/certificate-warnings.ts';
import type { CertificateInUse, CrlInUse } from '../tls/types.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

export interface ExpiryCheckOptions {
  readonly everyMs?: number;
  readonly now?: () => Date;
}

/**
 * Checks the state in force once a day and reports every warning.
 *
 * @returns a function that stops the checks
 */
export function createExpiryCheck(
  current: () => { readonly certificates: readonly CertificateInUse[]; readonly crls: readonly CrlInUse[] },
  warn: (problem: Problem) => void,
  { everyMs = DAY_MS, now = () => new Date() }: ExpiryCheckOptions = {},
): () => void {
  const timer = setInterval(() => {
    for (const problem of distinctProblems(timeWarnings(current(), now()))) warn(problem);
  }, everyMs).unref();
  return () => clearInterval(timer);
}
