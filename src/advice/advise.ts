// What `check` says beyond what loading says: a configuration may be right in every line and yet let in nobody,
// everybody or the wrong client (contract §17).

import { distinctProblems, type Problem } from '../base/problems.ts';
import type { Snapshot } from '../config/snapshot.ts';
import { adviseOnCertificates } from './certificates.ts';
import { adviseOnLines } from './lines.ts';
import { adviseOnMaps } from './maps.ts';
import { adviseOnSettings } from './settings.ts';

export interface Advice {
  /** Nobody gets in. */
  readonly errors: readonly Problem[];
  readonly warnings: readonly Problem[];
  /** Lines of pg_hba.conf that can admit anybody, of how many. */
  readonly admitting: number;
  readonly lines: number;
}

/**
 * Advice on a configuration that loads.
 *
 * @param now the clock by which certificates and lists are judged
 */
export function advise({ settings, tls, rules, maps }: Snapshot, now: Date): Advice {
  const lines = adviseOnLines({
    hba: rules,
    ident: maps,
    roles: settings.roles,
    ssl: tls !== null,
    hasRootCertificates: tls?.requestsClientCertificate ?? false,
    hasHosts: tls?.all.some(({ label }) => label !== null) ?? false,
  });
  const certificates = (tls?.all ?? []).map((host) => adviseOnCertificates({ settings, host, now }));
  return {
    errors: distinctProblems(certificates.flatMap(({ errors }) => errors)),
    warnings: [
      ...adviseOnSettings(settings),
      ...distinctProblems(certificates.flatMap(({ warnings }) => warnings)),
      ...lines.warnings,
      ...adviseOnMaps(maps),
    ],
    admitting: lines.admitting,
    lines: lines.lines,
  };
}
